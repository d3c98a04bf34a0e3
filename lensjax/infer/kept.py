"""Arrays that take long to compute, kept beside JAX's compiled programs."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from lensjax.errors import BadInput
from lensjax.files.whole import write_bytes

MOST = 8
"""Files kept; the oldest go."""


def arrays(name: str, program: jax.stages.Lowered, compute: Callable[[], tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    """`compute()`, or what it returned in an earlier process for the same name and program.

    Args:
        name: what else the arrays depend on.
        program: what computes the arrays. A change of its text, of JAX or of the kind of device computes them anew.
        compute: the computation. It runs, and nothing is kept, where JAX keeps no compiled programs (`jax_compilation_cache_dir`) or the
            folder cannot be written.
    """
    base = getattr(jax.config, "jax_compilation_cache_dir", None)
    if not base:
        return compute()
    key = hashlib.sha256(f"{name} {jax.__version__} {jax.default_backend()} {program.as_text()}".encode()).hexdigest()[:32]
    folder = Path(base) / "lensjax-arrays"
    path = folder / f"{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            return tuple(stored[name] for name in sorted(stored.files, key=lambda name: int(name.removeprefix("arr_"))))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # none yet, or damaged
    found = compute()
    packed = io.BytesIO()
    np.savez(packed, *found)
    try:
        write_bytes(path, packed.getvalue())
        for old in sorted(folder.glob("*.npz"), key=lambda file: file.stat().st_mtime)[:-MOST]:
            old.unlink(missing_ok=True)
    except (BadInput, OSError):
        pass
    return found
