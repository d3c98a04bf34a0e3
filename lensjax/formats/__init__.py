"""Other people's files: read with every check, written whole or not at all."""
