"""TOML files: the program that a file belongs to, and the checks for it."""

from collections.abc import Iterator
from pathlib import Path

from lensjax._internal import words
from lensjax.doctor.dataset_toml import check_dataset
from lensjax.doctor.droulette import check_problem, check_training
from lensjax.doctor.findings import Finding
from lensjax.doctor.keys import unknown_keys
from lensjax.errors import BadInput
from lensjax.files.read import read_toml
from lensjax.formats.cosmosim import toml as cosmosim

_OF_TRAINING = {"settings", "hyperparameters", "training", "output"}
_OF_LENSJAX = ("problem", "n", "seed", "method")


def check_toml(path: Path) -> Iterator[Finding]:
    """The checks of a TOML file's kind.

    Raises:
        BadInput: it cannot be read, or is of no known kind.
    """
    loaded = read_toml(path)
    tables = {name for name, value in loaded.items() if isinstance(value, dict)}
    if "problem" in tables:
        yield from check_problem(path, loaded)
    elif tables & _OF_TRAINING:
        yield from check_training(path, loaded)
    elif tables and not (tables.isdisjoint(cosmosim.TABLES) and "problem" in loaded):
        yield from check_dataset(path, loaded)
    elif set(loaded) & set(_OF_LENSJAX):
        yield from unknown_keys(str(path), "", loaded, _OF_LENSJAX, "LensJAX")
    else:
        expected = "CosmoSim's dataset.toml, or droulette's problem.toml, ml.toml or experimentbatch.toml"
        raise BadInput(f"the file is of no known kind: it has {words.listed(loaded)}", path=path, expected=expected)
