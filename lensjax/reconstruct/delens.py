"""The delensing of one image file: options in, a PNG of the source out."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax
import numpy as np
from PIL import Image

from lensjax.errors import BadInput
from lensjax.files import images, whole
from lensjax.reconstruct.grid import Grid, Reconstruction
from lensjax.reconstruct.inputs import Inputs, from_table
from lensjax.reconstruct.invert import Inversion, invert
from lensjax.reconstruct.operator import lensing
from lensjax.reconstruct.sample import sample

Progress = Callable[[int], object]
"""Called with the steps that a solution took."""

_COLOURS = ("red: ", "green: ", "blue: ")


@dataclass(frozen=True)
class Options:
    """What to reconstruct and how.

    Attributes:
        image: the image file.
        params: the table that describes its lens, see `inputs.from_table`.
        out: the source, a PNG file.
        problem: name of the problem that the table is of, or None.
        how: "sample" or "invert".
        strength: λ of an inversion, or None.
        noise: σ of a pixel of an inversion [grey levels], or None.
        penalty: penalty of an inversion, or None.
        size: pixels on a side of the source, or None.
        field: side of the part of the source plane to show [px], or None.
        picture: the source of a row whose source is an Image, or None.
    """

    image: Path
    params: Path
    out: Path
    problem: str | None = None
    how: str = "sample"
    strength: float | None = None
    noise: float | None = None
    penalty: str | None = None
    size: int | None = None
    field: int | None = None
    picture: Path | None = None


def delens(options: Options, *, progress: Progress | None = None) -> list[str]:
    """Reconstructs the source of an image and writes it, transparent where the image does not show it.

    Args:
        options: what to reconstruct and how.
        progress: called with the steps of each solution of an inversion.

    Returns:
        Lines that describe the result.

    Raises:
        BadInput: options that do not fit each other, files that cannot be read or written, or an image that shows no point of the
            source.
    """
    whole.check_file(options.out)
    if options.out.suffix.lower() != ".png":
        raise BadInput(column="--out", value=str(options.out), expected="a name that ends in .png: the source is written as PNG")
    of_inversion = {"--lambda": options.strength, "--noise": options.noise, "--penalty": options.penalty}
    unfit = [flag for flag, value in of_inversion.items() if value is not None]
    if options.how == "sample" and unfit:
        raise BadInput("goes with --how invert", column=unfit[0])
    with jax.enable_x64(True):
        inputs = from_table(options.image, options.params, problem=options.problem, field=options.field, picture=options.picture)
        sources, lines = (_sampled if options.how == "sample" else _inverted)(options, inputs, progress)
    mask = sources[0].mask
    if not mask.any():
        raise _no_source(options)
    write_source(options.out, np.stack([source.grey for source in sources], axis=-1), mask)
    done = f"{options.out}: {mask.shape[0]}×{mask.shape[1]} pixels, {100.0 * mask.mean():.0f} % of them visible in the image"
    return [done, *lines]


def write_source(path: Path, levels: np.ndarray, mask: np.ndarray) -> None:
    """Writes grey levels (m, m, 1) or colours (m, m, 3) as PNG, transparent where `mask` (m, m) is false.

    Raises:
        BadInput: it cannot be written there.
    """
    if levels.shape[-1] == 1:
        images.write_png(path, levels[..., 0], mask=mask)
        return
    colours = np.where(mask[..., None], np.clip(np.rint(levels), 0, 255), 0)
    opacity = np.where(mask, 255, 0)[..., None]
    content = io.BytesIO()
    Image.fromarray(np.concatenate([colours, opacity], axis=-1).astype(np.uint8)).save(content, "PNG")
    whole.write_bytes(path, content.getvalue())


def _sampled(options: Options, inputs: Inputs, progress: Progress | None) -> tuple[list[Reconstruction], list[str]]:
    """The source in each channel, read from the image; no lines to print about it."""
    grid = Grid(options.size or inputs.field, inputs.field)
    read = partial(sample, system=inputs.system, centre=inputs.centre, instrument=inputs.instrument, trace=inputs.trace, grid=grid)
    return [read(image) for image in inputs.channels], []


def _inverted(options: Options, inputs: Inputs, progress: Progress | None) -> tuple[list[Reconstruction], list[str]]:
    """The source in each channel by inversion, and a line to print about each."""
    instrument, field = inputs.instrument, inputs.field
    # Half as wide as the image's pixels: lenses magnify, so that values linear between grid points follow the source.
    size = options.size or max(16, min(int(2 * field / instrument.pixel_scale), 400))
    operator = lensing(inputs.system, centre=inputs.centre, instrument=instrument, trace=inputs.trace, grid=Grid(size, field))
    if not bool(operator.used.any()):
        raise _no_source(options)
    sources = [
        invert(
            image,
            operator,
            strength=options.strength,
            noise=options.noise,
            penalty=options.penalty or "curvature",
            progress=progress,
        )
        for image in inputs.channels
    ]
    names = ("",) if len(sources) == 1 else _COLOURS
    return [*sources], [f"{name}{summary(source)}" for name, source in zip(names, sources, strict=True)]


def summary(inversion: Inversion) -> str:
    """An inversion's numbers in one line."""
    return (
        f"lambda {inversion.strength:.4g}, noise {inversion.noise:.3g}, chi2 {inversion.chi2:.3g} a pixel over "
        f"{inversion.used.sum()} pixels, {inversion.iterations} steps, {'converged' if inversion.converged else 'not converged'}"
    )


def _no_source(options: Options) -> BadInput:
    """The error of an image that shows nothing of the source."""
    return BadInput(f"with the lens of {options.params}, this image shows no point of the source", path=options.image)
