"""Draws from the posterior of each fit, as files beside the table of results."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from lensjax.files.whole import check_folder, write_text
from lensjax.infer import nuts, posterior
from lensjax.infer.posterior import Mode
from lensjax.pipeline.run import moved
from lensjax.report import corner


@dataclass(frozen=True)
class Draws:
    """Where draws go.

    Attributes:
        folder: of NAME.csv, one row a draw, and NAME.png, a corner plot.
        count: draws of each image.
        seed: of the random numbers.
    """

    folder: Path
    count: int
    seed: int = 0

    def check(self) -> None:
        """Whether draws can be made and written, before hours are spent.

        Raises:
            BadInput: a package is missing, or the folder cannot be written to.
        """
        nuts.check()
        corner.check()
        check_folder(self.folder)

    def write(self, stem: str, mode: Mode, say: Callable[[str], None] = lambda words: None) -> str:
        """Writes the draws of one fit, fluxes in the file's unit, and returns their diagnostics in words.

        Each image has random numbers of its own, by its name. Each draw gets an error of theta_E beside that of the image's noise.

        Args:
            stem: name of the files.
            mode: the fit.
            say: called with words about what is done.

        Raises:
            BadInput: a file cannot be written.
        """
        problem, scale, optimum = mode.problem, mode.image.scale, mode.optimum
        chains, rest = np.random.SeedSequence([self.seed, zlib.crc32(stem.encode())]).generate_state(2).tolist()
        own = posterior.sample(problem, mode.image.observed, optimum, draws=self.count, seed=chains, belief=mode.belief, say=say)
        draws = own.draws.copy()
        draws[:, len(problem.names) - problem.linear :] *= scale
        draws = moved(problem, draws, mode.offset)
        if mode.beyond:
            draws[:, problem.names.index("theta_E")] += np.random.default_rng(rest).normal(scale=mode.beyond, size=len(draws))
        lines = [",".join(problem.names), *(",".join(f"{value:.8g}" for value in row) for row in draws.tolist())]
        write_text(self.folder / f"{stem}.csv", "\n".join(lines) + "\n")
        best = np.asarray(problem.decode(jnp.asarray(optimum.numbers), jnp.asarray(optimum.amplitudes * scale)), np.float64)
        if len(draws):
            corner.draw(self.folder / f"{stem}.png", problem, draws, best=moved(problem, best[None], mode.offset)[0])
        return own.words


def folder_of(out: Path) -> Path:
    """The folder of draws beside a table of results."""
    return out.with_name(f"{out.stem}-posterior")
