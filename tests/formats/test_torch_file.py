"""PyTorch's files of weights: what is read, and that nothing in them is run."""

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from lensjax.errors import BadInput
from lensjax.formats import torch_file

VALUES = np.arange(6, dtype=np.float32)
RAW = VALUES.tobytes()


class _Named:
    """Pickles as the name of something in another module, as PyTorch's own classes do."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name


class _Pickler(pickle._Pickler):
    """Writes names without importing them."""

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, _Named):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
            return
        super().save(obj, save_persistent_id)

    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, _Memory) else None


class _Memory:
    def __init__(self, *pid):
        self.pid = pid


class _Call:
    """Pickles as the call of a named function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments


def _reduce(pickler, call):
    pickler.save(call.function)
    pickler.save(call.arguments)
    pickler.write(pickle.REDUCE)


_Pickler.dispatch = {**pickle._Pickler.dispatch, _Call: _reduce}


def pickled(content) -> bytes:
    out = io.BytesIO()
    _Pickler(out, protocol=2).dump(content)
    return out.getvalue()


def tensor(offset=0, size=(2, 3), stride=(3, 1), count=6):
    memory = _Memory("storage", _Named("torch", "FloatStorage"), "0", "cpu", count)
    return _Call(_Named("torch._utils", "_rebuild_tensor_v2"), memory, offset, size, stride, False, None)


def archive(path, content, memory=RAW):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("weights/data.pkl", pickled(content))
        file.writestr("weights/data/0", memory)
    return path


def stream(path, content, memory=RAW, count=6):
    old = pickled(torch_file._MAGIC) + pickled(1001) + pickled({"little_endian": True}) + pickled(content) + pickled(["0"])
    path.write_bytes(old + struct.pack("<q", count) + memory)
    return path


def old_tensor():
    memory = _Memory("storage", _Named("torch", "FloatStorage"), "0", "cpu", 6, None)
    return _Call(_Named("torch._utils", "_rebuild_tensor_v2"), memory, 0, (3, 2), (1, 3), False, None)


def test_archive(tmp_path):
    content = {"a": tensor(), "module.b": tensor(size=(3, 2), stride=(1, 3)), "c": tensor(offset=4, size=(), stride=())}
    found = torch_file.read(archive(tmp_path / "w.pth", content))
    np.testing.assert_array_equal(found["a"], VALUES.reshape(2, 3))
    np.testing.assert_array_equal(found["b"], VALUES.reshape(2, 3).T)
    assert found["c"] == 4


@pytest.mark.parametrize("name", ["state_dict", "model_state_dict", "model"])
def test_stream_of_pickles(tmp_path, name):
    found = torch_file.read(stream(tmp_path / "w.pth", {name: {"a": old_tensor()}, "epoch": 3}))
    np.testing.assert_array_equal(found["a"], VALUES.reshape(2, 3).T)


def test_safetensors(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(safetensors.numpy.save({"a": VALUES}))
    np.testing.assert_array_equal(torch_file.read(tmp_path / "w.safetensors")["a"], VALUES)


@pytest.mark.parametrize("make", [archive, stream])
def test_nothing_is_run(tmp_path, make):
    mark = tmp_path / "run"
    evil = {"a": _Call(_Named("os", "system"), f"touch {mark}")}
    with pytest.raises(BadInput, match="os.system, which is more than weights"):
        torch_file.read(make(tmp_path / "w.pth", evil))
    with pytest.raises(BadInput, match="builtins.eval"):
        torch_file.read(make(tmp_path / "w.pth", {"a": _Call(_Named("builtins", "eval"), "1")}))
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [tensor(offset=1), tensor(size=(3, 3), stride=(3, 1)), tensor(stride=(-3, 1)), tensor(count=7)],
    ids=["offset", "size", "stride", "count"],
)
def test_no_tensor_reaches_beyond_its_memory(tmp_path, content):
    with pytest.raises(BadInput):
        torch_file.read(archive(tmp_path / "w.pth", {"a": content}))


def test_files_that_are_none(tmp_path):
    path = tmp_path / "w.pth"
    with pytest.raises(BadInput, match="no such file"):
        torch_file.read(path)
    for content in (b"", b"hello", pickle.dumps([1]), os.urandom(100)):
        path.write_bytes(content)
        with pytest.raises(BadInput, match="not a file of PyTorch weights"):
            torch_file.read(path)
    with pytest.raises(BadInput, match="no dictionary of tensors"):
        torch_file.read(archive(path, {"a": 3}))
    with pytest.raises(BadInput, match="cut short"):
        torch_file.read(stream(path, {"a": old_tensor()}, memory=RAW[:-1]))
    (tmp_path / "w.safetensors").write_bytes(b"hello")
    with pytest.raises(BadInput, match="cannot be read"):
        torch_file.read(tmp_path / "w.safetensors")


def test_weights_that_a_package_brings(tmp_path, monkeypatch):
    package = tmp_path / "some_weights"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('run')")
    archive(package / "data" / "w.pth", {"a": tensor()})
    monkeypatch.syspath_prepend(tmp_path)
    assert torch_file.located(Path("some_weights")) == package / "data" / "w.pth"
    assert torch_file.located(Path("no_such_weights")) == Path("no_such_weights")
    archive(package / "v.pth", {"a": tensor()})
    with pytest.raises(BadInput, match="has 2 files of weights"):
        torch_file.located(Path("some_weights"))


def test_prefixes_of_what_wrapped_the_network_are_dropped(tmp_path):
    content = {"_orig_mod.a": tensor(), "module._orig_mod.b.c": tensor(), "_orig_mod.module.d": tensor(), "module_e.module.f": tensor()}
    assert list(torch_file.read(archive(tmp_path / "w.pth", content))) == ["a", "b.c", "d", "module_e.module.f"]
    (tmp_path / "w.safetensors").write_bytes(safetensors.numpy.save({"_orig_mod.a": VALUES}))
    assert list(torch_file.read(tmp_path / "w.safetensors")) == ["a"]
