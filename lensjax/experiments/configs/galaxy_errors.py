"""How sure the network of galaxy.py is: the run goes on from its weights with a Gaussian head, trained by likelihood.

lensjax train --config galaxy_errors.py --config.init=galaxy-point --export=galaxy
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import galaxy


def get_config() -> ConfigDict:
    """The run."""
    config = galaxy.get_config()
    config.head = "gaussian"
    config.weights = ""
    config.learning_rate = 4e-4
    config.steps = 600
    config.eval_every = 200
    return config
