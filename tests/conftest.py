"""Settings for every test; the environment is set before anything imports JAX."""

import functools
import gc
import os
from importlib import metadata

# What the caller has set stays: JAX_PLATFORMS=cuda runs the same tests on a GPU.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")
# Most of the time of `make test` is XLA's compiler, so that it compiles quickly there and computes slowly. `make test-all` compiles as
# users' programs are.
QUICK = bool(os.environ.get("LENSJAX_TEST_QUICK_COMPILE"))
if QUICK:
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")
    if metadata.version("jaxlib").startswith("0.10."):  # other versions end the process at flags that they do not know
        flags = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()

# Tracing makes millions of objects that stay; looking through them for cycles took a sixth of the time.
gc.set_threshold(50_000, 20, 100)

import flax.linen  # noqa: E402
import jax  # noqa: E402
import optax  # noqa: E402
import optax.contrib  # noqa: E402
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
    (optax.contrib, "reduce_on_plateau"),  # a mean, counted by a whole number
)
"""Functions of libraries that mix types, as they may."""


@pytest.fixture(autouse=True, scope="module")
def compiler(request: pytest.FixtureRequest):
    """Files marked `computes` compute for longer than they compile: there XLA optimises as always."""
    if QUICK and request.node.get_closest_marker("computes"):
        jax.clear_caches()  # programs of both kinds differ in their last bits
        jax.config.update("jax_disable_most_optimizations", False)
        yield
        jax.clear_caches()
        jax.config.update("jax_disable_most_optimizations", True)
    else:
        yield


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
        if isinstance(result, optax.GradientTransformationExtraArgs):
            return result._replace(update=as_usual(result.update))
        return as_usual(result) if callable(result) else result

    return wrapped
