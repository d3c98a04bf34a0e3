"""Whole files: read through one ladder of errors, written whole or not at all."""
