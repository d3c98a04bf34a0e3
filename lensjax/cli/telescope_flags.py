"""The flags of `lensjax estimate` for images of telescopes."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lensjax import problems
from lensjax.cli import arguments, values

if TYPE_CHECKING:
    from lensjax.dataset.telescope import Taken
    from lensjax.dataset.telescope_fits import Files
    from lensjax.pipeline.options import Options as PipelineOptions
    from lensjax.pipeline.options import SourceModel
    from lensjax.problems.compose import Composition
    from lensjax.problems.galaxy import Mass

EPILOG = """FITS files are images of telescopes, and their problem is galaxy: an SIE with shear, and a source of Sersic profiles or
shapelets. Lengths are arcseconds, and phi_east_of_north is the position angle on the sky. The lens galaxy's own light is fitted and taken
off first; --lens-light none says that it is off already. With --source sersic too, light, mass and a constant sky are fitted at once, and
success means that the residuals are noise.
  lensjax estimate 'lens.fits[SCI]' --noise '[ERR]' --psf psf.fits --mask stars.reg --model-images models --coolest models --out results.csv
  lensjax estimate survey/*.fits --noise '[ERR]' --psf '[PSF]' --report report --out results.csv
  lensjax estimate survey/*.fits --noise '[ERR]' --no-refine --out results.csv      the network alone, for a first look
--report DIR draws each fit as it ends and writes DIR/report.html; parts of --shard K/N may share DIR, and write DIR/report-K-of-N.html.
A map is a number, FILE, FILE[EXT], or [EXT] in each image's own file. Without noise, that of the sky is measured; status says so.
Pixels of a mask are used where it is not 0; in an extension DQ, where it is 0."""


_SOURCES: "tuple[SourceModel, ...]" = ("auto", "richer", "shapelets", "sersic", "multi_gaussian", "pixels")
SOURCES = {name.replace("_", "-"): name for name in _SOURCES}
"""Values of --source, and the pipeline's names of them."""

_MULTIPOLES = ("3", "4", "3,4")


@dataclass(frozen=True)
class Flags:
    """The flags' values."""

    psf: str | None
    mask: str | None
    pixel_scale: float | None
    noise_is: Literal["rms", "variance", "weight"] | None
    exposure: str | None
    background: str | None
    model_images: Path | None
    coolest: Path | None
    lens: str | None
    multipoles: str | None
    shear: str | None
    largest_theta_e: float | None
    mass_error: float | None
    source: str | None
    lens_light: str | None
    posterior: int | None


def add(command: arguments.Parser) -> None:
    """Adds the flags."""
    group = command.add_argument_group("images of telescopes", "for --problem galaxy")
    group.add_argument("--psf", metavar="FILE", help="point spread function, of odd sides")
    group.add_argument("--mask", metavar="FILE", help="pixels to use: a map, or a DS9 region file (.reg), where - excludes a region")
    group.add_argument("--pixel-scale", type=values.positive, metavar="ARCSEC", help="side of a pixel (that of the file's WCS)")
    for flag, kinds, words in (
        ("--lens", ("sie", "epl"), "mass (sie)"),
        ("--shear", ("fit", "none"), "external shear (fit)"),
        ("--source", SOURCES, "light behind it; auto: few Sersic profiles or shapelets; richer: beyond these (auto)"),
        ("--lens-light", ("fit", "none"), "the lens galaxy's own light: fitted, or off already (fit)"),
        ("--noise-is", ("rms", "variance", "weight"), "what the noise map holds (rms)"),
    ):
        group.add_argument(flag, type=values.one_of(kinds), metavar=f"{{{','.join(kinds)}}}", help=words)
    group.add_argument("--multipoles", type=values.one_of(_MULTIPOLES), metavar="ORDERS", help="of --lens epl: 3, 4, or 3,4 (none)")
    largest = "largest Einstein radius that is tried (2.6)"
    group.add_argument("--largest-theta-e", type=values.EINSTEIN_RADIUS, metavar="ARCSEC", help=largest)
    group.add_argument("--mass-error", type=values.SHARE, metavar="SHARE", help="of theta_E: no mass is exactly of its profile (0.01)")
    group.add_argument("--exposure", metavar="MAP", help="counts for one unit of the data, in place of --noise: noise of photons")
    group.add_argument("--background", metavar="MAP", help="rms of the background, with --exposure")
    group.add_argument("--model-images", type=Path, metavar="DIR", help="write DIR/NAME.fits: model, arcs, residual, source")
    group.add_argument("--posterior", type=values.DRAWS, metavar="N", help="N draws from each posterior beside OUT: OUT-posterior/NAME.csv")
    group.add_argument("--coolest", type=Path, metavar="DIR", help="write DIR/NAME.json, a COOLEST file, and its FITS files")


def taken_of(flags: Flags, noise: float | str | None) -> "Taken":
    """What the flags say of how images were taken."""
    from lensjax.dataset.telescope import Taken

    return Taken(
        noise=None if noise is None else str(noise),
        noise_is=flags.noise_is or "rms",
        psf=flags.psf,
        mask=flags.mask,
        pixel_scale=flags.pixel_scale,
        exposure=flags.exposure,
        background=flags.background,
    )


def fitting_of(flags: Flags) -> "tuple[Composition, PipelineOptions | None]":
    """What is fitted, and how the pipeline does it. A Sérsic source without lens light is fitted at once: None."""
    from lensjax.pipeline.options import Options, problem_of

    mass: Mass = "epl" if flags.lens == "epl" else "sie"
    multipoles = tuple(int(order) for order in (flags.multipoles or "").split(",") if order)
    shear = flags.shear != "none"
    largest = {} if flags.largest_theta_e is None else {"largest_theta_e": flags.largest_theta_e}
    if flags.source == "sersic" and flags.lens_light == "none":
        return problems.composed("galaxy", mass=mass, multipoles=multipoles, shear=shear, sky=True, **largest), None
    source = SOURCES[flags.source or "auto"]
    given = {} if flags.mass_error is None else {"mass_error": flags.mass_error}
    options = Options(mass, multipoles, source, flags.lens_light != "none", shear=shear, **largest, **given)
    return problem_of(options), options


def files_of(flags: Flags, problem: "Composition", filenames: Sequence[str], *, out: Path, seed: int) -> "Files":
    """The files that fits leave; draws beside the table `out`.

    Raises:
        BadInput: they cannot be written there, COOLEST does not have the problem's components, or what draws needs a missing package.
    """
    from lensjax.dataset.telescope_fits import Files, stems
    from lensjax.files.whole import check_folder

    for folder in (flags.model_images, flags.coolest):
        if folder is not None:
            check_folder(folder)
    if flags.coolest is not None:
        from lensjax.formats import coolest

        coolest.check(problem)
    draws = None
    if flags.posterior is not None:
        from lensjax.report.posterior_files import Draws, folder_of

        draws = Draws(folder_of(out), flags.posterior, seed)
        draws.check()
    return Files(problem, stems(filenames), flags.model_images, flags.coolest, draws)


def flags_of(namespace: argparse.Namespace) -> Flags:
    """The flags' values."""
    return arguments.options_of(Flags, namespace)
