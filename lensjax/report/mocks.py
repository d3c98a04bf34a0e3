"""Error bars on mocks with truth, as tables and one figure."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lensjax._internal.numbers import shortest
from lensjax._internal.words import counted
from lensjax.dataset.mocks import Row
from lensjax.infer import calibration
from lensjax.report import figures

_WRONG = 6.0  # stated errors from the truth, beyond which a fit stands in a wrong mode
_PULLS = np.linspace(-5.0, 5.0, 41)
_BINS = 10


@dataclass(frozen=True)
class Result:
    """What mocks say of error bars; of fits with success alone.

    Attributes:
        names: names of the P parameters.
        count: mocks in all.
        pulls: (N, P) (fit − truth)/error of the N successes; NaN where the image does not identify a parameter.
        wrong: how many of the successes stand in a wrong mode: a parameter more than 6 errors off. They count in all tables.
        ranks: (M, P) of the truth among the draws of those successes whose chains agree.
        nearer: (M,) of TARP.
        distrusted: successes whose chains do not agree, which have no ranks here.
    """

    names: tuple[str, ...]
    count: int
    pulls: np.ndarray
    wrong: int
    ranks: np.ndarray
    nearer: np.ndarray
    distrusted: int


def result(names: Sequence[str], periods: Sequence[float | None], rows: Sequence[Row]) -> Result:
    """What mocks say."""
    good = [row for row in rows if row.success]
    pulls = np.full((len(good), len(names)), np.nan)
    for k, row in enumerate(good):
        errors = np.array(row.errors)
        off = calibration.deviations(np.array(row.params), np.array(row.truth), periods)
        pulls[k] = np.where(np.isfinite(errors), off / np.where(errors > 0, errors, np.nan), np.nan)
    drawn = [row for row in good if np.isfinite(row.nearer)]
    agreed = [row for row in drawn if row.trusted]
    return Result(
        names=tuple(names),
        count=len(rows),
        pulls=pulls,
        wrong=int((np.abs(pulls) > _WRONG).any(axis=1).sum()),
        ranks=np.array([row.ranks for row in agreed]).reshape(-1, len(names)),
        nearer=np.array([row.nearer for row in agreed]),
        distrusted=len(drawn) - len(agreed),
    )


def table(found: Result) -> str:
    """A CSV table, one row a parameter: shares of mocks whose truth lies within the central 50, 68 and 95 %."""
    levels = [f"{level:.0%}".replace("%", " %") for level in calibration.LEVELS]
    head = ["parameter", "mocks", *(f"errors within {level}" for level in levels), "mean pull", "sd of pulls"]
    head += ["posteriors", *(f"posterior within {level}" for level in levels), "chance of ranks"] if len(found.ranks) else []
    errors = calibration.credibility_of_pulls(found.pulls)
    posteriors = calibration.credibility_of_ranks(found.ranks)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    for k, name in enumerate(found.names):
        pulls = found.pulls[:, k][np.isfinite(found.pulls[:, k])]
        row = [name, str(len(pulls)), *(_share(errors[:, k], level) for level in calibration.LEVELS)]
        row += [f"{pulls.mean():.2f}", f"{pulls.std():.2f}"] if len(pulls) else ["", ""]
        if len(found.ranks):
            row += [str(len(found.ranks)), *(_share(posteriors[:, k], level) for level in calibration.LEVELS)]
            row.append(_number(calibration.chance(found.ranks[:, k])))
        writer.writerow(row)
    return file.getvalue()


def _share(credibility: np.ndarray, level: float) -> str:
    return _number(float(calibration.within(credibility[:, None], level)[0]))


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else ""


def each(names: Sequence[str], rows: Sequence[Row]) -> str:
    """A CSV table, one row a mock."""
    parts = ("truth", "", "err", "rank", "mean", "sd")
    columns = [f"{name}_{part}".rstrip("_") for name in names for part in parts]
    after = ("success", "status", "seconds", "nearer", "r_hat", "ess", "divergent", "trusted", "seconds_sampled")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["mock", *columns, *after])
    for k, row in enumerate(rows):
        numbers = zip(row.truth, row.params, row.errors, row.ranks, row.mean, row.spread, strict=True)
        cells = ["" if np.isnan(value) else shortest(value) for own in numbers for value in own]
        last = [*("" if np.isnan(value) else f"{value:.4g}" for value in (row.nearer, row.r_hat, row.ess)), row.divergent, row.trusted]
        writer.writerow([k, *cells, row.success, row.status, f"{row.seconds:.2f}", *last, f"{row.sampled:.2f}"])
    return file.getvalue()


def lines(found: Result) -> list[str]:
    """What mocks say, in sentences."""
    count = len(found.pulls)
    said = [f"{counted(found.count, 'mock')}, {count} fitted with success, {found.wrong} of these with a parameter more than 6 errors off"]
    if count == 0:
        return said
    said.append(f"errors: {_coverage(calibration.credibility_of_pulls(found.pulls), count)}")
    if len(found.ranks) == 0:
        return said
    said.append(f"posteriors: {_coverage(calibration.credibility_of_ranks(found.ranks), len(found.ranks))}")
    chances = np.array([calibration.chance(found.ranks[:, k]) for k in range(len(found.names))])
    worst = calibration.FLAGGED / len(chances)
    flagged = [name for name, chance in zip(found.names, chances, strict=True) if chance < worst]
    if np.isfinite(chances).all():
        least = int(np.argmin(chances))
        verdict = f"not uniform: {' '.join(flagged)}" if flagged else "uniform"
        said.append(f"ranks of the truth: {verdict}; the least probable are those of {found.names[least]}, chance {chances[least]:.2g}")
    tarp = calibration.chance(found.nearer)
    if np.isfinite(tarp):
        verdict = "not uniform" if tarp < calibration.FLAGGED else "uniform"
        said.append(f"all parameters together (TARP): {verdict}, chance {tarp:.2g}")
    if found.distrusted:
        said.append(f"{counted(found.distrusted, 'posterior')} left out, whose chains do not agree")
    return said


def _coverage(credibility: np.ndarray, count: int) -> str:
    parts = []
    for level in calibration.LEVELS:
        low, high = calibration.band(level, count)
        shares = calibration.within(credibility, level)
        mean = np.nanmean(shares)
        parts.append(f"{mean:.0%} of the truths within {level:.0%} (each parameter {low:.0%} to {high:.0%} if right)".replace("%", " %"))
    return ", ".join(parts)


def figure(found: Result) -> Figure:
    """Coverage by level and the pulls; of posteriors also their coverage, the ranks of the truth, and TARP."""
    drawn = len(found.ranks) > 0
    whole = Figure(figsize=(9.0, 7.4 if drawn else 3.8), layout="constrained")
    panels = list(whole.subplots(2 if drawn else 1, 2, squeeze=False).flat)
    errors = calibration.credibility_of_pulls(found.pulls)
    _levels(panels[0], errors, len(found.pulls), figures.BLUE, "errors from the curvature")
    if drawn:
        own = calibration.credibility_of_ranks(found.ranks)
        _levels(panels[0], own, len(found.ranks), figures.ORANGE, "posteriors", banded=False)
    panels[0].set(xlabel="level of the central interval", ylabel="share of truths within")
    panels[0].legend(frameon=False, fontsize=8, loc="upper left")
    pulls = found.pulls[np.isfinite(found.pulls)]
    panels[1].hist(np.clip(pulls, -5.0, 5.0), _PULLS, density=True, color=figures.BLUE, edgecolor="white", linewidth=0.3)
    at = np.linspace(-5.0, 5.0, 201)
    panels[1].plot(at, np.exp(-0.5 * at**2) / np.sqrt(2.0 * np.pi), color=figures.GREY, label="unit normal")
    panels[1].set(xlabel="(fit − truth)/error, all parameters", ylabel="density")
    panels[1].legend(frameon=False, fontsize=8)
    if drawn:
        _ranks(panels[2], found.ranks)
        _tarp(panels[3], found.nearer)
    whole.suptitle(f"{counted(found.count, 'mock')}, {len(found.pulls)} fitted with success", fontsize=10)
    return whole


def _levels(panel: Axes, credibility: np.ndarray, count: int, colour: str, label: str, *, banded: bool = True) -> None:
    """The share of truths within each level: of each parameter thin, their mean thick."""
    levels = np.linspace(0.0, 1.0, 101)
    if banded:
        low, high = np.array([calibration.band(level, count) for level in levels]).T
        panel.fill_between(levels, low, high, color="#dddddd", linewidth=0, label="95 % of parameters, if right")
        panel.plot(levels, levels, color=figures.GREY, linewidth=0.8)
    shares = np.array([calibration.within(credibility, level) for level in levels])
    panel.plot(levels, shares, color=colour, linewidth=0.4, alpha=0.5)
    panel.plot(levels, np.nanmean(shares, axis=1), color=colour, linewidth=2.0, label=label)
    panel.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0))


def _ranks(panel: Axes, ranks: np.ndarray) -> None:
    """How often the truth has a rank: of each parameter thin, of all together thick."""
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    low, high = calibration.band(1.0 / _BINS, len(ranks))
    panel.fill_between([0.0, 1.0], low * _BINS, high * _BINS, color="#dddddd", linewidth=0, label="95 % of bins, if right")
    for column in ranks.T:
        panel.stairs(np.histogram(column, edges)[0] * _BINS / len(column), edges, color=figures.ORANGE, linewidth=0.4, alpha=0.5)
    together = np.histogram(ranks, edges)[0] * _BINS / ranks.size
    panel.stairs(together, edges, color=figures.ORANGE, linewidth=2.0, label="all parameters")
    panel.set(xlabel="rank of the truth among the draws", ylabel="density", xlim=(0.0, 1.0), ylim=(0.0, None))
    panel.legend(frameon=False, fontsize=8)


def _tarp(panel: Axes, nearer: np.ndarray) -> None:
    """Expected coverage: the share of mocks whose share of nearer draws is below a level."""
    levels = np.linspace(0.0, 1.0, 101)
    low, high = np.array([calibration.band(level, len(nearer)) for level in levels]).T
    panel.fill_between(levels, low, high, color="#dddddd", linewidth=0, label="95 % of places, if right")
    panel.plot(levels, levels, color=figures.GREY, linewidth=0.8)
    panel.plot(levels, [(nearer <= level).mean() for level in levels], color=figures.ORANGE, linewidth=2.0)
    panel.set(xlabel="credibility (TARP, all parameters)", ylabel="expected coverage", xlim=(0.0, 1.0), ylim=(0.0, 1.0))
    panel.legend(frameon=False, fontsize=8, loc="upper left")
