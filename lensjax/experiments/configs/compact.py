"""A small convolutional network on 100×100 pixels, for images with and without the window of the convergence ring.

lensjax train --config compact.py
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import base


def get_config() -> ConfigDict:
    """The run."""
    config = base.get_config()
    config.model = "compact"
    config.image_size = 100
    config.method = "mixed"
    config.integer = False
    config.targets = "encoded"
    config.batch_size = 64
    config.optimizer = "adamw"
    config.learning_rate = 1.5e-3
    config.weight_decay = 1e-4
    config.schedule = "cosine"
    config.warmup_steps = 300
    config.clip_norm = 1.0
    config.ema = 0.999
    config.steps = 9000
    config.eval_every = 500
    config.eval_size = 1024
    config.checkpoint_every = 500
    config.log_every = 50
    return config
