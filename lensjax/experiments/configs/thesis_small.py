"""The thesis's settings on the network that reads shapelets, which learns within seconds: for sweeps of its choices on two cores.

lensjax train --config thesis_small.py
lensjax sweep --config thesis.py
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import thesis


def get_config() -> ConfigDict:
    """The run."""
    config = thesis.get_config()
    config.model = "shapelets"
    config.frame = "canonical"
    config.image_size = 50
    config.method = "ring"
    config.native = True
    config.dtype = "float32"
    config.batch_size = 32
    config.learning_rate = 3e-3
    config.ema = 0.98
    config.steps = 300
    config.eval_every = 150
    config.eval_size = 512
    config.checkpoint_every = 300
    config.log_every = 50
    return config
