"""The packaged network: shapelets of 8-bit images in the frame of their own light, with and without the window of the convergence ring.

    lensjax train --config sis2023.py

A laptop without a GPU renders and learns about 500 images a second on one core.
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import base


def get_config() -> ConfigDict:
    """The run."""
    config = base.get_config()
    config.model = "shapelets"
    config.problem = "sis2023"
    config.image_size = 100
    config.native = True
    config.frame = "canonical"
    config.method = "mixed"
    config.integer = False
    config.targets = "encoded"
    config.batch_size = 256
    config.optimizer = "adam"
    config.learning_rate = 1e-3
    config.warmup_steps = 500
    config.schedule = "cosine"
    config.clip_norm = 1.0
    config.ema = 0.999
    config.steps = 15_000
    config.eval_every = 1000
    config.eval_size = 2048
    config.checkpoint_every = 250
    config.log_every = 50
    return config
