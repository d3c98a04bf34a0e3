"""What every run begins from: the defaults of `lensjax.train.TrainConfig`, where each field is explained."""

import dataclasses

from ml_collections import ConfigDict

from lensjax.train import TrainConfig


def get_config() -> ConfigDict:
    """All fields at their defaults."""
    return ConfigDict(dataclasses.asdict(TrainConfig()))
