"""Arrays kept beside JAX's compiled programs."""

from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.infer import kept

ONE = jax.jit(lambda x: x + 1.0).lower(jnp.zeros(2))
OTHER = jax.jit(lambda x: x + 2.0).lower(jnp.zeros(2))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Path]:
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)


class Counted:
    """Two arrays, and how often they were computed."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> tuple[np.ndarray, np.ndarray]:
        self.times += 1
        return np.arange(3.0) * self.times, np.ones((2, 2), np.float32)


def test_arrays_are_computed_once_for_a_program_and_a_name(cache: Path) -> None:
    compute = Counted()
    first, again = (kept.arrays("a", ONE, compute) for _ in range(2))
    assert compute.times == 1
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    kept.arrays("b", ONE, compute)
    kept.arrays("a", OTHER, compute)
    assert compute.times == 3


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_a_damaged_file_is_computed_anew(cache: Path, content: bytes) -> None:
    compute = Counted()
    kept.arrays("a", ONE, compute)
    (path,) = cache.rglob("*.npz")
    path.write_bytes(content)
    kept.arrays("a", ONE, compute)
    assert compute.times == 2
    kept.arrays("a", ONE, compute)
    assert compute.times == 2


def test_a_pickle_is_not_read(cache: Path) -> None:
    compute = Counted()
    kept.arrays("a", ONE, compute)
    (path,) = cache.rglob("*.npz")
    np.savez(path, np.array([object()], dtype=object))
    kept.arrays("a", ONE, compute)
    assert compute.times == 2


def test_only_the_newest_files_are_kept(cache: Path) -> None:
    for k in range(kept.MOST + 3):
        kept.arrays(str(k), ONE, Counted())
    assert len(list(cache.rglob("*.npz"))) == kept.MOST


def test_nothing_is_kept_without_a_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cache)
    jax.config.update("jax_compilation_cache_dir", None)  # the fixture sets it back
    compute = Counted()
    kept.arrays("a", ONE, compute)
    kept.arrays("a", ONE, compute)
    assert compute.times == 2
    assert not list(cache.iterdir())


def test_a_folder_that_cannot_be_written_does_no_harm(cache: Path) -> None:
    (cache / "lensjax-arrays").write_text("in the way")
    compute = Counted()
    assert len(kept.arrays("a", ONE, compute)) == 2
