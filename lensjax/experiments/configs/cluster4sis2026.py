"""The network for the CosmoSim group's set of four SIS: CosmoSim's labels and the source, from its images at 64×64 pixels.

    lensjax train --config cluster4sis2026.py

The network sees pixels: which of several small images is the reference point is in their places and shapes, which shapelets of the whole
do not resolve. One core without a GPU renders and learns about 170 images a second.
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import sie2026


def get_config() -> ConfigDict:
    """The run."""
    config = sie2026.get_config()
    config.problem = "cluster4sis2026"
    config.model = "compact"
    config.frame = "image"
    config.image_size = 64
    config.targets = "amplitudes"
    config.cluster_labels = "cosmosim"
    config.with_source = True
    config.loss = "l2"
    config.batch_size = 256
    config.steps = 3000
    config.eval_every = 500
    config.checkpoint_every = 100
    return config
