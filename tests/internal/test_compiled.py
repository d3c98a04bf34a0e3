"""XLA's flags: which are set, and where they are left alone."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax._internal import compiled

FLAG = "--xla_cpu_experimental_ynn_fusion_type"


@pytest.mark.parametrize(
    ("version", "before", "after"),
    [
        ((0, 10), None, f"{FLAG}="),
        ((0, 10), "--xla_cpu_enable_fast_math=false", f"--xla_cpu_enable_fast_math=false {FLAG}="),
        ((0, 10), f"{FLAG}=reduce", f"{FLAG}=reduce"),
        ((0, 11), None, None),
        ((0, 9), None, None),
        ((), None, None),
    ],
)
def test_unsafe_fusions_are_off_where_jaxlib_has_them(monkeypatch, version, before, after):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    if before is not None:
        monkeypatch.setenv("XLA_FLAGS", before)
    monkeypatch.setattr(compiled, "_jaxlib", lambda: version)
    monkeypatch.setattr(compiled, "_processor", lambda: "flags: avx2 avx512f")
    compiled.switch_off_unsafe_fusions()
    assert os.environ.get("XLA_FLAGS") == after


def test_a_jax_that_was_started_before_is_warned_of(monkeypatch):
    jax.devices()
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setattr(compiled, "_jaxlib", lambda: (0, 10))
    monkeypatch.setattr(compiled, "_processor", lambda: "flags: avx2")
    with pytest.warns(RuntimeWarning, match="import lensjax first"):
        compiled.switch_off_unsafe_fusions()


SUM_OF_SEVEN_AXES = """
import jax, jax.numpy as jnp
ORDER
f = jax.jit(lambda a, b: (a * b).sum(3))
a = jnp.ones((1, 3, 3, 32, 2, 32, 2))
print('"__ynn_fusion"' in f.lower(a, a).compile().as_text(), float(f(a, a).min()), jax.__version_info__[:2])
"""


@pytest.mark.parametrize("order", ["import lensjax", "import lensjax.models"])
def test_programs_after_the_import_have_none(order):
    environment = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
    code = SUM_OF_SEVEN_AXES.replace("ORDER", order)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    fused, least, version = done.stdout.strip().split(" ", 2)
    assert float(least) == 32.0
    assert fused == "False" or version >= "(0, 11)"


def test_a_sum_over_one_of_seven_axes_is_right():
    """In this process, too: jaxlib 0.10 gave NaN, or crashed, on processors with AVX2 and without AVX-512."""
    a = np.random.default_rng(0).normal(size=(1, 3, 3, 32, 2, 32, 2)).astype(np.float32)
    ours = jax.jit(lambda a: (a * jnp.eye(32)[:, None, :, None]).sum(3))(a)
    np.testing.assert_array_equal(ours, np.einsum("xyzcgcd->xyzgcd", a))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="counts Linux's memory mappings")
@pytest.mark.parametrize(("share", "cleared"), [(0.0, True), (1.0, False)])
def test_programs_go_where_they_hold_too_many_mappings(monkeypatch, share, cleared) -> None:
    calls: list[None] = []
    monkeypatch.setattr(compiled, "_SHARE", share)
    monkeypatch.setattr(jax, "clear_caches", lambda: calls.append(None))
    compiled.let_programs_go()
    assert bool(calls) == cleared


def test_an_option_that_xla_does_not_have_is_left_out(monkeypatch) -> None:
    monkeypatch.setattr(compiled, "_EMITTERS", "xla_cpu_no_such_option")
    assert compiled.quick_to_compile.__wrapped__() == {}


def test_fits_are_compiled_with_options_that_xla_takes() -> None:
    options = compiled.quick_to_compile()
    assert set(options) <= {"xla_cpu_use_fusion_emitters"}
    x = np.linspace(0.0, 1.0, 64, dtype=np.float32)
    quick = jax.jit(lambda x: (jnp.sin(x) ** 2 + jnp.cos(x) ** 2).sum(), compiler_options=options)(x)
    np.testing.assert_allclose(quick, 64.0, rtol=1e-6)
