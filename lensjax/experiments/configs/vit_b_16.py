"""ViT-B/16 as the 2023 thesis trained it on its images: raw targets, L1 loss.

    lensjax train --config vit_b_16.py

Learning rate as in the thesis: Adam at 1e-4 for 100 "epochs" of 10 000 steps, then 1e-5 for 100 more. Batch
10, 400×400 pixels; every step has new images. The thesis's initial weights were ImageNet's where they
existed, with a random first convolution. This run has random initial weights. For the thesis's initial
weights, run `lensjax convert FILE --model vit_b_16 --targets raw --first fresh --out DIR`, then add
`--config.init=DIR`.

Expected, from the thesis and not measured here: raw mean absolute error 9.8 over the six parameters ("MAE
(Test Set)"). The side of the image must be a multiple of 16: 400 makes 25×25 patches. `lensjax convert`
interpolates the position embedding of another size. Memory: 85.7 million parameters; weights, gradient and
Adam's two moments alone are 1.37 GB. Time: a step of two images takes 9.3 s and 3.44 GiB on two CPU cores
(docs/networks.md); not measured on a GPU.
"""

from ml_collections import ConfigDict

from lensjax.experiments.configs import thesis


def get_config() -> ConfigDict:
    """The run."""
    config = thesis.get_config()
    config.model = "vit_b_16"
    return config
