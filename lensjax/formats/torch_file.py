"""PyTorch's files of weights, read without PyTorch and without running what they hold.

A .pth file is a pickle: a program. The unpickler here knows tensors, ordered dictionaries and plain Python values, and
refuses every other name, so that nothing in the file is executed. Both layouts are read: the ZIP archive of PyTorch 1.6 and later, and the
stream of pickles before it.
"""

import importlib.util
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from lensjax.errors import BadInput, at
from lensjax.files.read import readable

_TYPES: dict[str, Any] = {
    "FloatStorage": np.float32, "DoubleStorage": np.float64, "HalfStorage": np.float16, "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64, "IntStorage": np.int32, "ShortStorage": np.int16, "CharStorage": np.int8, "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}  # fmt: skip
_MAGIC = 0x1950A86A20F9469CFC6C
_PREFIXES = ("module.", "_orig_mod.")
_EXPECTED = "a .safetensors or .pth file of weights"
_LARGEST = 16 << 30
"""Largest size of a file that is read [bytes]."""


def read(path: Path) -> dict[str, np.ndarray]:
    """Tensors by name, from a .safetensors file or a .pth file.

    A dictionary that holds the weights under "state_dict", "model_state_dict" or "model" is opened. The prefixes that
    torch.compile ("_orig_mod.") and data-parallel training ("module.") give to names are dropped.

    Raises:
        BadInput: no such file, not such a file, or one that holds more than weights.
    """
    with readable(path, _EXPECTED), at(path=path):
        if path.is_dir():
            raise IsADirectoryError
        if path.stat().st_size > _LARGEST:
            raise BadInput(f"larger than {_LARGEST >> 30} GiB", expected=_EXPECTED)
        return {_plain(name): value for name, value in _tensors(path).items()}


def _tensors(path: Path) -> dict[str, np.ndarray]:
    try:
        if path.suffix == ".safetensors":
            return safetensors.numpy.load_file(path)
        content = _from_zip(path) if zipfile.is_zipfile(path) else _from_stream(path)
        for name in ("state_dict", "model_state_dict", "model"):
            if isinstance(content, dict) and isinstance(content.get(name), dict):
                content = content[name]
        named = isinstance(content, dict) and all(isinstance(k, str) and isinstance(v, np.ndarray) for k, v in content.items())
        if not named or not content:
            raise BadInput("holds no dictionary of tensors by name", hint="if it holds a whole model, save its state_dict")
        return {name: np.array(value) for name, value in content.items()}
    except (BadInput, FileNotFoundError, PermissionError):
        raise
    except (SafetensorError, OSError, zipfile.BadZipFile) as error:
        raise BadInput(f"cannot be read: {_one_line(error)}", expected=_EXPECTED) from None
    except Exception as error:  # a damaged file can raise any of them
        raise BadInput(f"not a file of PyTorch weights: {type(error).__name__}: {_one_line(error)}", expected=_EXPECTED) from None


def _plain(name: str) -> str:
    """A tensor's name without the prefixes of what wrapped the network."""
    while name.startswith(_PREFIXES):
        name = name.partition(".")[2]
    return name


def _one_line(error: Exception) -> str:
    return ascii(" ".join(str(error).split())[:200])[1:-1]


def located(path: Path) -> Path:
    """`path`, or where there is no such file and an installed package is called so, the one .pth or .safetensors file in it.

    Raises:
        BadInput: the package has none, or several.
    """
    name = str(path)
    if path.exists() or not name.isidentifier():
        return path
    spec = importlib.util.find_spec(name)  # runs nothing of the package
    folders = spec.submodule_search_locations if spec is not None else None
    if not folders:
        return path
    files = [file for folder in folders for kind in ("*.pth", "*.safetensors") for file in sorted(Path(folder).rglob(kind))]
    if len(files) != 1:
        raise BadInput(f"the package of this name has {len(files)} files of weights", path=name, expected="the path of one of them")
    return files[0]


@dataclass(frozen=True)
class _Storage:
    """The type of a tensor's memory in a file."""

    kind: Any


def _tensor(storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> np.ndarray:
    """PyTorch's _rebuild_tensor: a view of flat memory, checked to lie within it."""
    size, stride = tuple(int(n) for n in size), tuple(int(n) for n in stride)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if all(size) else offset
    if offset < 0 or any(n < 0 for n in size + stride) or last >= len(storage) > 0 or (len(storage) == 0 and all(size)):
        raise BadInput("a tensor reaches beyond its memory")
    width = storage.dtype.itemsize
    return np.lib.stride_tricks.as_strided(storage[offset:], size, tuple(step * width for step in stride), writeable=False)


def _parameter(data: np.ndarray, *_: object) -> np.ndarray:
    return data


class _Reader(pickle.Unpickler):
    """An unpickler that knows tensors and nothing that can be executed."""

    def __init__(self, file: IO[bytes], storage: Callable[[Any], np.ndarray]):
        super().__init__(file, encoding="utf-8")
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _tensor
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _parameter
        if module == "collections" and name == "OrderedDict":
            return OrderedDict
        if module in ("torch", "torch.storage") and name in _TYPES:
            return _Storage(_TYPES[name])
        raise BadInput(f"holds {module}.{name}, which is more than weights")

    def persistent_load(self, pid: Any) -> np.ndarray:
        return self._storage(pid)


def _from_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        pickled = [name for name in names if name.endswith("/data.pkl") or name == "data.pkl"]
        if len(pickled) != 1:
            raise BadInput("a ZIP archive, but not one of PyTorch weights")
        folder = pickled[0].removesuffix("data.pkl")
        if folder + "byteorder" in names and archive.read(folder + "byteorder") != b"little":
            raise BadInput("written on a big-endian machine")
        known: dict[str, np.ndarray] = {}

        def storage(pid: Any) -> np.ndarray:
            _, kind, key, _, count = pid[:5]
            if key not in known:
                known[key] = np.frombuffer(archive.read(f"{folder}data/{key}"), kind.kind, count=int(count))
            return known[key]

        with archive.open(pickled[0]) as file:
            return _Reader(file, storage).load()


def _from_stream(path: Path) -> Any:
    """The older layout: magic number, protocol, sizes, the object, the names of its storages, then their bytes in that order.

    Tensors are views of memory that is filled after they are built.
    """
    with path.open("rb") as file:
        known: dict[str, np.ndarray] = {}

        def storage(pid: Any) -> np.ndarray:
            kind, key, count = pid[1], pid[2], int(pid[4])
            if len(pid) > 5 and pid[5] is not None:
                raise BadInput("holds views of storages, which are not read")
            if count * np.dtype(kind.kind).itemsize > path.stat().st_size:
                raise BadInput("a tensor reaches beyond the file")
            return known.setdefault(key, np.zeros(count, kind.kind))

        if _Reader(file, storage).load() != _MAGIC:
            raise BadInput("not a file of PyTorch weights")
        for _ in range(2):
            _Reader(file, storage).load()
        content = _Reader(file, storage).load()
        for key in _Reader(file, storage).load():
            (count,) = struct.unpack("<q", file.read(8))
            memory = known[key]
            stored = file.read(memory.nbytes)
            if count != len(memory) or len(stored) != memory.nbytes:
                raise BadInput("cut short")
            memory[:] = np.frombuffer(stored, memory.dtype)
    return content
