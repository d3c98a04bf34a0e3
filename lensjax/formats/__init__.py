"""Files of other programs, and our results: read with every check, written whole or not at all."""
