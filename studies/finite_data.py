"""What a network loses when it trains on a finite set of images instead of the endless stream, at equal steps.

    python studies/finite_data.py [--steps 2000] [--sizes 300,1000,10000] [--image-size 32] [--batch 32] [--out results/finite_data]

The problem is sis2023 with encoded targets, each of spread about one; the network is `compact`. For each size of --sizes one run repeats
that many 8-bit images, another one mirrors and turns them by quarters anew in each step, and their parameters with them. All runs have the
same steps, schedule and initial weights. The loss is the mean absolute error of the targets, of the same 1000 test images for all runs, and
of the last 1000 images trained on; "guess" is that of the best constant estimate. The stream's images are not rounded to 8 bit.
Prints a line for each run; writes OUT.csv and OUT.png, and keeps the images in OUT/. A run that is in OUT.csv already is not trained again.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import commandline
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import pandas as pd
from tqdm import tqdm

from lensjax.files import images
from lensjax.files import whole as files
from lensjax.formats.cosmosim import parameters
from lensjax.train import TrainConfig, sharding, train
from lensjax.train import config as configs
from lensjax.train import data as datasets
from lensjax.train.evaluation import Predictions, gathered, predict, recent_steps
from lensjax.train.feed import Feed
from lensjax.train.loop import Run
from lensjax.train.state import keys
from lensjax.train.step import make_predict, make_predict_given

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

TEST = 1000
_CHUNK = 100
_SEED = 20260  # of the images in files; the stream has the run's own


def write_set(folder: Path, config: TrainConfig, *, count: int) -> None:
    """A data set of `count` images and TEST more, unless the folder has it already."""
    table = folder / datasets.TABLE
    if table.exists():
        return
    problem = configs.make_problem(config)
    total = -(-(count + TEST) // _CHUNK) * _CHUNK
    values = np.round(np.asarray(problem.sample(jax.random.key(_SEED), total), np.float64), 6)
    render = jax.jit(problem.render_batch)
    names = [f"{i:06d}.png" for i in range(total)]
    for first in tqdm(range(0, total, _CHUNK), desc="images", disable=None):
        part = slice(first, first + _CHUNK)
        for name, image in zip(names[part], np.asarray(render(jnp.asarray(values[part], jnp.float32))), strict=True):
            images.write_png(folder / datasets.IMAGES / name, image)
    parameters.write(
        table, names, values, problem=problem.name, names=problem.names, nterms=[problem.trace.terms] * total,
        methods=[config.method] * total,
    )  # fmt: skip


def loss_of(run: Run, predictions: Predictions) -> float:
    """Mean absolute error of the encoded targets."""
    said, true = (np.asarray(run.problem.encode(jnp.asarray(params))) for params in (predictions.predicted, predictions.truth))
    return float(np.abs(said - true).mean())


def losses(run: Run, test: TrainConfig) -> tuple[float, float]:
    """Loss of the test images in the data set of config `test`, and of the last images trained on, without augmentation."""
    mesh, config = sharding.make_mesh(), run.config
    given = make_predict_given(test, run.problem, run.model, mesh)

    def feed_of(config: TrainConfig) -> tuple[datasets.DataSet, Feed]:
        data = datasets.read(config, run.problem)
        return data, Feed(data, mesh, batch_size=config.batch_size, seed=config.seed)

    data, feed = feed_of(test)
    tested = gathered((given(run.variables, batch) for batch in feed.images(data.rows.test, batch_size=_CHUNK)), size=TEST)
    recent = recent_steps(config.steps, -(-TEST // config.batch_size))
    if config.data:
        trained = gathered((given(run.variables, batch) for batch in feed_of(config)[1].again(recent)), size=TEST)
    else:
        step_of = make_predict(config, run.problem, run.model, mesh, batch_size=config.batch_size)
        trained = predict(step_of, run.variables, keys(config.seed).stream, steps=recent, size=TEST)
    return loss_of(run, tested), loss_of(run, trained)


def main() -> None:
    """The program."""
    parser = commandline.of_runs(
        __doc__, steps=2000, image_size=32, batch=32, rate=2e-3, out="results/finite_data", writes="PATH.csv, PATH.png, PATH/"
    )
    parser.add_argument("--sizes", default="300,1000,10000", metavar="N,...", help="images of the finite sets (300,1000,10000)")
    options = parser.parse_args()
    sizes = sorted({int(size) for size in options.sizes.split(",") if size.strip().isdigit()})
    if not sizes or sizes[0] < options.batch:
        parser.error("expected sizes such as 1000,10000, none below --batch")
    endless = TrainConfig(
        model="compact", image_size=options.image_size, method="ring", integer=False, batch_size=options.batch, steps=options.steps,
        optimizer="adamw", weight_decay=1e-4, learning_rate=options.rate, schedule="cosine", warmup_steps=options.steps // 20,
        clip_norm=1.0, ema=0.99, eval_every=options.steps, eval_size=64, checkpoint_every=options.steps, log_every=options.steps,
    )  # fmt: skip
    folder = options.out / f"data{options.image_size}-{sizes[-1]}"
    write_set(folder, endless, count=sizes[-1])
    whole = replace(endless, data=str(folder), split=f"{sizes[-1]},{TEST},0")
    runs = {("endless", "none"): endless}
    for size in sizes:
        for augment in ("none", "exact"):
            runs[str(size), augment] = replace(whole, data_images=size, augment=augment)
    problem = configs.make_problem(endless)
    targets = np.asarray(problem.encode(problem.sample(jax.random.key(1), 20_000)))
    guess = float(np.abs(targets - np.median(targets, axis=0)).mean())
    print(f"{options.steps} steps of {options.batch} images, {options.image_size}×{options.image_size}; guess {guess:.3f}")
    print(f"{'images':>8}{'augment':>9}{'epochs':>8}{'test':>8}{'training':>10}")
    path = options.out.with_suffix(".csv")
    known = pd.read_csv(path, dtype={"images": str}).to_dict("records") if path.is_file() else []
    rows: list[dict[str, object]] = []
    for (size, augment), config in runs.items():
        own = {"images": size, "augment": augment, "steps": config.steps, "batch": config.batch_size, "size": config.image_size}
        own |= {"rate": config.learning_rate, "largest": sizes[-1]}
        row = next((row for row in known if all(row.get(name) == value for name, value in own.items())), None)
        if row is None:
            with tempfile.TemporaryDirectory() as workdir:
                test, training = losses(train(config, Path(workdir)), whole)
            epochs = config.steps * config.batch_size / int(size) if config.data else 1.0
            row = own | {"epochs": epochs, "test": test, "training": training, "guess": guess}
        rows.append(row)
        print(f"{size:>8}{augment:>9}{row['epochs']:8.1f}{row['test']:8.3f}{row['training']:10.3f}", flush=True)
        files.write_text(path, pd.DataFrame(rows).to_csv(index=False))
    draw(pd.DataFrame(rows), options)
    print(f"{path}, {options.out.with_suffix('.png')}")


def draw(table: pd.DataFrame, options: argparse.Namespace) -> None:
    """Losses over the number of images, as a PNG file."""
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    endless, finite = table[table["images"] == "endless"].iloc[0], table[table["images"] != "endless"]
    for (augment, runs), colour in zip(finite.groupby("augment", sort=False), ("tab:blue", "tab:orange"), strict=True):
        label = "as they are" if augment == "none" else "mirrored and turned"
        axes.plot(runs["images"].astype(int), runs["test"], "o-", color=colour, label=f"{label}: test images")
        axes.plot(runs["images"].astype(int), runs["training"], "o:", color=colour, label=f"{label}: training images")
    axes.axhline(endless["test"], color="tab:green", label="endless stream: test images")
    axes.axhline(endless["guess"], color="black", lw=1, ls="--", label="best constant estimate")
    title = f"compact, {options.steps} steps of {options.batch}, {options.image_size}×{options.image_size}"
    axes.set(xlabel="images in the set", ylabel="mean absolute error of the targets", title=title, xscale="log", ylim=(0, None))
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    figure.savefig(options.out.with_suffix(".png"), dpi=130)


if __name__ == "__main__":
    main()
