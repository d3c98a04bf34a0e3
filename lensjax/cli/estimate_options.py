"""The flags of `lensjax estimate`, and which of them go together."""

from dataclasses import dataclass
from pathlib import Path

from lensjax import problems
from lensjax.cli import telescope_check, telescope_flags
from lensjax.errors import BadInput


@dataclass(frozen=True)
class Options:
    """The command's flags, and in `words` the command line after `lensjax`."""

    image: list[Path]
    csv: Path | None
    images: Path | None
    out: Path
    problem: str | None
    weights: Path | None
    no_refine: bool
    no_network: bool
    method: str
    shift: bool
    noise: float | str | None
    report: Path | None
    seed: int
    amplitudes: int | None
    shard: tuple[int, int] | None
    telescope: telescope_flags.Flags
    words: list[str]


def check(options: Options, problem: str) -> None:
    """Refuses flags that contradict each other.

    Raises:
        BadInput: a flag does not go with the problem, or with another.
    """
    composed = problem in problems.cosmosim_names()
    if options.amplitudes is not None and not composed:
        raise BadInput(column="--amplitudes", value=problem, expected=f"--problem {', '.join(problems.cosmosim_names())}")
    other = {"--method": options.method != "auto", "--no-shift": not options.shift}
    if composed:
        given = {"--report": options.report, "--noise": options.noise}
        for flag, value in (given | other).items():
            if value:
                raise BadInput(f"does not go with --problem {problem}", column=flag, expected="--problem sis2023 or pm2022")
    telescope_check.check(options.telescope, problem, noise=options.noise, others=other)
    if problem in problems.telescope_names():
        telescope_check.check_network(options.telescope, refined=not options.no_refine, weights=options.weights, report=options.report)
    if options.no_refine and options.amplitudes is not None:
        expected = "a fit; a network that answers amplitudes writes them without it"
        raise BadInput("--no-refine and --amplitudes contradict each other", expected=expected)
    if options.no_refine and options.no_network:
        raise BadInput("--no-refine and --no-network contradict each other", expected="one of the two")
    if options.weights is not None and options.no_network:
        raise BadInput("--weights and --no-network contradict each other", expected="one of the two")
    if options.csv is not None and options.image:
        raise BadInput(f"{options.image[0]} and --csv contradict each other", expected="images one by one or a table, not both")
    if options.csv is None and options.images is not None:
        raise BadInput("goes with --csv FILE, which names the images", column="--images")
