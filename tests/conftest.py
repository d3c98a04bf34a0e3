"""Settings for every test; the environment is set before anything imports JAX."""

import functools
import os

# What the caller has set stays: JAX_PLATFORMS=cuda runs the same tests on a GPU.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")

import flax.linen  # noqa: E402
import jax  # noqa: E402
import optax  # noqa: E402
import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

import lensjax  # noqa: E402, F401  sets XLA's flags, which count only before JAX looks for its devices

# The first example of a test compiles, so there is no deadline; the same examples every time.
settings.register_profile("lensjax", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("lensjax")


LIBRARIES = (
    (optax.tree, "bias_correction"),  # Adam: a float to the power of a whole number
    (flax.linen, "avg_pool"),  # divides by a whole number
    (flax.linen.normalization, "_compute_stats"),  # half precision with single
    (flax.linen.normalization, "_normalize"),
    (optax, "cosine_decay_schedule"),  # steps that are floats, counted by a whole number
)
"""Functions of libraries that mix types, as they may."""


@pytest.fixture(autouse=True)
def strict_types(monkeypatch: pytest.MonkeyPatch):
    """Mixed types, such as float32 with float64, are an error everywhere but in those functions."""
    for module, name in LIBRARIES:
        monkeypatch.setattr(module, name, as_usual(getattr(module, name)))
    with jax.numpy_dtype_promotion("strict"):
        yield


def as_usual(function):
    """The function, or what it makes functions of, with JAX's usual promotion."""

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        with jax.numpy_dtype_promotion("standard"):
            result = function(*args, **kwargs)
        return as_usual(result) if callable(result) else result

    return wrapped
