"""Exported weights: one safetensors file, and the config of the network and of its training."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import safetensors.numpy
from flax.linen import Module
from safetensors import SafetensorError

from lensjax import models
from lensjax.errors import BadInput, at
from lensjax.files.read import read_json, readable
from lensjax.files.whole import write_bytes, write_text
from lensjax.train import config as configs
from lensjax.train.config import TrainConfig
from lensjax.train.layers import init_variables
from lensjax.train.standard import Standard

WEIGHTS = "weights.safetensors"
CONFIG = "config.json"


def export_weights(
    folder: Path,
    variables: Mapping[str, Any],
    config: Mapping[str, Any],
    metrics: Mapping[str, float] | None = None,
    standard: Standard | None = None,
    *,
    half: bool = False,
) -> Path:
    """Writes folder/weights.safetensors (tensors named like "params/Conv_0/kernel") and folder/config.json.

    Args:
        folder: created where it does not exist; returned.
        variables: the network's "params" and, where it has them, "batch_stats".
        config: fields of the `TrainConfig` that they were trained with; missing fields take their defaults.
        metrics: scores of the network, written into the config file.
        standard: what its targets are measured in, where the config standardises them.
        half: whether "params" are written as float16, in half the space; they are read as float32.

    Raises:
        BadInput: `config` is not a config.
        ValueError: `standard` is missing, or given for a config that does not standardise targets; or a weight is too large for float16.
    """
    folder = Path(folder)
    checked = configs.from_mapping(config)
    if checked.standardise != (standard is not None):
        raise ValueError("standard is given for configs that standardise targets, and for no other")
    complete = dataclasses.asdict(checked)
    tensors = _flat({name: variables[name] for name in ("params", "batch_stats") if name in variables})
    for name, tensor in tensors.items():
        if half and name.startswith("params/"):
            if not np.abs(tensor).max() < np.finfo(np.float16).max:
                raise ValueError(f"{name} does not fit float16")
            tensors[name] = np.asarray(tensor).astype(np.float16)
    write_bytes(folder / WEIGHTS, safetensors.numpy.save({k: np.ascontiguousarray(v).reshape(np.shape(v)) for k, v in tensors.items()}))
    content: dict[str, Any] = {"config": complete, "metrics": dict(metrics or {})}
    if standard is not None:
        content["standard"] = standard._asdict()
    write_text(folder / CONFIG, json.dumps(content, indent=2) + "\n")
    return folder


def load_weights(
    folder: Path, *, model: Module | None = None, image_size: int | None = None, other_head: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """({"params", "batch_stats"}, fields of the config) from a folder that `export_weights` wrote.

    They must fit `model` at `image_size`; by default the network of the folder's own config. With `other_head` the last layer of `model`
    may have another number of outputs; its tensors then have their own shapes. Tensors of float16 are read as float32.

    Raises:
        BadInput: a file is missing or unreadable, or a tensor is missing, surplus, or of another shape or type.
    """
    folder = Path(folder)
    config = read_config(folder)
    path = folder / WEIGHTS
    with readable(path, "a safetensors file"):
        try:
            tensors: dict[str, np.ndarray] = safetensors.numpy.load_file(path)
        except (SafetensorError, KeyError) as error:
            raise BadInput(f"not a safetensors file: {error}", path=path) from None
    problem = configs.make_problem(config)
    side, _, channels = configs.make_task(config, problem).input_shape
    if model is None:
        model, image_size = configs.make_model(config, problem), side
    side = side if image_size is None else image_size
    expected = jax.eval_shape(lambda: init_variables(model, jax.random.key(0), image_size=side, in_channels=channels))
    shapes = _flat(expected)
    heads = models.head_names(model) if other_head else ()
    for name, shape in shapes.items():
        if name not in tensors:
            raise BadInput("missing", path=path, place=f"tensor {name}", expected=f"{_type(shape)} for {config.model}")
        tensor = tensors[name]
        if tensor.dtype == np.float16:
            tensors[name] = tensor = tensor.astype(np.float32)
        same = tensor.shape[:-1] == shape.shape[:-1] if ".".join(name.split("/")[1:-1]) in heads else tensor.shape == shape.shape
        if not same or tensor.dtype != shape.dtype:
            raise BadInput(
                _type(tensor), path=path, place=f"tensor {name}", value=_type(tensor), expected=f"{_type(shape)} for {config.model}"
            )
    for name in tensors:
        if name not in shapes:
            raise BadInput(f"surplus: {config.model} has no tensor of this name", path=path, place=f"tensor {name}")
    leaves = [jax.device_put(tensors[name]) for name in shapes]
    return jax.tree.unflatten(jax.tree.structure(expected), leaves), dataclasses.asdict(config)


def read_config(folder: Path) -> TrainConfig:
    """The config that the exported weights in a folder were trained with.

    Raises:
        BadInput: no such file, or not such a config.
    """
    path = Path(folder) / CONFIG
    content = read_json(path)
    fields = content.get("config") if isinstance(content, dict) else None
    if not isinstance(fields, dict):
        raise BadInput("not the config of exported weights", path=path, expected='a JSON object with an object "config"')
    with at(path=path):
        return configs.from_mapping(fields)


def read_standard(folder: Path, config: TrainConfig) -> Standard | None:
    """What the targets of exported weights are measured in; None where their config does not standardise them.

    Raises:
        BadInput: it is missing or unusable.
    """
    if not config.standardise:
        return None
    path = Path(folder) / CONFIG
    return Standard.of_json(read_json(path), count=len(configs.make_problem(config).parameters), path=path)


def _type(array: Any) -> str:
    """Type and shape of an array, "float32[3, 3]"."""
    return f"{array.dtype}{list(array.shape)}"


def _flat(tree: Any) -> dict[str, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {"/".join(str(entry.key) for entry in path): leaf for path, leaf in leaves}
