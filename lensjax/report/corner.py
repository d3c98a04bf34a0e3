"""Draws from a posterior as a corner plot, by the package corner."""

import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lensjax.errors import BadInput
from lensjax.files.whole import write_bytes
from lensjax.infer import posterior
from lensjax.problems.compose import Composition
from lensjax.report.figures import BLUE, ORANGE

_SIDE = 1.15  # inches of a panel
_DPI = 90


def check() -> None:
    """Whether corner is there.

    Raises:
        BadInput: it is not.
    """
    try:
        import corner  # noqa: F401
    except ImportError:
        raise BadInput("corner plots are drawn by corner, which is not installed", hint="pip install 'lensjax[posterior]'") from None


def shown(problem: Composition) -> list[int]:
    """Indices of the parameters in a plot: of the first source alone, without the many amplitudes of shapelets, Gaussians or pixels."""
    left_out = {parameter.name for part in problem.components for parameter in part.several}
    for part in [part for part in problem.components if part.role == "source"][1:]:
        left_out |= {parameter.name for parameter in (*part.parameters, *part.amplitudes)}
    return [k for k, name in enumerate(problem.names) if name not in left_out]


def draw(path: Path, problem: Composition, draws: np.ndarray, *, best: np.ndarray | None = None) -> None:
    """Writes a corner plot of draws (S, P), with lines at `best` (P,).

    Parameters that do not vary are left out.

    Raises:
        BadInput: the file cannot be written, or corner is missing.
    """
    check()
    import corner

    values = posterior.unwrapped(draws, problem)
    kept = [k for k in shown(problem) if np.ptp(values[:, k]) > 0]
    labels = [problem.names[k] for k in kept]
    lines = None if best is None else posterior.nearest(best, values, problem)[kept]
    side = _SIDE * len(kept) + 0.8
    alone = len(kept) == 1  # corner 2.2 draws the lines of two parameters or more
    figure = corner.corner(
        values[:, kept], labels=labels, truths=None if alone else lines, truth_color=ORANGE, color=BLUE, fig=Figure(figsize=(side, side)),
        bins=16, plot_density=False, plot_contours=len(values) >= 500, max_n_ticks=3, labelpad=0.2, label_kwargs={"fontsize": 8},
        quiet=True,
    )  # fmt: skip
    if alone and lines is not None:
        figure.axes[0].axvline(lines[0], color=ORANGE)
    for panel in figure.axes:
        panel.tick_params(labelsize=6)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=_DPI, bbox_inches="tight")
    write_bytes(path, data.getvalue())
