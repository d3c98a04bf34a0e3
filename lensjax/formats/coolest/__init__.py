"""Lens models as COOLEST files (Galan et al. 2023, JOSS 8, 5567), written by us: a JSON file, and FITS files beside it."""

from lensjax.formats.coolest.profiles import Profile, check, profiles
from lensjax.formats.coolest.write import template, write

__all__ = ["Profile", "check", "profiles", "template", "write"]
