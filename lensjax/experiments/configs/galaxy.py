"""The network for telescope images of lens galaxies, which says how sure it is: 128×128 px of 0.05″, averaged to 64×64.

    lensjax train --config galaxy.py

One core without a GPU renders and learns about 170 images a second.
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import cluster4sis2026


def get_config() -> ConfigDict:
    """The run."""
    config = cluster4sis2026.get_config()
    config.problem = "galaxy"
    config.targets = "encoded"
    config.cluster_labels = "lens"
    config.with_source = False
    config.head = "gaussian"
    config.steps = 2000
    config.eval_every = 400
    return config
