"""How JAX compiles and keeps programs: the one place for its cache."""

import os
import platform
import sys
import zlib
from pathlib import Path


def keep_compiled_programs() -> None:
    """Lets JAX keep compiled programs in the user's cache, apart for each kind of processor, whose instructions they use."""
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "lensjax" / "compiled" / f"{zlib.crc32(_processor().encode()):08x}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            return
    except OSError:
        return
    if "jax" not in sys.modules:  # it reads these when it is imported, which is slow and may not be needed
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
        return
    import jax

    if getattr(jax.config, "jax_compilation_cache_dir", None) is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
