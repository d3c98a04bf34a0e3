"""The settings of all runs of the 2023 thesis, on its images: raw targets, L1 loss, a learning rate of 1e-4 and then 1e-5.

    lensjax train --config thesis.py --config.model=NAME

NAME is one of `lensjax.models.names()`; the twelve networks of the thesis's table have configs of their own, with the results to expect.
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import base


def get_config() -> ConfigDict:
    """The run."""
    config = base.get_config()
    config.method = "roulette"
    config.integer = True
    config.targets = "raw"
    config.loss = "l1"
    config.optimizer = "adam"
    config.dtype = "bfloat16"
    config.batch_size = 10
    config.learning_rate = 1e-4
    config.schedule = "thesis"
    config.steps = 2_000_000
    config.eval_every = 10_000
    config.eval_size = 10_000
    return config
