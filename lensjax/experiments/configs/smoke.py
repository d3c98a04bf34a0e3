"""A run of a few seconds on a CPU: everything works, and the loss falls. Its score means nothing.

lensjax train --config smoke.py
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import base


def get_config() -> ConfigDict:
    """The run."""
    config = base.get_config()
    config.model = "compact"
    config.image_size = 32
    config.method = "ring"
    config.batch_size = 16
    config.optimizer = "adamw"
    config.learning_rate = 2e-3
    config.weight_decay = 1e-4
    config.schedule = "cosine"
    config.warmup_steps = 5
    config.clip_norm = 1.0
    config.ema = 0.9
    config.steps = 60
    config.eval_every = 20
    config.eval_size = 16
    config.checkpoint_every = 10
    config.log_every = 10
    return config
