"""Light models: one a file."""

from lensjax.source.gaussian import Gaussian

__all__ = ["Gaussian"]
