"""The network for telescope images of lens galaxies: their parameters, from 128×128 px of 0.05″ averaged to 64×64.

    lensjax train --config galaxy.py --export=galaxy-point
    lensjax train --config galaxy_errors.py --config.init=galaxy-point --export=galaxy

The second run learns how sure the first one's answers are. Likelihood alone, from the beginning, first learns what is told best, the lens
galaxy's light, and hardly the lens. One core without a GPU renders and learns about 170 images a second.
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
    config.loss = "l1"
    # Of x, y, theta_E, e1, e2, gamma1, gamma2; of the source's place, R, n, e1, e2; of the same of the lens's light; of the two fluxes.
    config.weights = "0.5,0.5,4,2,2,2,2,1,1,1,0.5,0.5,0.5,0.3,0.3,0.5,0.3,0.5,0.5,0.5,0.3"
    config.batch_size = 128
    config.steps = 2400
    config.eval_every = 400
    return config
