"""Tables of estimates, one row an image.

For each parameter <name>, <name>_err (1σ; inf where the image does not tell it) and <name>_network; then chi2, success, status; then
for each parameter <name>_low and <name>_high (certified bounds), and method, fit, violated, shift_x, shift_y. What is not
known is left empty. Units are those of `cosmosim`: pixels, degrees, chi in percent.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lensjax._internal.numbers import shortest as number
from lensjax.files.whole import write_bytes
from lensjax.formats.cosmosim.parameters import PERCENT
from lensjax.refine import Solution

_AFTER = ("chi2", "success", "status")
_LAST = ("method", "fit", "violated", "shift_x", "shift_y")


def columns(names: Sequence[str]) -> list[str]:
    """Headings for parameters of these names."""
    own = [name + suffix for name in names for suffix in ("", "_err", "_network")]
    bounds = [name + suffix for name in names for suffix in ("_low", "_high")]
    return ["filename", *own, *_AFTER, *bounds, *_LAST]


def row(
    filename: str,
    *,
    names: Sequence[str],
    network: np.ndarray | None,
    solution: Solution | None,
    index: int = 0,
) -> dict[str, str]:
    """The cells of one image, those that are known.

    Args:
        filename: name of the image.
        names: names of the P parameters.
        network: (P,) the network's answer, or None.
        solution: refined images, or None: then the network's answer stands as the estimate.
        index: which of the solution's images.
    """
    cells = {"filename": filename}
    if network is not None:
        cells |= _cells(names, "_network", network)
    if solution is None:
        if network is not None:
            cells |= _cells(names, "", network)
        return cells | {"status": "network"}
    return {
        **cells,
        **_cells(names, "", solution.params[index]),
        **_cells(names, "_err", solution.errors[index]),
        **_cells(names, "_low", solution.lowest[index]),
        **_cells(names, "_high", solution.highest[index]),
        "chi2": _text(solution.chi2[index], "{:.6g}"),
        "success": str(bool(solution.success[index])),
        "status": solution.status[index],
        "method": solution.method[index],
        "fit": solution.kind[index],
        "violated": _text(solution.violated[index], "{:.0f}"),
        **{
            name: "" if np.isnan(value) else number(float(value))
            for name, value in zip(("shift_x", "shift_y"), solution.shift[index], strict=True)
        },
    }


def write(path: str | Path, rows: Sequence[dict[str, str]], *, names: Sequence[str]) -> None:
    """Writes the table; the file is there whole or not at all.

    Raises:
        BadInput: it cannot be written there.
    """
    content = io.StringIO()
    writer = csv.DictWriter(content, columns(names), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(Path(path), content.getvalue().encode())


def _cells(names: Sequence[str], suffix: str, values: np.ndarray) -> dict[str, str]:
    """Numbers as text, to ten figures; NaN, which is no number, as nothing."""
    scaled = [float(v) * 100.0 if n in PERCENT else float(v) for n, v in zip(names, values, strict=True)]
    return {n + suffix: "" if np.isnan(v) else f"{v:.10g}" for n, v in zip(names, scaled, strict=True)}


def _text(value: float, form: str) -> str:
    """The number as text; NaN, of an image without a fit, as nothing."""
    return "" if np.isnan(value) else form.format(value)
