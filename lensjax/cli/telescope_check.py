"""Which problem images have, and which flags of images of telescopes go together."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lensjax import problems
from lensjax.cli.telescope_flags import Flags
from lensjax.errors import BadInput
from lensjax.files.place import is_fits


def check(flags: Flags, problem: str, *, noise: float | str | None, others: Mapping[str, object]) -> None:
    """Refuses flags that do not go together.

    Args:
        flags: the flags.
        problem: the problem.
        noise: the value of --noise.
        others: flags that do not go with images of telescopes, with their values.

    Raises:
        BadInput: one of them does not go with the problem, or with another.
    """
    names = problems.telescope_names()
    if problem not in names:
        for name, value in vars(flags).items():
            if value is not None:
                raise BadInput(
                    f"does not go with --problem {problem}", column=f"--{name.replace('_', '-')}", expected=f"--problem {names[0]}"
                )
        if isinstance(noise, str) and noise != "cosmosim":
            raise BadInput(column="--noise", value=noise, expected="a positive number, or cosmosim")
        return
    for flag, value in others.items():
        if value:
            raise BadInput(f"does not go with --problem {problem}", column=flag, expected="another problem, or none")
    if noise == "cosmosim":
        raise BadInput(column="--noise", value=noise, expected="a positive number or a file")
    if noise is not None and flags.exposure is not None:
        raise BadInput("--noise and --exposure contradict each other", expected="one of the two")
    if flags.background is not None and flags.exposure is None:
        raise BadInput("goes with --exposure", column="--background")
    if flags.noise_is is not None and noise is None and flags.background is None:
        raise BadInput("goes with --noise or --background", column="--noise-is")
    if flags.multipoles is not None and flags.lens != "epl":
        raise BadInput("only --lens epl has multipoles", column="--multipoles", value=flags.multipoles, expected="--lens epl beside it")
    if flags.mass_error is not None and flags.source == "sersic" and flags.lens_light == "none":  # fitted at once, see telescope_flags
        raise BadInput("not with --source sersic and --lens-light none", column="--mass-error", value=flags.mass_error)
    if flags.posterior is not None and flags.source in ("pixels", "richer"):  # draws know no strength of a grid's penalty
        sources = "--source auto, shapelets, sersic or multi-gaussian"
        raise BadInput("no draws of a grid of pixels", column="--posterior", value=flags.source, expected=sources)


def check_network(flags: Flags, *, refined: bool, weights: Path | None, report: Path | None) -> None:
    """Refuses flags that do not go with fits, which start without a network, or with the answers of a network alone.

    Raises:
        BadInput: one of them does not.
    """
    if refined and weights is not None:
        raise BadInput(
            "fits of telescopes' images start without a network", column="--weights", value=weights, expected="--no-refine beside it"
        )
    of_mass = ("lens", "multipoles", "shear", "largest_theta_e", "mass_error")
    of_fits = (*of_mass, "source", "lens_light", "posterior", "model_images", "coolest")
    given = {f"--{name.replace('_', '-')}": getattr(flags, name) for name in of_fits} | {"--report": report}
    for flag, value in given.items():
        if not refined and value is not None:
            raise BadInput("does not go with --no-refine, the network alone", column=flag, expected="a fit, or none")


def problem_of(named: str | None, images: Sequence[Path]) -> str:
    """The problem that is named, or else that of the images' files.

    Raises:
        BadInput: FITS files and others together.
    """
    if named is not None:
        return named
    telescopes = [is_fits(path) for path in images]
    if any(telescopes) and not all(telescopes):
        raise BadInput("FITS files and other images together", column="--problem", expected="a problem, or images of one kind")
    return "galaxy" if any(telescopes) else "sis2023"
