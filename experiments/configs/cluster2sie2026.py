"""The network for the CosmoSim group's set of two SIEs: their parameters, in either order, for fits to start from.

python -m experiments.train --config cluster2sie2026.py
"""

from ml_collections import ConfigDict

from experiments.configs import sie2026


def get_config() -> ConfigDict:
    """The run."""
    config = sie2026.get_config()
    config.problem = "cluster2sie2026"
    config.image_size = 64
    config.up_to_symmetry = True
    config.batch_size = 256
    config.steps = 1200
    config.eval_every = 400
    config.checkpoint_every = 100
    return config
