"""The 2023 thesis's best network on its images: VGG-19 with batch normalisation, raw targets, L1 loss.

    lensjax train --config vgg19bn.py

Adam, 100 "epochs" of 10 000 steps at 1e-4 and 100 more at 1e-5, batch 10, 400×400 pixels; every step has new
images, where the thesis repeated the same 100 000.

Expected, from the thesis and not measured here: raw mean absolute error 0.82 over the six parameters ("MAE
(Test Set)") after up to 50 hours on one A100. Its data must have had fewer round sources than the prior that
it prints, so compare parameter by parameter: x 1.89 (likely a slip for 1.19), y 1.20, einsteinR 0.49, sigma
0.14, sigma2 0.14, theta 1.79. Memory: weights, gradient and Adam's two moments alone are 2.2 GB; the network
did not fit the thesis's GPU of 8 GB. Time: a step of two images takes 9 s and 3.32 GiB on two
CPU cores (docs/networks.md); not measured on a GPU.
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import thesis


def get_config() -> ConfigDict:
    """The run."""
    config = thesis.get_config()
    config.model = "vgg19_bn"
    return config
