"""Numbers of a table that a network cannot learn from the images, or that are in other units than programs expect."""

import math
from collections.abc import Iterator

import numpy as np

from lensjax.doctor.findings import Finding
from lensjax.doctor.systems import Systems

_TURN = 2 * math.pi + 1e-6
_MOST_ANGLES = 10  # fewer distinct angles can be small by chance


def check_units(systems: Systems) -> Iterator[Finding]:
    """Numbers that are probably in other units."""
    table = systems.table
    chi = table.numbers("chi")
    if systems.of_2023 and np.isfinite(chi).any() and np.nanmax(chi) <= 1.0:
        yield table.in_columns("chi-fraction", "chi", value=f"{np.nanmax(chi):g}")
    for name, rows in (("theta", systems.elliptical), ("orientation", systems.sie)):
        angles = np.unique(table.numbers(name)[rows])
        angles = angles[np.isfinite(angles)]
        if len(angles) >= _MOST_ANGLES and np.abs(angles).max() <= _TURN and (angles != np.rint(angles)).mean() > 0.5:
            yield table.in_columns("angle-radians", name, value=f"{np.abs(angles).max():.3g}")
    if {"phi", "x", "y"} <= set(table.columns):
        phi, x, y = (table.numbers(name) for name in ("phi", "x", "y"))
        known = np.isfinite(phi + x + y) & (np.hypot(x, y) > 0)
        if known.any() and np.allclose(phi[known], np.arctan2(x, y)[known], atol=1e-3):
            yield table.in_columns("phi-of-generator", "phi")
    yield from table.in_rows("ratio-above-1", systems.ratio_column, systems.sie & (table.numbers(systems.ratio_column) > 1.0))


def check_targets(systems: Systems) -> Iterator[Finding]:
    """Numbers that the images do not show."""
    table = systems.table
    sigma, sigma2, theta = table.numbers("sigma", 20.0), table.numbers("sigma2", 10.0), table.numbers("theta", 45.0)
    single = ~np.isin(systems.source, ("", "Constellation"))
    single_lens = ~np.isin(systems.lens, ("", "Cluster"))
    not_shown = {
        "sigma2": ("unseen-shape", single & ~systems.elliptical),
        "theta": ("unseen-shape", single & ~systems.elliptical & (systems.source != "Triangle")),
        "n_sersic": ("unseen-profile", single & ~systems.sersic),
        "luminosity": ("unseen-profile", single & ~systems.sersic),
        "ellipseratio": ("unseen-lens", single_lens & ~systems.sie),
        "orientation": ("unseen-lens", single_lens & ~systems.sie),
    }
    for name, (code, rows) in not_shown.items():
        values = table.numbers(name)[rows]
        values = values[np.isfinite(values)]
        if len(values) > 1 and values.max() > values.min():
            yield from table.in_rows(code, name, rows)
    ellipse, count = systems.elliptical, len(table)
    equal, below = ellipse & (sigma == sigma2), ellipse & (sigma < sigma2)
    yield from table.in_rows("source-round", "theta", equal, value=f"{equal.sum()} of {count}")
    if (ellipse & (sigma > sigma2)).any():
        yield from table.in_rows("axes-exchanged", "sigma", below, value=f"{below.sum()} of {count}")
    yield from table.in_rows("theta-beyond-180", "theta", ellipse & ((theta < 0) | (theta >= 180)))
    yield from table.in_rows("lens-round", systems.ratio_column, systems.sie & (table.numbers(systems.ratio_column, 0.6) == 1.0))
    chi = table.numbers("chi")
    if systems.of_2023 and np.isfinite(chi).any() and np.nanmin(chi) < np.nanmax(chi):
        yield table.in_columns("chi-degenerate", "chi")


def check_cosmo_ml(systems: Systems) -> Iterator[Finding]:
    """Columns that Cosmo-ML and CosmoSim of 2023 read differently."""
    table = systems.table
    if not systems.of_2023:
        return
    if "filename" in table and (list(table.columns).index("filename") != 1 or "index" not in table):
        yield table.in_columns("filename-second-column", "filename")
    zeros = np.array([len(text) > 1 and text[0] == "0" and text.isdecimal() for text in table.cells("index")])
    if zeros.any():
        value = table.cells("index")[int(np.argmax(zeros))]
        yield from table.in_rows("index-zeros", "index", zeros, value=value, number=int(value))
