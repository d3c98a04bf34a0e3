"""SqueezeNet 1.1 as the 2023 thesis trained it on its images: raw targets, L1 loss.

    lensjax train --config squeezenet1_1.py

Learning rate as in the thesis: Adam at 1e-4 for 100 "epochs" of 10 000 steps, then 1e-5 for 100 more. Batch
10, 400×400 pixels; every step has new images. The thesis's initial weights were ImageNet's where they
existed, with a random first convolution. This run has random initial weights. For the thesis's initial
weights, run `lensjax convert FILE --model squeezenet1_1 --targets raw --first fresh --out DIR`, then add
`--config.init=DIR`.

Expected, from the thesis and not measured here: raw mean absolute error 3.16 over the six parameters ("MAE
(Test Set)"). The thesis's network ended in a ReLU, which is never negative, and predicted 0 for x and y; the
network here has no such ReLU. Memory: 0.72 million parameters; weights, gradient and Adam's two moments alone
are 12 MB. Time: a step of two images takes 0.27 s and 0.24 GiB on two CPU cores (docs/networks.md); not
measured on a GPU.
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import thesis


def get_config() -> ConfigDict:
    """The run."""
    config = thesis.get_config()
    config.model = "squeezenet1_1"
    return config
