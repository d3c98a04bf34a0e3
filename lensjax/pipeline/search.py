"""Descents on the arcs of one image, and what is known of the lens meanwhile."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from lensjax.infer import fit
from lensjax.infer.fit import Belief, Optimum
from lensjax.infer.levenberg_marquardt import Descent
from lensjax.pipeline import arcs, belief, lens_light
from lensjax.pipeline.arcs import Ring
from lensjax.pipeline.lens_light import LensLight
from lensjax.pipeline.options import Options
from lensjax.pipeline.window import Window
from lensjax.problems.compose import Composition

_INNER = 0.25  # arcsec: the middle of the lens galaxy, where its light leaves no arcs to be seen

SOFT = (0.15, 0.1)
"""Part of the arcs' light that is an error of the model: with a source of Gaussians, and after it."""

_FIRM = (16.0, 4.0)  # factors on the belief's precision: while modes are searched, and where the arcs are not explained to the noise
_COARSE = 0.1  # arcsec: about a pixel of the coarse copy


class Search:
    """The arcs of one image, and descents on them; `say` takes words about what is done."""

    def __init__(self, window: Window, options: Options, say: Callable[[str], None]) -> None:
        self.window, self.options, self.say = window, options, say
        self.light: LensLight | None = None
        self.ring = Ring(_INNER if options.lens_light else 0.0, options.outer)
        self.take_off(np.zeros_like(window.data))

    def take_off(self, of_arcs: np.ndarray) -> None:
        """Fits the lens's light in the window without arcs (h, w)."""
        own = self.window
        self.say("lens light")
        if self.options.lens_light:
            start = np.array([0.0, 0.0, 0.01, 0.0]) if self.light is None else np.array([*self.light.place, *self.light.ellipticity])
            self.light = lens_light.fit(own.data - of_arcs, own.sigma, own.used, own.taken, reach=self.options.reach, start=start)
        self.seen = arcs.observed_arcs(own, self.light, self.ring)

    def coarse(self, problem: Composition, begin: np.ndarray, *, soft: float, steps: int | None = None) -> Descent:
        """Descents (S,) on a coarse copy."""
        small = fit.coarse(arcs.softened(self.seen, soft), side=round(2.0 * self.options.reach / _COARSE))
        known = belief.of(problem, self.light, firm=_FIRM[0])
        static = fit.rough(problem) | ({} if steps is None else {"steps": steps})
        return fit.descents([small], [begin], static=static, beliefs=[known])[0]

    def plain(self, problem: Composition, begin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Numbers (E,) and model (h, w) of a descent on the arcs."""
        soft, known = arcs.softened(self.seen, SOFT[1]), belief.of(problem, self.light, firm=_FIRM[0])
        numbers = fit.descents([soft], [begin[None]], static=fit.rough(problem), beliefs=[known])[0].fit[0]
        at = jnp.asarray(numbers, soft.data.dtype)
        found = fit.equations(problem, soft, at, known)
        return np.asarray(numbers, np.float64), np.asarray(problem.model(at, found.amplitudes, soft.instrument), np.float64)

    def final(self, problem: Composition, begin: list[np.ndarray], *, soft: float) -> list[Optimum]:
        """Optima on the arcs, best first."""
        return fit.descend_from(problem, [arcs.softened(self.seen, soft)], [begin], beliefs=[self.belief(problem, soft=soft)])[0]

    def belief(self, problem: Composition, *, soft: float) -> Belief:
        """What is believed of the numbers in the last fit, whose noise has a part `soft` of the arcs' light in it."""
        return belief.of(problem, self.light, firm=1.0 if soft == 0 else _FIRM[1])
