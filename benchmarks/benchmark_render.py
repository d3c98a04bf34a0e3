"""Rendering rates in images a second, beside those of a kernel written by hand and of other simulators, in one run.

    python benchmarks/benchmark_render.py [--json] [--repeats 15] [--batch 16] [--only sie] [--no-peers]
    python benchmarks/benchmark_render.py --against DIR [--repeats 5]
    python benchmarks/benchmark_render.py --scaling [--out docs/scaling.png]

Every row is the median of `repeats` calls after two to warm up, each complete (block_until_ready); float32. The rows take turns, so
that other load on the machine affects all of them; "best" is the quickest call. The source is an elliptical Gaussian.

image                the whole grid about the lens; roulettes are dark outside their region of convergence
gradient             value and gradient of a mean squared residual by all parameters, `jax.lax.map` over the batch (by `vmap` where named)
sis2023, pm2022      as in the data sets: the centre of light of a 1000×1000 canvas is moved to the middle

Other simulators (benchmarks/peers.py) are measured too where they are installed. GB/s: the rate of writing the images;
GFLOP/s: XLA's own count of operations, without those of exp, log and roots. Both are also fractions of the rates of a copy and of a
matrix product in the same run. --against: this checkout's rows beside those of another one, such as the commit before
(`git worktree add DIR HEAD~1`), each in a process of its own; rounds of the two alternate. --scaling: how the cost grows with terms,
image size, members of a cluster and batch. Rates differ from run to run: state the range of three runs.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import peers
from jax import Array
from tqdm import tqdm

from lensjax import problems, simulate
from lensjax.conventions import GREY_LEVELS
from lensjax.lens import SIE, SIS, Lens, PointMass, cluster
from lensjax.light.gaussian import elliptical
from lensjax.observation.grid import pixel_points
from lensjax.observation.instrument import instrument
from lensjax.simulate import System, Trace, chunks

matplotlib.use("Agg")

SIZE = 400
COSMOSIM_REPEATS = 3
"""CosmoSim takes seconds for an image of 50 terms."""


@dataclass(frozen=True)
class Row:
    """One timed function.

    Attributes:
        name: name in the table.
        images: images of one call.
        call: a function of no arguments.
        work: the compiled program, whose operations XLA counts; None for other simulators.
        repeats: calls at most.
    """

    name: str
    images: int
    call: Callable[[], Any]
    work: Any = None
    repeats: int = 10**9


def by_hand(params: Array, x: Array, y: Array) -> Array:
    """An SIS and an elliptical Gaussian with the least operations: (x, y, θ_E, ·, ·, σ, σ₂/σ, θ) on full grids x, y (n, n)."""
    sx, sy, theta_e, _, _, sigma, narrow, theta = params
    scale = theta_e / jnp.sqrt(x * x + y * y + 1e-12)
    bx, by = x - scale * x - sx, y - scale * y - sy
    u = (jnp.cos(theta) * bx + jnp.sin(theta) * by) / sigma
    v = (jnp.cos(theta) * by - jnp.sin(theta) * bx) / (sigma * narrow)
    return 255.0 * jnp.exp(-0.5 * (u * u + v * v))


def draw(n: int) -> np.ndarray:
    """(n, 8) systems: x, y, θ_E, f, orientation, σ, axis ratio of the source, its direction; pixels and radians, float32."""
    low = (15, 15, 20, 0.4, 0.0, 8, 0.4, 0.0)
    high = (40, 40, 50, 0.95, math.pi, 25, 0.95, math.pi)
    return np.random.default_rng(0).uniform(low, high, (n, 8)).astype(np.float32)


def lens_of(kind: str, row: Array) -> Lens:
    """One of the timed lenses; "cluster N" has N members, SIE and SIS in turn, on a ring."""
    if kind == "SIE":
        return SIE(row[2], row[3], row[4])
    if kind in ("SIS", "PM"):
        return (SIS if kind == "SIS" else PointMass)(row[2])
    members = int(kind.split()[1])
    around = 2 * np.pi * np.arange(members) / members
    each = row[2] / members
    lenses = [SIE(each, row[3], row[4]) if k % 2 == 0 else SIS(each) for k in range(members)]
    return cluster([(lens, 25.0 * math.cos(a), 25.0 * math.sin(a)) for lens, a in zip(lenses, around, strict=True)])


def image_of(kind: str, trace: Trace, *, size: int = SIZE) -> Callable[[Array], Array]:
    """The image of a row of parameters, about the lens."""
    taken = instrument((size, size))

    def image(row: Array) -> Array:
        source = elliptical(row[5], row[5] * row[6], row[7])
        return GREY_LEVELS * simulate.image(System(lens_of(kind, row), source, row[0], row[1]), taken, trace=trace)

    return image


def value_and_gradient(image: Callable[[Array], Array]) -> Callable[[Array, Array], tuple[Array, Array]]:
    """Value and gradient of a mean squared residual."""
    return jax.value_and_grad(lambda row, target: jnp.square(image(row) - target).mean())


def image_rows(name: str, image: Callable[[Array], Array], params: Array, batches: tuple[int, ...]) -> list[Row]:
    """Rows for one image and for batches."""
    batched = jax.jit(lambda rows: simulate.in_chunks(image, rows))
    rows = [compiled(name, 1, jax.jit(image), params[0])]
    return rows + [compiled(name, n, batched, params[:n]) for n in batches]


def compiled(name: str, images: int, function: Any, *inputs: Any) -> Row:
    """A row of a jitted function."""
    program = function.lower(*inputs).compile()
    return Row(name, images, lambda: jax.block_until_ready(program(*inputs)), program)


def gradients(name: str, image: Callable[[Array], Array], params: Array, target: Array, batch: int, *, vmap: bool = False) -> list[Row]:
    """Rows for gradients, one by one and mapped over a batch."""
    step = value_and_gradient(image)
    mapped = jax.jit(lambda rows, target: jax.lax.map(lambda row: step(row, target), rows))
    rows = [compiled(f"{name} gradient", 1, jax.jit(step), params[0], target)]
    rows.append(compiled(f"{name} gradient", batch, mapped, params[:batch], target))
    if vmap:
        rows.append(compiled(f"{name} gradient, vmap", batch, jax.jit(jax.vmap(step, (0, None))), params[:batch], target))
    return rows


KINDS = (
    ("sis raytrace", "SIS", Trace.named("raytrace")),
    ("sis ring", "SIS", Trace.named("ring")),
    ("sis roulette 5", "SIS", Trace.named("roulette", terms=5)),
    ("sis roulette 50", "SIS", Trace.named("roulette", terms=50)),
    ("pm raytrace", "PM", Trace.named("raytrace")),
    ("pm roulette 50", "PM", Trace.named("roulette", terms=50)),
    ("sie raytrace", "SIE", Trace.named("raytrace")),
    ("sie roulette 5", "SIE", Trace.named("roulette", terms=5)),
    ("sie roulette 50", "SIE", Trace.named("roulette", terms=50)),
    ("cluster of 3 raytrace", "cluster 3", Trace.named("raytrace")),
)


def own_rows(batch: int, only: str) -> list[Row]:
    """Rows of LensJAX, after the kernel written by hand."""
    params, batches = jnp.asarray(draw(64)), (batch, 64)
    full = [jnp.broadcast_to(axis, (SIZE, SIZE)) for axis in pixel_points(SIZE, SIZE)]
    rows: list[Row] = []

    def selected(name: str) -> bool:
        return only in name

    if selected("sis by hand"):
        rows += [compiled("sis by hand image", n, jax.jit(jax.vmap(by_hand, (0, None, None))), params[:n], *full) for n in (1, *batches)]
        # XLA computes the square root of a common grid once a batch. With a centre for each image it cannot.
        moved = jax.jit(jax.vmap(lambda row, x, y: by_hand(row, x + row[0], y + row[1]), (0, None, None)))
        rows += [compiled("sis by hand, own grid image", n, moved, params[:n], *full) for n in (1, *batches)]
    for name, kind, trace in KINDS:
        if selected(name):
            rows += image_rows(f"{name} image", image_of(kind, trace), params, batches)
    for name, method in (("sis2023", "raytrace"), ("sis2023", "roulette"), ("pm2022", "roulette")):
        problem = problems.get(name, method=method)
        terms = f" {problem.trace.terms}" * (method == "roulette")
        if selected(f"{name} {method}"):
            rows += image_rows(f"{name} {method}{terms} image", problem.render, problem.sample(jax.random.key(0), 64), batches)
    if selected("sis by hand"):
        rows += gradients("sis by hand", lambda row: by_hand(row, *full), params, by_hand(params[1], *full), batch, vmap=True)
    for name, kind, trace in KINDS:
        if selected(name) and "ring" not in name:
            image = image_of(kind, trace)
            rows += gradients(name, image, params, jax.jit(image)(params[1]), batch, vmap=name.endswith("raytrace"))
    return rows


def peer_rows(batch: int, only: str) -> list[Row]:
    """Rows of other simulators."""
    params = jnp.asarray(draw(64))
    rows: list[Row] = []
    for name in ("jaxtronomy", "caustics"):
        for lens in ("SIS", "SIE"):
            title = f"{name} {lens.lower()} raytrace"
            if not peers.installed(name) or only not in title:
                continue
            image = getattr(peers, name)(lens, SIZE)
            rows.append(compiled(f"{title} image", 1, jax.jit(image), params[0]))
            rows += [compiled(f"{title} image", n, jax.jit(jax.vmap(image)), params[:n]) for n in (batch, 64)]
            rows += gradients(title, image, params, jax.jit(image)(params[1]), batch)
    if peers.installed("lenstronomy"):
        for lens in ("SIS", "SIE"):
            if only in (title := f"lenstronomy {lens.lower()} raytrace"):
                image = peers.lenstronomy(lens, SIZE)
                rows.append(Row(f"{title} image", 1, lambda image=image: image(draw(1)[0])))
    if peers.installed("CosmoSim"):
        for name, kind, trace in KINDS:
            model = trace.name.capitalize()
            beyond = kind == "SIE" and model == "Roulette" and trace.terms > 5
            if kind != "cluster 3" and model != "Ring" and not beyond and only in (title := f"cosmosim {name}"):
                image = peers.cosmosim(kind, model, trace.terms, SIZE)
                slow = COSMOSIM_REPEATS if trace.terms == 50 and model == "Roulette" else 10**9
                rows.append(Row(f"{title} image", 1, lambda image=image: image(draw(1)[0]), repeats=slow))
    return rows


def times_s(rows: list[Row], repeats: int) -> list[np.ndarray]:
    """Times of each row's calls [s]; the rows take turns."""
    for row in rows:
        for _ in range(2 if row.repeats > COSMOSIM_REPEATS else 1):
            row.call()
    times: list[list[float]] = [[] for _ in rows]
    for repeat in tqdm(range(repeats), unit="round", disable=None, leave=False):
        for row_times, row in zip(times, rows, strict=True):
            if repeat < row.repeats:
                if row.repeats > COSMOSIM_REPEATS:
                    row.call()  # what ran before has filled caches and freed memory
                began = time.perf_counter()
                row.call()
                row_times.append(time.perf_counter() - began)
    return [np.array(row_times) for row_times in times]


def machine() -> tuple[float, float]:
    """(GB/s of a copy, read and written; GFLOP/s of a float32 matrix product), best of several."""
    many, n = jnp.ones(2**25, jnp.float32), 2048
    square = jnp.ones((n, n), jnp.float32)
    copy = jax.jit(lambda a: a + 1.0)
    product = jax.jit(lambda a: a @ a)
    best = [min(times) for times in times_s([compiled("copy", 1, copy, many), compiled("product", 1, product, square)], 10)]
    return 2 * many.nbytes / best[0] / 1e9, 2 * n**3 / best[1] / 1e9


def operations(row: Row) -> float:
    """XLA's count of arithmetic operations an image; NaN without one. It counts a loop's body once, so do not use it for batches in
    loops."""
    counted = row.work.cost_analysis() if row.work is not None else None
    return counted.get("flops", math.nan) / row.images if counted else math.nan


def report(rows: list[Row], taken: list[np.ndarray], *, as_json: bool) -> None:
    """A table, or one JSON object a line."""
    device = jax.devices()[0].device_kind
    bandwidth, arithmetic = machine()
    if not as_json:
        print(f"{SIZE}×{SIZE} float32 on {device}, jax {jax.__version__}; {peers.tally() or 'no other simulator installed'}")
        print(f"copy {bandwidth:.1f} GB/s, matrix product {arithmetic:.0f} GFLOP/s\n")
        print(f"{'':44}{'batch':>6}{'ms/image':>10}{'images/s':>10}{'best':>8}{'GB/s':>7}{'of max':>7}{'GFLOP/s':>9}{'of max':>7}")
    for row, times in zip(rows, taken, strict=True):
        each, best = np.median(times) / row.images, times.min() / row.images
        written = 4 * SIZE * SIZE / each / 1e9 if "gradient" not in row.name and row.work is not None else math.nan
        flops = operations(row) / each / 1e9 if row.images <= chunks.IMAGES and "gradient" not in row.name else math.nan
        if as_json:
            numbers = {
                "name": row.name, "batch": row.images, "ms": 1e3 * each, "images_per_s": 1 / each, "best_images_per_s": 1 / best,
                "gb_per_s": written, "bandwidth_share": written / bandwidth, "gflop_per_s": flops, "arithmetic_share": flops / arithmetic,
                "device": device,
            }  # fmt: skip
            print(json.dumps({k: None if isinstance(v, float) and math.isnan(v) else v for k, v in numbers.items()}), flush=True)
            continue
        line = f"{row.name:44}{row.images:6d}{1e3 * each:10.3f}{1 / each:10.4g}{1 / best:8.4g}"
        fractions = ((written, bandwidth, 7), (flops, arithmetic, 9))
        line += "".join("" if math.isnan(v) else f"{v:{w}.1f}{v / of:7.0%}" for v, of, w in fractions)
        print(line, flush=True)


def compared(rows: list[Row], taken: list[np.ndarray]) -> None:
    """Prints LensJAX's rates over those of the other simulators: the range over three parts of the run."""

    def rates(part: int) -> dict[str, float]:
        rate: dict[str, float] = {}
        for row, times in zip(rows, taken, strict=True):
            chosen = np.array_split(times, 3)[part] if len(times) >= 3 else times
            rate[row.name] = max(rate.get(row.name, 0.0), row.images / float(np.median(chosen)))
        return rate

    parts = [rates(part) for part in range(3)]
    lines = []
    for name in parts[0]:
        for peer in ("cosmosim", "lenstronomy", "jaxtronomy", "caustics"):
            other = f"{peer} {name}"
            if other in parts[0]:
                ratios = [rate[name] / rate[other] for rate in parts]
                own, their = (float(np.median([rate[key] for rate in parts])) for key in (name, other))
                lines.append(f"  {name:34}{own:10.4g}   {min(ratios):.3g} … {max(ratios):.3g} × {peer} ({their:.4g})")
    if lines:
        print("\nbest of the batch sizes, images/s; ranges over three parts of the run\n" + "\n".join(lines))


def scaling(repeats: int, out: Path) -> None:
    """The cost of an image by terms, size, members and batch; a table and a figure."""
    import matplotlib.pyplot as plt

    params = jnp.asarray(draw(256))
    series: dict[str, dict[str, list[tuple[int, Row]]]] = {"terms": {}, "pixels on a side": {}, "members": {}, "batch": {}}

    def add(axis: str, label: str, at: int, kind: str, trace: Trace, batch: int = 16, size: int = SIZE) -> None:
        image = image_of(kind, trace, size=size)
        row = compiled(f"{label} {axis} {at}", batch, jax.jit(lambda rows: simulate.in_chunks(image, rows)), params[:batch])
        series[axis].setdefault(label, []).append((at, row))

    with tqdm(desc="compiling", unit="program", disable=None, leave=False) as bar:
        for kind in ("SIS", "SIE", "PM"):
            for terms in (1, 2, 5, 10, 20, 50, 100):
                add("terms", f"{kind.lower()} roulette", terms, kind, Trace.named("roulette", terms=terms))
                bar.update()
        for size in (100, 200, 400, 800, 1600):
            for kind, method in (("SIS", "raytrace"), ("SIE", "raytrace"), ("SIS", "roulette")):
                add("pixels on a side", f"{kind.lower()} {method}", size, kind, Trace.named(method), batch=4, size=size)
                bar.update()
        for members in (1, 2, 4, 8, 16, 32, 64):
            add("members", "cluster raytrace", members, f"cluster {members}", Trace.named("raytrace"), batch=4)
            add("members", "cluster roulette 5", members, f"cluster {members}", Trace.named("roulette", terms=5), batch=4)
            bar.update(2)
        for batch in (1, 2, 4, 8, 16, 32, 64, 128, 256):
            for kind, method in (("SIS", "raytrace"), ("SIE", "raytrace"), ("SIS", "roulette")):
                add("batch", f"{kind.lower()} {method}", batch, kind, Trace.named(method), batch=batch)
                bar.update()
    flat = [(axis, label, at, row) for axis, lines in series.items() for label, points in lines.items() for at, row in points]
    taken = times_s([row for *_, row in flat], repeats)
    figure, panels = plt.subplots(1, 4, figsize=(16, 4.2), layout="constrained")
    cost = {(axis, label, at): 1e3 * float(np.median(t)) / row.images for (axis, label, at, row), t in zip(flat, taken, strict=True)}
    for panel, (axis, lines) in zip(panels, series.items(), strict=True):
        print(f"\nms an image by {axis}")
        for label, points in lines.items():
            at = [point for point, _ in points]
            values = [cost[axis, label, point] for point in at]
            print(f"  {label:22}" + "".join(f"{point:>6d}:{value:8.3f}" for point, value in zip(at, values, strict=True)))
            panel.loglog(at, values, "o-", label=label, ms=4)
        panel.set(xlabel=axis, title=f"{SIZE}×{SIZE}" if axis != "pixels on a side" else "size")
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    panels[0].set_ylabel("ms an image")
    figure.suptitle(f"What an image costs ({jax.devices()[0].device_kind}, float32)")
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=130)
    print(f"\n{out}")


_WORKER = """
import importlib.util, json, sys, time
path, batch, only = sys.argv[1:]
sys.path.insert(0, path.rpartition("/")[0])
spec = importlib.util.spec_from_file_location("benchmark", path)
module = sys.modules["benchmark"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
rows = module.own_rows(int(batch), only)
for row in rows:
    row.call()
print(json.dumps([[row.name, row.images] for row in rows]), flush=True)
for _ in sys.stdin:
    taken = []
    for row in rows:
        row.call()  # what ran before has filled caches and freed memory
        began = time.perf_counter()
        row.call()
        taken.append(time.perf_counter() - began)
    print(json.dumps(taken), flush=True)
"""


class Worker:
    """The rows of a checkout, timed a round at a time in a process of its own.

    Attributes:
        rows: (name, images in one call) of each row.
        times: (rounds, rows) times of a call [s].
    """

    def __init__(self, checkout: Path, batch: int, only: str):
        checkout = checkout.resolve()
        places = [checkout / folder / "benchmark_render.py" for folder in ("benchmarks", "scripts")]
        script = next(place for place in places if place.is_file())
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(script), str(batch), only],
            env=os.environ | {"PYTHONPATH": str(checkout)}, cwd=checkout, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.rows = [(str(name), int(images)) for name, images in self._read()]
        self.times: list[list[float]] = []

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def round(self) -> None:
        """Times every row once."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.times.append(self._read())

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()


def against(checkout: Path, *, batch: int, only: str, repeats: int) -> None:
    """A table of this checkout's rows beside another's, with the ratios of the rates."""
    workers = [Worker(Path(__file__).parents[1], batch, only), Worker(checkout, batch, only)]
    for repeat in tqdm(range(repeats), unit="round", disable=None, leave=False):
        for worker in workers if repeat % 2 == 0 else workers[::-1]:
            worker.round()
    here, there = (dict(zip(worker.rows, np.array(worker.times).T, strict=True)) for worker in workers)
    for worker in workers:
        worker.close()
    print(f"{SIZE}×{SIZE} float32, {repeats} rounds; {checkout} = 1\n")
    print(f"{'':44}{'batch':>6}{'ms/image':>10}{'there':>10}{'median':>9}{'best':>8}")
    slower = 0
    for key in here:
        if key not in there:
            continue
        name, images = key
        ratio, best = np.median(there[key]) / np.median(here[key]), there[key].min() / here[key].min()
        slower += max(ratio, best) < 0.95
        each = (1e3 * np.median(times[key]) / images for times in (here, there))
        print(f"{name:44}{images:6d}" + "".join(f"{value:10.3f}" for value in each) + f"{ratio:8.2f}×{best:7.2f}×", flush=True)
    print(f"\n{slower} rows below 0.95 × by median and best")


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")
    parser.add_argument("--repeats", type=int, default=15, help="timed calls a row (default 15)")
    parser.add_argument("--batch", type=int, default=16, help="images in a batch (default 16)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the rows whose name contains TEXT")
    parser.add_argument("--no-peers", action="store_true", help="leave other simulators out")
    parser.add_argument("--against", type=Path, metavar="DIR", help="compare with another checkout, in place of other simulators")
    parser.add_argument("--scaling", action="store_true", help="measure how the cost grows, in place of the table")
    parser.add_argument("--out", type=Path, default=Path("results/scaling.png"), help="figure of --scaling")
    options = parser.parse_args()
    if options.scaling:
        scaling(options.repeats, options.out)
        return
    if options.against is not None:
        against(options.against, batch=options.batch, only=options.only, repeats=options.repeats)
        return
    rows = own_rows(options.batch, options.only)
    if not options.no_peers:
        rows += peer_rows(options.batch, options.only)
    taken = times_s(rows, options.repeats)
    report(rows, taken, as_json=options.json)
    if not options.json:
        compared(rows, taken)


if __name__ == "__main__":
    main()
