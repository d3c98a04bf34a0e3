"""The defaults of all runs, those of `lensjax.train.TrainConfig`, which explains each field."""

import dataclasses

from ml_collections import ConfigDict

from lensjax.train import TrainConfig


def get_config() -> ConfigDict:
    """All fields at their defaults."""
    return ConfigDict(dataclasses.asdict(TrainConfig()))
