"""How JAX compiles and keeps programs: the one place for XLA's flags and for the cache."""

import os
import platform
import sys
import warnings
import zlib
from collections.abc import Callable
from functools import cache, wraps
from importlib import metadata
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_SHARE = 0.5  # of the mappings that a process may have
_YNN = "--xla_cpu_experimental_ynn_fusion_type"
_EMITTERS = "xla_cpu_use_fusion_emitters"


def switch_off_unsafe_fusions() -> None:
    """Switches off XLA's YNN fusions on CPUs, where jaxlib is older than 0.11.

    There the fusion of a sum over one of seven axes writes beyond its memory on processors with AVX2 and without AVX-512: the
    program gives NaN or crashes, at once or later. The setting costs no time. XLA reads it when JAX first looks for its devices,
    and ends the process at a flag that it does not know, so that other versions do not get it.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _YNN in flags or not (0, 10) <= _jaxlib() < (0, 11):
        return
    os.environ["XLA_FLAGS"] = f"{flags} {_YNN}=".strip()
    bridge = sys.modules.get("jax._src.xla_bridge")
    if bridge is not None and getattr(bridge, "_backends", None) and "avx512f" not in _processor():
        warnings.warn(
            f"JAX was started before lensjax was imported, so that it computes with fusions that are wrong in jaxlib 0.10 on this "
            f"processor: import lensjax first, or set XLA_FLAGS='{_YNN}='",
            RuntimeWarning,
            stacklevel=3,
        )


def _jaxlib() -> tuple[int, ...]:
    """Major and minor version of jaxlib, without importing it."""
    try:
        return tuple(int(number) for number in metadata.version("jaxlib").split(".")[:2])
    except (metadata.PackageNotFoundError, ValueError):
        return ()


def keep_compiled_programs() -> None:
    """Lets JAX keep compiled programs in the user's cache, in one folder for each version of JAX and kind of processor."""
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "lensjax" / "compiled" / f"jax-{metadata.version('jax')}-{zlib.crc32(_processor().encode()):08x}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            return
    except OSError:
        return
    if "jax" not in sys.modules:  # JAX reads these when it is imported, which is slow and may not be needed
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")  # many small programs take as long as a large one
        return
    import jax

    if getattr(jax.config, "jax_compilation_cache_dir", None) is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))


@cache
def quick_to_compile() -> dict[str, bool]:
    """Compiler options of `jax.jit` with which a CPU compiles a fit in two thirds of the time and runs it as fast; none on other devices.

    XLA writes the loops of such a program, small sums over large images, well without its fusion emitters. Images to train on need them.
    """
    import jax

    if jax.default_backend() != "cpu":
        return {}
    options = {_EMITTERS: False}
    try:
        jax.jit(lambda: 0, compiler_options=options)()
    except jax.errors.JaxRuntimeError:  # a version of XLA that does not have it
        return {}
    return options


def quick_jit(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    """`jax.jit` of a function of a module, with `quick_to_compile`; not to be called from within another program."""

    @cache
    def program() -> Callable[P, R]:  # at the first call: which device there is must not be asked before
        import jax

        compiled: Callable[P, R] = jax.jit(function, compiler_options=quick_to_compile(), **options)
        return compiled

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return program()(*args, **kwargs)

    return call


def let_programs_go() -> None:
    """Lets go of JAX's compiled programs where they hold more than half of the memory mappings that a process may have.

    Linux ends a process at 65530 mappings, and each program of a fit has 500 to 1000. JAX takes what it needs again from its cache.
    """
    try:
        most = int(Path("/proc/sys/vm/max_map_count").read_text())
        with Path("/proc/self/maps").open("rb") as maps:
            count = sum(1 for _ in maps)
    except (OSError, ValueError):
        return
    if count > _SHARE * most:
        import jax

        jax.clear_caches()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
