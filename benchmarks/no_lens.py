"""What fits claim of galaxies, stars and skies without a lens.

    python benchmarks/no_lens.py [--n 100] [--first 0] [--seed 0] [--fit pipeline] [--out results/no_lens] [--plot]

Draws N images, as many of each kind: stars, spirals, ellipticals with companions, edge-on discs, mergers, empty skies, ellipticals with
cosmic rays, and ring galaxies (galaxy_images.py). Fits each as a lens, and counts those with success. In one colour a ring galaxy may
look just as a lens does, so that rings are counted apart. Writes OUT.csv, one row an image, which resumes; --plot writes OUT.png.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from galaxy_fits import fit_of, rows, solved
from galaxy_images import SCENES, no_lens

KINDS = tuple(SCENES)
AMBIGUOUS = ("ring",)
"""Kinds that may look as lenses do."""


def kind_of(number: int) -> str:
    """The kind of an image."""
    return KINDS[number % len(KINDS)]


def row_of(number: int, *, seed: int, fit: str) -> dict[str, object]:
    """One image, and what its fit says."""
    kind = kind_of(number)
    solution, seconds = solved(fit_of(fit), no_lens(np.random.default_rng([seed, number]), kind))
    theta_e = solution.params[0, solution.names.index("theta_E")]
    verdict = {"chi2": solution.chi2[0], "success": bool(solution.success[0]), "status": solution.status[0], "seconds": seconds}
    return {"kind": kind, "theta_E": theta_e} | verdict


def summary(table: pd.DataFrame) -> str:
    """The table that is printed."""
    lines = [f"{'kind':14}{'images':>8}{'success':>9}{'seconds':>9}"]
    for kind, own in table.groupby("kind", sort=False):
        lines.append(f"{kind:14}{len(own):8}{int(own['success'].sum()):9}{own['seconds'].median():9.1f}")
    clear = table[~table["kind"].isin(AMBIGUOUS)]
    lines.append(f"{'all but rings':14}{len(clear):8}{int(clear['success'].sum()):9}{clear['seconds'].median():9.1f}")
    return "\n".join(lines)


def plot(path: Path, *, seed: int) -> None:
    """Two images of each kind."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(KINDS), figsize=(2 * len(KINDS), 4.4), layout="constrained")
    for number, axis in enumerate(axes.ravel()):
        data = np.asarray(no_lens(np.random.default_rng([seed, number]), kind_of(number)).data)
        axis.imshow(np.arcsinh(data), cmap="gray")
        axis.set_title(kind_of(number))
        axis.axis("off")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Draws, fits, counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100, help="images (100)")
    parser.add_argument("--first", type=int, default=0, help="number of the first (0)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fit", default="pipeline", metavar="pipeline|estimate|MODULE:FUNCTION")
    parser.add_argument("--out", type=Path, default=Path("results/no_lens"), help="OUT.csv and OUT.png")
    parser.add_argument("--plot", action="store_true", help="write a figure of the images too")
    flags = parser.parse_args()
    fit_of(flags.fit)
    settings = {"seed": flags.seed, "fit": flags.fit}
    path = flags.out.with_name(f"{flags.out.name}.csv")
    table = rows(path, settings, range(flags.first, flags.first + flags.n), lambda number: row_of(number, **settings))
    print(summary(table))
    print(path)
    if flags.plot:
        plot(path.with_suffix(".png"), seed=flags.seed)


if __name__ == "__main__":
    main()
