"""The network for the CosmoSim group's SIE set of July 2026: shapelets of its 256×256 images in the frame of their own light.

    lensjax train --config sie2026.py

One core without a GPU renders and learns about 130 images a second.
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import sis2023


def get_config() -> ConfigDict:
    """The run."""
    config = sis2023.get_config()
    config.problem = "sie2026"
    config.image_size = 128
    config.batch_size = 128
    config.warmup_steps = 100
    config.ema = 0.99
    config.steps = 2800
    config.eval_every = 400
    config.eval_size = 1024
    return config
