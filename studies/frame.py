"""What the frame of an image's own light buys a network: the same network in both frames, at equal steps.

    python studies/frame.py [NAME ...] [--steps 400] [--image-size 50] [--batch 32] [--out results/frame]

The problem is sis2023 with encoded targets, on 8-bit images averaged to --image-size. "image" shows the network the image as it is;
"canonical" shows its picture in the frame of its own light (lensjax/observation/frame.py), and learns the answer there. The error is the
mean absolute one over the six parameters up to symmetry, of 1024 fresh images; the wrong way round are those whose source is predicted
on the opposite side of the lens. `shapelets` has the canonical frame alone. Prints a line for each run; writes OUT.csv and OUT.png, and
keeps the runs in OUT/: a run that is there already is not trained again.
"""

import argparse
from pathlib import Path

import commandline
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import pandas as pd

from lensjax import metrics, models
from lensjax.files import whole as files
from lensjax.train import TrainConfig, evaluation, sharding, train
from lensjax.train.loop import Run
from lensjax.train.step import make_predict

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

NAMES = ("shapelets", "compact", "squeezenet1_1", "alexnet", "resnet18")
TEST = 1024
_BATCH = 64


def config_of(name: str, frame: str, options: argparse.Namespace) -> TrainConfig:
    """The run of a network in a frame."""
    return TrainConfig(
        model=name, image_size=options.image_size, native=True, frame=frame, method="ring", integer=False, batch_size=options.batch,
        steps=options.steps, optimizer="adamw", weight_decay=1e-4, learning_rate=options.rate, schedule="cosine",
        warmup_steps=options.steps // 20, clip_norm=1.0, ema=0.98, eval_every=options.steps, eval_size=_BATCH,
        checkpoint_every=options.steps, log_every=max(options.steps // 10, 1),
    )  # fmt: skip


def errors_of(run: Run) -> tuple[np.ndarray, float]:
    """Mean errors (6,) up to symmetry of fresh images, and the share of them that are the wrong way round."""
    step_of = make_predict(run.config, run.problem, run.model, sharding.make_mesh(), batch_size=_BATCH)
    key = jax.random.fold_in(jax.random.key(0), jnp.uint32(1000))
    found = evaluation.predict(step_of, run.variables, key, steps=range(TEST // _BATCH), size=TEST)
    error = metrics.symmetric_error(found.predicted, found.truth, problem=run.problem)
    opposite = (found.predicted[:, :2] * found.truth[:, :2]).sum(axis=1) < 0
    return np.nanmean(np.abs(error), axis=0), float(opposite.mean())


def main() -> None:
    """The program."""
    parser = commandline.of_runs(
        __doc__, steps=400, image_size=50, batch=32, rate=1e-3, out="results/frame", writes="PATH.csv, PATH.png, PATH/"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"networks ({', '.join(NAMES)})")
    options = parser.parse_args()
    if 400 % options.image_size:
        parser.error(f"--image-size: the value is {options.image_size}; expected a divisor of 400")
    rows = []
    columns = ("x", "y", "einsteinR", "sigma", "sigma2", "theta", "mean", "wrong way")
    print(f"{'network':16}{'frame':>11}" + "".join(f"{name:>11}" for name in columns))
    for name in options.names or NAMES:
        for frame in ("canonical",) if models.reads(name) == "shapelets" else ("image", "canonical"):
            folder = options.out / f"{name}-{frame}-{options.steps}x{options.batch}-{options.image_size}"
            error, opposite = errors_of(train(config_of(name, frame, options), folder))
            rows.append({"network": name, "frame": frame, "steps": options.steps, "batch": options.batch, "size": options.image_size}
                        | dict(zip(columns, (*error, error.mean(), opposite), strict=True)))  # fmt: skip
            print(f"{name:16}{frame:>11}" + "".join(f"{value:11.3f}" for value in (*error, error.mean(), opposite)), flush=True)
            files.write_text(options.out.with_suffix(".csv"), pd.DataFrame(rows).to_csv(index=False))
            jax.clear_caches()
    draw(pd.DataFrame(rows), options.out.with_suffix(".png"))
    print(f"{options.out.with_suffix('.csv')}, {options.out.with_suffix('.png')}")


def draw(table: pd.DataFrame, path: Path) -> None:
    """Errors of each network in both frames, as a PNG file."""
    wide = table.pivot(index="network", columns="frame", values="mean").loc[list(dict.fromkeys(table["network"]))]
    figure, axes = plt.subplots(figsize=(7, 0.7 * len(wide) + 1.6), layout="constrained")
    places = np.arange(len(wide))
    for k, (frame, colour) in enumerate((("image", "tab:orange"), ("canonical", "tab:blue"))):
        if frame in wide:
            axes.barh(places + 0.2 - 0.4 * k, wide[frame], height=0.38, color=colour, label=f"{frame} frame")
    axes.set_yticks(places, wide.index)
    axes.invert_yaxis()
    axes.set(
        xlabel="mean error up to symmetry, over the six parameters",
        title=f"{table['steps'].iloc[0]} steps of {table['batch'].iloc[0]} images",
    )
    axes.grid(alpha=0.3, axis="x")
    axes.legend(loc="upper right")
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
