"""The network for the CosmoSim group's set of four SIS: CosmoSim's labels and the source from shapelets in the frame of the light.

    lensjax train --config cluster4sis2026.py

One core without a GPU renders and learns about 280 images a second.
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import sie2026


def get_config() -> ConfigDict:
    """The run."""
    config = sie2026.get_config()
    config.problem = "cluster4sis2026"
    config.image_size = 64
    config.targets = "amplitudes"
    config.cluster_labels = "cosmosim"
    config.with_source = True
    config.loss = "l2"
    config.batch_size = 256
    config.steps = 2000
    config.eval_every = 500
    config.checkpoint_every = 100
    return config
