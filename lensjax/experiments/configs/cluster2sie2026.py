"""The network for the CosmoSim group's set of two SIEs: CosmoSim's labels and the source, from shapelets in the frame of the light.

    lensjax train --config cluster2sie2026.py

It takes an hour and a quarter of one core without a GPU.
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import cluster4sis2026


def get_config() -> ConfigDict:
    """The run."""
    config = cluster4sis2026.get_config()
    config.problem = "cluster2sie2026"
    config.model = "shapelets"
    config.frame = "canonical"
    config.steps = 2700
    config.eval_every = 300
    return config
