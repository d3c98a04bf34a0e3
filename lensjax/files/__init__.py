"""Files: read with the same errors everywhere, written whole or not at all."""
