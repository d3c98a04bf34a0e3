"""DenseNet-201 as the 2023 thesis trained it on its images: raw targets, L1 loss.

    lensjax train --config densenet201.py

Learning rate as in the thesis: Adam at 1e-4 for 100 "epochs" of 10 000 steps, then 1e-5 for 100 more. Batch
10, 400×400 pixels; every step has new images. The thesis's initial weights were ImageNet's where they
existed, with a random first convolution. This run has random initial weights. For the thesis's initial
weights, run `lensjax convert FILE --model densenet201 --targets raw --first fresh --out DIR`, then add
`--config.init=DIR`.

Expected, from the thesis and not measured here: raw mean absolute error 2.02 over the six parameters ("MAE
(Test Set)"). Memory: 18.1 million parameters; weights, gradient and Adam's two moments alone are 0.29 GB.
Time: a step of two images takes 3.1 s and 2.01 GiB on two CPU cores (docs/networks.md); not measured on a
GPU.
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import thesis


def get_config() -> ConfigDict:
    """The run."""
    config = thesis.get_config()
    config.model = "densenet201"
    return config
