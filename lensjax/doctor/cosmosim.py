"""Rows of a table of systems that CosmoSim 3.3 renders in another way than the table says."""

from collections.abc import Iterator

import numpy as np

from lensjax.doctor.findings import Finding
from lensjax.doctor.systems import HIGHEST_ORDER, SMALLEST_SOURCE, Systems, sersic_peak
from lensjax.errors import BadInput
from lensjax.formats.cosmosim.names import ROUND
from lensjax.formats.cosmosim.strings import cluster


def check_rendering(systems: Systems) -> Iterator[Finding]:
    """Roulettes, Sérsic profiles and sizes of images."""
    table, roulette = systems.table, systems.roulette
    for lens, highest in HIGHEST_ORDER.items():
        high = (systems.lens == lens) & (table.numbers("nterms") > highest)
        yield from table.in_rows("order-rendered", "nterms", high & roulette, value=lens, most=highest)
        yield from table.in_rows("order-written", "nterms", high & ~roulette, value=lens, most=highest)
    wrong = np.zeros(len(table), bool)
    for k in np.flatnonzero(roulette & (systems.lens == "Cluster")):
        try:
            masses = cluster(table.cells("cluster")[k])
        except BadInput:
            continue  # `check_refused` reports it
        wrong[k] = any(mass.x or mass.y or mass.kind != masses[0].kind for mass in masses)
    yield from table.in_rows("cluster-roulette", "cluster", wrong)
    x, y = systems.place
    yield from table.in_rows("source-behind-lens", "x", roulette & (systems.lens != "Cluster") & (x == 0) & (y == 0))
    yield from table.in_rows("sampled-roulette", "sampled", roulette & table.yes("sampled"))
    yield from table.in_rows("mask-SIE", "mask", roulette & table.yes("mask") & systems.sie)
    yield from table.in_rows("xireference-off", "xireference", table.no("xireference"))
    unequal = table.numbers("sigma", 20.0) != table.numbers("sigma2", 10.0)
    yield from table.in_rows("sersic-axes", "source", systems.sersic & systems.elliptical & unequal)
    bright = sersic_peak(systems) > 255.5
    yield from table.in_rows("sersic-bright", "luminosity" if "luminosity" in table else "source", bright, value=bright.sum())
    yield from table.in_rows("imagesize-odd", "imagesize", table.numbers("imagesize") % 2 == 1)


def check_canvas(systems: Systems) -> Iterator[Finding]:
    """Sources that are too small or too large, and images that leave the canvas."""
    table, canvas, reach = systems.table, systems.canvas, systems.reach
    side = f"{np.nanmin(canvas):g}" if np.isfinite(canvas).any() else "?"
    for name, rows in (("sigma", systems.elliptical | np.isin(systems.source, ROUND)), ("sigma2", systems.elliptical)):
        values = table.numbers(name)
        yield from table.in_rows("source-small", name, rows & (values > 0) & (values < SMALLEST_SOURCE))
        yield from table.in_rows("source-large", name, rows & ~systems.sersic & (3.0 * values > canvas / 2), value=side)
    off = reach > canvas / 2
    far = f"{np.nanmax(reach, initial=0.0):.4g}"
    yield from table.in_rows("image-off-canvas", "x" if "x" in table else "filename", off, far=far, value=side)
    crop = table.numbers("cropsize")
    cropped = ~table.yes("centred") & (crop > 0) & (crop < canvas) & (reach > crop / 2) & ~off
    yield from table.in_rows("image-cropped-away", "cropsize", cropped)
    yield from table.in_rows("cropsize-large", "cropsize", crop > canvas)
