"""Swin V2-B as the 2023 thesis trained it on its images: raw targets, L1 loss.

    lensjax train --config swin_v2_b.py

Learning rate as in the thesis: Adam at 1e-4 for 100 "epochs" of 10 000 steps, then 1e-5 for 100 more. Batch
10, 400×400 pixels; every step has new images. The thesis's initial weights were ImageNet's where they
existed, with a random first convolution. This run has random initial weights, except that the normalisations
at the ends of its branches start at zero, as the network's authors set them (at one, as in torchvision, it
learnt nothing in a short run: docs/networks.md). For the thesis's initial weights, run `lensjax convert FILE
--model swin_v2_b --targets raw --first fresh --out DIR`, then add `--config.init=DIR`.

Expected, from the thesis and not measured here: raw mean absolute error 2.93 over the six parameters ("MAE
(Test Set)"). Any side of the image will do: at 400 the first maps of 100×100 are padded to 13×13 windows of
8. Memory: 86.9 million parameters; weights, gradient and Adam's two moments alone are 1.39 GB. Time: a step
of two images takes 8.9 s and 4.39 GiB on two CPU cores (docs/networks.md); not measured on a GPU.
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import thesis


def get_config() -> ConfigDict:
    """The run."""
    config = thesis.get_config()
    config.model = "swin_v2_b"
    config.zeroed = ".*norm[12].scale"
    return config
