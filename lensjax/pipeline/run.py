"""The automatic pipeline."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from lensjax.infer import fit
from lensjax.infer.fit import Optimum
from lensjax.light.multi_gaussian import widths
from lensjax.observation.observed import Observed
from lensjax.pipeline import arcs, belief, lens_light, starts, window
from lensjax.pipeline.arcs import Ring
from lensjax.pipeline.lens_light import LensLight
from lensjax.pipeline.window import Window
from lensjax.problems.compose import Composition
from lensjax.problems.galaxy import galaxy

_REACH = 3.5
_RING = Ring(0.25, 3.2)
_RADII = (0.4, 2.6, 14)
_SIDE = 70
_SOFT = (0.15, 0.1)
_BETAS = (0.08, 0.16)
FINAL = 0.1


@dataclass(frozen=True)
class GalaxyFit:
    problem: Composition
    best: Optimum
    others: tuple[Optimum, ...]
    light: LensLight
    window: Window
    observed: Observed
    log: dict


def run(observed: Observed) -> GalaxyFit:
    import time
    log = {}; t = time.time()
    def lap(name):
        nonlocal t
        log[name] = round(time.time() - t, 1); t = time.time()
    data, used = np.asarray(observed.data, np.float64), np.asarray(observed.mask)
    sigma = np.broadcast_to(np.asarray(observed.noise.sigma(observed.data), np.float64), data.shape)
    used = used & (sigma < 1e3 * np.median(sigma[used]))
    taken = observed.instrument
    w = window.around(data, sigma, used, taken, window.centre_of_lens(data, used, taken), reach=_REACH)
    light = lens_light.fit(w.data, w.sigma, w.used, w.taken, reach=_REACH, start=np.array([0, 0, 0.01, 0.0]))
    lap("light")
    seen = arcs.observed_arcs(w, light, _RING)
    first = galaxy(source="multi_gaussian")
    soft = arcs.softened(seen, _SOFT[0])
    known = belief.of(first, light)
    k = first.names.index("q")
    rough = np.stack([np.asarray(first.start(g)) for g in starts.round_lenses(soft, np.geomspace(*_RADII))])
    rough[:, k : k + 2] = np.asarray(known.mean)[k : k + 2]
    ds = fit.descents([fit.coarse(soft, side=_SIDE)], [rough], static=fit.rough(first), beliefs=[known])[0]
    th = lambda p, n: round(float(p.decode(jnp.asarray(n), jnp.ones(p.linear))[2]), 3)
    tc = lambda p, d: [(th(p, a), int(b)) for a, b in zip(d.fit, d.normal.cost)]
    log["coarse"] = tc(first, ds); lap("t_coarse")
    kept = fit.distinct(ds, 4)
    upper = galaxy(source="shapelets", n_max=8)
    sx = first.names.index("source_x")
    known = belief.of(upper, light)
    mid = (0.03 * 0.5) ** 0.5
    begin = np.stack([np.concatenate([n[: sx + 2], [np.log(b / mid)]]) for n in kept for b in _BETAS])
    for turn in range(2):
        ds = fit.descents([fit.coarse(arcs.softened(seen, _SOFT[1]), side=_SIDE)], [begin], static=fit.rough(upper), beliefs=[known])[0]
        log[f"shp{turn}"] = tc(upper, ds); lap(f"t_shp{turn}")
        kept = fit.distinct(ds, 3)
        if turn: break
        soft = arcs.softened(seen, FINAL)
        mine = fit.descents([soft], [kept[0][None]], static=fit.rough(upper), beliefs=[known])[0]
        log["full"] = tc(upper, mine); lap("t_full")
        model = model_of(upper, soft, known, mine.fit[0])
        light = lens_light.fit(w.data - model, w.sigma, w.used, w.taken, reach=_REACH, start=np.array([*light.place, *light.ellipticity]))
        lap("t_light2")
        seen = arcs.observed_arcs(w, light, _RING)
        known = belief.of(upper, light)
        begin = np.stack([mine.fit[0], *kept])
    soft = arcs.softened(seen, FINAL)
    up = fit.descend_from(upper, [soft], [kept[:2]], beliefs=[known])[0]
    log["shp"] = [(th(upper, o.numbers), int(o.cost)) for o in up]; lap("t_final")
    for nm in (4, 12):
        other = galaxy(source="shapelets", n_max=nm)
        ds = fit.descents([fit.coarse(soft, side=_SIDE)], [up[0].numbers[None]], static=fit.rough(other), beliefs=[belief.of(other, light)])[0]
        log[f"n{nm}"] = tc(other, ds)
    lap("t_variants")
    return GalaxyFit(upper, up[0], tuple(up[1:]), light, w, soft, log)


def model_of(problem, seen, known, numbers):
    weight = fit.weight_of(seen, seen.data)
    q = jnp.asarray(numbers, seen.data.dtype)
    found = _equations(problem, seen, q, weight)
    return np.asarray(problem.model(q, found.amplitudes, seen.instrument), np.float64)


@jax.jit
def _dummy(x): return x

from functools import partial
@partial(jax.jit, static_argnames="problem")
def _equations(problem, seen, q, weight):
    return fit.equations_at(problem, seen, q, weight, fit.nuisance_of(seen, weight))
