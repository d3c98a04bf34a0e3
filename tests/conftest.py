"""Settings for every test; the environment is set before anything imports JAX."""

import os

# What the caller has set stays: JAX_PLATFORMS=cuda runs the same tests on a GPU.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")

import jax  # noqa: E402
import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

import lensjax  # noqa: E402, F401  sets XLA's flags, which count only before JAX looks for its devices

# The first example of a test compiles, so there is no deadline; the same examples every time.
settings.register_profile("lensjax", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("lensjax")


@pytest.fixture(autouse=True)
def strict_types():
    """Mixed types, such as float32 with float64, are an error."""
    with jax.numpy_dtype_promotion("strict"):
        yield
