"""Weights that leave training: one safetensors file and the config that says which network they belong to."""

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

from lensjax.errors import BadInput
from lensjax.files.whole import write_bytes, write_text
from lensjax.train import config as configs
from lensjax.train.config import TrainConfig
from lensjax.train.state import init_variables

WEIGHTS = "weights.safetensors"
CONFIG = "config.json"


def export_weights(
    folder: Path,
    variables: Mapping[str, Any],
    config: Mapping[str, Any],
    metrics: Mapping[str, float] | None = None,
) -> Path:
    """Writes folder/weights.safetensors (tensors named like "params/Conv_0/kernel") and folder/config.json.

    Args:
        folder: made where it is not there; returned.
        variables: the network's "params" and, where it has them, "batch_stats".
        config: fields of the `TrainConfig` that made them; those left out take their defaults.
        metrics: scores to state beside them.

    Raises:
        BadInput: `config` is not a config.
    """
    folder = Path(folder)
    complete = dataclasses.asdict(configs.from_mapping(config))
    tensors = _flat({name: variables[name] for name in ("params", "batch_stats") if name in variables})
    write_bytes(folder / WEIGHTS, safetensors.numpy.save({k: np.ascontiguousarray(v) for k, v in tensors.items()}))
    content = {"config": complete, "metrics": dict(metrics or {})}
    write_text(folder / CONFIG, json.dumps(content, indent=2) + "\n")
    return folder


def load_weights(folder: Path, *, model: Module | None = None, image_size: int | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """({"params", "batch_stats"}, fields of the config) from a folder that `export_weights` wrote.

    They must suit `model` at `image_size`; by default the network that the folder's own config names.

    Raises:
        BadInput: a file is missing or unreadable, or a tensor is missing, surplus, of another shape or type.
    """
    folder = Path(folder)
    config = read_config(folder)
    path = folder / WEIGHTS
    try:
        tensors = safetensors.numpy.load_file(path)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except (SafetensorError, OSError, KeyError) as error:
        raise BadInput(f"{path}: not a safetensors file: {error}") from None
    if model is None:
        model, image_size = configs.make_model(config, configs.make_problem(config)), config.image_size
    side = config.image_size if image_size is None else image_size
    expected = jax.eval_shape(lambda: init_variables(model, jax.random.key(0), image_size=side))
    shapes = _flat(expected)
    for name, shape in shapes.items():
        if name not in tensors:
            raise BadInput(f"{path}: tensor {name} is missing; {config.model} needs it, {shape.shape}")
        found = tensors[name]
        if found.shape != shape.shape or found.dtype != shape.dtype:
            raise BadInput(
                f"{path}: tensor {name} is {found.dtype}{list(found.shape)}; {config.model} needs {shape.dtype}{list(shape.shape)}"
            )
    for name in tensors:
        if name not in shapes:
            raise BadInput(f"{path}: tensor {name} is surplus; {config.model} has none of that name")
    leaves = [jax.numpy.asarray(tensors[name]) for name in shapes]
    return jax.tree.unflatten(jax.tree.structure(expected), leaves), dataclasses.asdict(config)


def read_config(folder: Path) -> TrainConfig:
    """What made the exported weights in a folder.

    Raises:
        BadInput: no such file, or not such a config.
    """
    path = Path(folder) / CONFIG
    try:
        content = json.loads(path.read_text())
        return configs.from_mapping(content["config"])
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError, KeyError) as error:
        raise BadInput(f"{path}: not the config of exported weights: {error!r}") from None
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def _flat(tree: Any) -> dict[str, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {"/".join(str(entry.key) for entry in path): leaf for path, leaf in leaves}
