"""An uploaded image to its parameters, in stages that can be looked at; by the same call as `lensjax estimate`."""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax import problems
from lensjax.conventions import GREY_LEVELS
from lensjax.dataset import estimates, telescope_fits
from lensjax.dataset.telescope import Taken
from lensjax.errors import BadInput
from lensjax.estimate import network_starts
from lensjax.explore import upload
from lensjax.files import images
from lensjax.files.place import is_fits
from lensjax.files.whole import make_folder
from lensjax.infer.covariance import parameters_of
from lensjax.infer.levenberg_marquardt import Descent, descend
from lensjax.infer.multistart import light_of, model_of
from lensjax.infer.near_peak import without_network
from lensjax.infer.objective import Light, Normal, soft
from lensjax.infer.solution import Solution
from lensjax.observation.grid import pixel_points
from lensjax.pipeline.options import Options, answers_of, problem_of
from lensjax.problems.axisymmetric import AxisymmetricProblem
from lensjax.problems.observables import HIGHEST, LOWEST
from lensjax.report.estimate_report import model_and_source
from lensjax.trained import Estimator

KINDS = {"sis2023": "SIS lens, Gaussian source (8-bit image)", "pm2022": "point mass, Gaussian source (8-bit image)"}
"""Problems of images that are no FITS files; those are of the problem `galaxy`."""

_STRIDE = 4  # every so many pixels of a row and of a column take part in the descent that is shown
_STEPS = 25
_TOLERANCE = 0.05  # grey²


@dataclass(frozen=True)
class Stage:
    """What is known at one moment.

    Attributes:
        title: such as "step 3".
        model: (H, W) the model; None before there is one.
        residual: (H, W) image − model.
        source: (m, m) the source; NaN where the image does not show it.
        values: parameters in file units, by name.
    """

    title: str
    model: np.ndarray | None = None
    residual: np.ndarray | None = None
    source: np.ndarray | None = None
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The end of an estimate.

    Attributes:
        solution: one image's.
        units: of the parameters.
        network: (P,) the network's estimate; None without.
        files: what can be downloaded, by name.
        command, python: what does the same.
    """

    solution: Solution
    units: tuple[str, ...]
    network: np.ndarray | None
    files: dict[str, Path]
    command: str
    python: str


def image_of(path: Path) -> np.ndarray:
    """The grey levels, or a telescope's fluxes, of an uploaded image (H, W).

    Raises:
        BadInput: it cannot be read, or cannot be estimated.
    """
    loaded = upload.read(path)
    if is_fits(path):
        if loaded.values.ndim != 2:
            raise BadInput("the image is in colour", path=path.name, expected="one plane")
        return loaded.values
    try:
        return images.grey_of(loaded).values
    except BadInput as error:
        raise upload.without_folder(error, path) from None


def estimate(
    path: Path,
    say: Callable[[Stage], None],
    *,
    problem: str = "sis2023",
    taken: Taken = Taken(),  # noqa: B008 (frozen)
    lens_light: bool = True,
    refined: bool = True,
) -> Outcome:
    """Estimates an image, and writes results.csv and FITS or PNG files beside it.

    Args:
        path: the image, in a visitor's folder.
        say: called with each stage as soon as it is reached.
        problem: of images that are no FITS files.
        taken: how a FITS file was taken.
        lens_light: whether a FITS file shows the lens galaxy's own light; otherwise it is off already.
        refined: whether the network's estimate is refined.

    Raises:
        BadInput: the image cannot be used.
    """
    image = image_of(path)
    folder = path.parent / "results"
    make_folder(folder)
    if is_fits(path):
        return _galaxy(path, folder, say, taken, Options(lens_light=lens_light))
    return _thesis(path, folder, image, say, problem, refined)


@lru_cache(maxsize=4)
def _network(problem: str) -> Estimator | None:
    return estimates.network(None, problem) if estimates.ships(problem) else None


def _thesis(path: Path, folder: Path, image: np.ndarray, say: Callable[[Stage], None], name: str, refined: bool) -> Outcome:
    problem = problems.thesis(name)
    native = image.shape == (problem.image_size, problem.image_size)
    estimator = _network(name)
    guess = None
    if estimator is not None and native:
        say(Stage("the network looks at the image"))
        guess = estimator.predict(image[None])[0]
        say(_stage("network", problem, image, guess, problem.trace.name))
    if not refined and guess is None:
        raise BadInput(f"the image has {image.shape[1]}×{image.shape[0]} pixels", path=path.name, expected="400×400 for the network alone")
    if refined and native:
        for stage in _descent(problem, image, guess):
            say(stage)
    if refined:
        say(Stage("the fit of every pixel, its errors and its verdict"))
    out = folder / "results.csv"
    used = estimator if guess is not None else None
    (row,) = estimates.run(problem, estimates.of_paths([path]), out, estimator=used, refined=refined)
    found = row.estimate
    if found.error is not None:
        raise BadInput(found.error.replace(f"{path.parent}/", ""))
    solution = found.solution
    if solution is None:
        assert found.network is not None
        solution = _of_network(problem, found.network, found.network_errors)
    files = {"results.csv": out, path.name: path}
    if np.isfinite(solution.params).all():
        method = solution.method[0] or problem.trace.name
        last = _stage("result", problem, image, solution.params[0], method, solution=solution if refined else None)
        say(last)
        files |= _saved(folder, last)
    units = tuple(parameter.unit for parameter in problem.parameters)
    return Outcome(solution, units, found.network, files, *_same(path.name, name, used is not None, refined))


def _of_network(problem: AxisymmetricProblem, params: np.ndarray, errors: np.ndarray | None) -> Solution:
    empty = Solution.failed(problem.names, "", coordinates=problem.coordinates)
    return replace(
        empty, params=params[None], errors=empty.errors if errors is None else errors[None], status=("the network alone, not refined",)
    )


def _stage(
    title: str, problem: AxisymmetricProblem, image: np.ndarray, params: np.ndarray, method: str, *, solution: Solution | None = None
) -> Stage:
    """The stage of some parameters (P,)."""
    centre = None if solution is None else solution.shift[0]
    free_fit = solution is not None and not np.isfinite(solution.fit).all()
    model, source = model_and_source(problem, image, params, centre, method, free_fit=free_fit)
    return Stage(title, model, image - model, source, dict(zip(problem.names, params.tolist(), strict=True)))


@partial(jax.jit, static_argnames=("light", "n", "field"))
def _after(light: Light, n: int, field: int, image: Array, start: Array, steps: Array) -> Descent:
    """The descent on every `_STRIDE`-th pixel of an image (n, n) from a start (8,), after so many steps."""
    x, y = pixel_points(n, field, dtype=image.dtype)
    x, y, thin = x[:, ::_STRIDE], y[::_STRIDE], image[::_STRIDE, ::_STRIDE]
    bounds = jnp.asarray(LOWEST, image.dtype), jnp.asarray(HIGHEST, image.dtype)
    width = 2.0 * _STRIDE * field / n

    def evaluate(fit: Array) -> Normal:
        return soft(light, fit, image=thin, x=x, y=y, width=width)

    return descend(evaluate, start, *bounds, steps=steps, tolerance=_TOLERANCE)


def _descent(problem: AxisymmetricProblem, image: np.ndarray, guess: np.ndarray | None) -> Iterator[Stage]:
    """The stages of the descent from the network's estimate, or else from the image: that of the start and method that end best."""
    starts = without_network(problem, image) if guess is None else network_starts(problem, guess)
    seen = jnp.asarray(image, jnp.float32)

    def after(start: np.ndarray, method: str, steps: int) -> Descent:
        light = light_of(problem, method, True)
        begin = jnp.asarray(start, jnp.float32)
        found: Descent = _after(light, problem.image_size, problem.field, seen, begin, jnp.int32(steps))
        return found

    ends = {(k, method): after(start, method, _STEPS) for k, start in enumerate(starts) for method in ("ring", "raytrace")}
    costs = {key: float(end.normal.cost) for key, end in ends.items() if np.isfinite(end.normal.cost)}
    if not costs:
        return
    best, method = min(costs, key=lambda key: costs[key])
    before = np.inf
    for steps in range(1, int(ends[best, method].steps) + 1):
        descent = after(starts[best], method, steps)
        cost = float(descent.normal.cost)
        if not cost < before:
            continue
        before = cost
        grey, inside = model_of(problem, np.asarray(descent.fit), method, True)
        model = np.where(inside >= 0, grey, 0.0).astype(np.float64)
        values = np.asarray(parameters_of(problem, descent.fit)[0])[: len(problem.names)]
        yield Stage(f"step {steps}", model, image - model, None, dict(zip(problem.names, values.tolist(), strict=True)))


def _saved(folder: Path, stage: Stage) -> dict[str, Path]:
    """Model, residual and source as PNG files, and as one FITS file where astropy is installed."""
    assert stage.model is not None and stage.residual is not None
    files = {"model.png": folder / "model.png", "residual.png": folder / "residual.png"}
    images.write_png(files["model.png"], stage.model)
    images.write_png(files["residual.png"], stage.residual + 128.0)
    if stage.source is not None and np.isfinite(stage.source).any():
        files["source.png"] = folder / "source.png"
        images.write_png(files["source.png"], np.nan_to_num(stage.source), mask=np.isfinite(stage.source))
    try:
        from astropy.io import fits
    except ImportError:
        return files
    named = (("MODEL", stage.model), ("RESIDUAL", stage.residual), ("SOURCE", stage.source))
    parts = [fits.ImageHDU(np.asarray(array[::-1], np.float32), name=name) for name, array in named if array is not None]
    files["model.fits"] = folder / "model.fits"
    fits.HDUList([fits.PrimaryHDU(), *parts]).writeto(files["model.fits"], overwrite=True)
    return files


def _galaxy(path: Path, folder: Path, say: Callable[[Stage], None], taken: Taken, options: Options) -> Outcome:
    problem = problem_of(options)
    first = "the lens galaxy's light comes off, " if options.lens_light else ""
    say(Stage(f"{first}round lenses of many radii are tried, and the best descend; this takes some minutes"))
    out = folder / "results.csv"
    leaves = telescope_fits.Files(problem, telescope_fits.stems([path.name]), folder, None)
    (row,) = estimates.run(
        problem, estimates.of_paths([path]), out, estimator=None, taken=taken, leaves=leaves, options=options
    )  # fmt: skip
    if row.estimate.error is not None or row.estimate.solution is None:
        words = row.estimate.error or "no estimate"
        for file in (path, *taken.files):
            words = words.replace(f"{file.parent}/", "")
        raise BadInput(words)
    found = row.estimate.solution
    solution = found.only(range(found.fit.shape[1]))  # without amplitudes of the source, which need not be the problem's
    files = {"results.csv": out, path.name: path}
    written = folder / f"{leaves.stems[path.name]}.fits"
    if written.exists():
        model, residual, source = (images.read(f"{written}[{name}]").values for name in ("MODEL", "RESIDUAL", "SOURCE"))
        last = Stage("result", model, residual, source, dict(zip(solution.names, solution.params[0].tolist(), strict=True)))
        say(last)
        files["model.fits"] = written
        files["model.png"] = folder / "model.png"
        bright = np.nanpercentile(model, 99.8)
        images.write_png(files["model.png"], GREY_LEVELS * np.clip(model / max(float(bright), 1e-30), 0.0, 1.0))
    unit_of = {parameter.name: parameter.unit for answer in answers_of(options) for parameter in answer.parameters}
    units = tuple(unit_of[name] for name in solution.names)
    named = replace(taken, psf=taken.psf and Path(taken.psf).name, noise=taken.noise and Path(taken.noise).name)
    more = "".join(
        f" --{flag} {shlex.quote(str(value))}"
        for flag, value in (("pixel-scale", named.pixel_scale), ("psf", named.psf), ("noise", named.noise))
        if value is not None
    )
    more += "" if options.lens_light else " --lens-light none"
    command = f"lensjax estimate {shlex.quote(path.name)} --out results.csv --model-images models{more}"
    return Outcome(solution, units, None, files, command, _galaxy_lines(path.name, named, options))


def _same(name: str, problem: str, network: bool, refined: bool) -> tuple[str, str]:
    """The command line and the Python lines that do the same."""
    flags = ("" if problem == "sis2023" else f" --problem {problem}") + ("" if refined else " --no-refine")
    flags += "" if network or problem != "sis2023" else " --no-network"
    estimator = f"estimates.network(None, {problem!r})" if network else "None"
    python = f"""from pathlib import Path

from lensjax import problems
from lensjax.dataset import estimates

problem = problems.get({problem!r})
inputs = estimates.of_paths([Path({name!r})])
rows = estimates.run(problem, inputs, Path("results.csv"), estimator={estimator}{"" if refined else ", refined=False"})
print(rows[0].estimate)
"""
    return f"lensjax estimate {shlex.quote(name)} --out results.csv{flags}", python


def _galaxy_lines(name: str, taken: Taken, options: Options) -> str:
    said = ", ".join(f"{part}={value!r}" for part in ("pixel_scale", "psf", "noise") if (value := getattr(taken, part)) is not None)
    return f"""from pathlib import Path

from lensjax.dataset import estimates
from lensjax.dataset.telescope import Taken
from lensjax.pipeline.options import Options, problem_of

options = Options(lens_light={options.lens_light})
inputs = estimates.of_paths([Path({name!r})])
taken = Taken({said})
rows = estimates.run(problem_of(options), inputs, Path("results.csv"), estimator=None, taken=taken, options=options)
print(rows[0].estimate)
"""
