"""MnasNet at six times its width, as the 2023 thesis trained it on its images: raw targets, L1 loss.

    lensjax train --config mnasnet6_0.py

Learning rate as in the thesis: Adam at 1e-4 for 100 "epochs" of 10 000 steps, then 1e-5 for 100 more. Batch 10,
400×400 pixels; every step has new images. There are no ImageNet weights of this width. In the thesis this
network always predicted the mean (the median alone gives 36.3): its code continues to train in evaluation mode,
where the network predicts the mean here too. In training mode it learns like the others (docs/networks.md). Its
BatchNorm averages over 3300 steps, so that evaluations lag some thousand steps behind.

Expected, from the thesis and not measured here: raw mean absolute error 32.48 over the six parameters ("MAE
(Test Set)"). Memory: 93.4 million parameters; weights, gradient and Adam's two moments alone are 1.49 GB.
Time: a step of two images takes 10 s and 3.61 GiB on two CPU cores (docs/networks.md); not measured on a GPU.
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import thesis


def get_config() -> ConfigDict:
    """The run."""
    config = thesis.get_config()
    config.model = "mnasnet6_0"
    return config
