"""Draws from the posterior of each fit, as files beside the table of results."""

from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from lensjax.files.whole import check_folder, write_text
from lensjax.infer import nuts, posterior
from lensjax.infer.fit import Belief, Optimum
from lensjax.observation.sky import SkyImage
from lensjax.pipeline.run import moved
from lensjax.problems.compose import Composition
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

    def write(
        self,
        stem: str,
        problem: Composition,
        image: SkyImage,
        optimum: Optimum,
        offset: tuple[float, float] = (0.0, 0.0),
        belief: Belief | None = None,
        beyond: float = 0.0,
    ) -> str:
        """Writes the draws of one fit, fluxes in the file's unit, and returns their diagnostics in words.

        Args:
            stem: name of the files.
            problem, image, optimum: the fit.
            offset: x and y of the fit's origin in the whole image, whose origin that of the draws is.
            belief: what the fit had in place of the problem's prior.
            beyond: error of theta_E beside that of the image's noise [arcsec]; each draw gets one.

        Raises:
            BadInput: a file cannot be written.
        """
        own = posterior.sample(problem, image.observed, optimum, draws=self.count, seed=self.seed, belief=belief)
        draws = own.draws.copy()
        draws[:, len(problem.names) - problem.linear :] *= image.scale
        draws = moved(problem, draws, offset)
        if beyond:
            draws[:, problem.names.index("theta_E")] += np.random.default_rng(self.seed).normal(scale=beyond, size=len(draws))
        lines = [",".join(problem.names), *(",".join(f"{value:.8g}" for value in row) for row in draws.tolist())]
        write_text(self.folder / f"{stem}.csv", "\n".join(lines) + "\n")
        best = np.asarray(problem.decode(jnp.asarray(optimum.numbers), jnp.asarray(optimum.amplitudes * image.scale)), np.float64)
        if len(draws):
            corner.draw(self.folder / f"{stem}.png", problem, draws, best=moved(problem, best[None], offset)[0])
        return own.words


def folder_of(out: Path) -> Path:
    """The folder of draws beside a table of results."""
    return out.with_name(f"{out.stem}-posterior")
