"""Small tools for all packages."""
