"""Tables of roulette amplitudes, to render images from or to learn."""

from collections.abc import Iterator, Mapping

import numpy as np

from lensjax.doctor.cells import refused
from lensjax.doctor.findings import Finding
from lensjax.doctor.systems import HIGHEST_ORDER, Systems
from lensjax.doctor.table import Table
from lensjax.doctor.targets import check_targets
from lensjax.errors import BadInput
from lensjax.formats.cosmosim import amplitudes


def check_amplitudes(table: Table) -> Iterator[Finding]:
    """All checks of a table of amplitudes; where they find no error, the error of reading it."""
    findings = list(_check(table))
    yield from findings
    if {"filename", "xiX", "xiY"} <= set(table.columns) and not any(finding.severity == "error" for finding in findings):
        try:
            amplitudes.read(table.path)
        except BadInput as error:
            if error.column != "filename":  # `check_filenames` reports those
                yield refused(error, table.path, line=error.line)


def _check(table: Table) -> Iterator[Finding]:
    """Headings, amplitudes, and targets."""
    try:
        headings = amplitudes.headings(table.path, table.columns)
    except BadInput as error:
        columns = (error.column,) if error.column else ()
        values = {"reason": error.problem, "expected": error.expected}
        yield Finding("heading-wrong", table.path, line=1, columns=columns, values=values)
        return
    numbers = {name: table.numbers(name, 0.0) for name in headings}
    wrong = next((name for name, column in numbers.items() if np.isnan(column).any()), None)
    if wrong is not None:
        yield from table.in_rows("amplitude-not-a-number", wrong, np.isnan(numbers[wrong]))
    if "chi" in table and "xiX" not in table:
        yield table.in_header("amplitudes-of-2023")
    elif "source" in table or "xiX" in table:
        yield from _check_resimulation(table, headings)
    yield from _check_orders(table, headings, numbers)
    constant = [name for name, column in numbers.items() if len(table) > 1 and column.max() == column.min()]
    if constant:
        yield table.in_columns("amplitude-constant", constant[0], value=len(constant) - 1)
    if "source" in table:
        yield from check_targets(Systems(table))


def _check_orders(table: Table, headings: Mapping[str, tuple[int, int, int]], values: Mapping[str, np.ndarray]) -> Iterator[Finding]:
    """Orders that CosmoSim does not know."""
    high = [name for name, (_, m, _) in headings.items() if m > HIGHEST_ORDER["SIE"]]
    low = [name for name in headings if name not in high]
    if high and low:
        zero = np.max([np.abs(values[name]) for name in high], axis=0) == 0
        yield from table.in_rows("amplitudes-zero", high[0], zero & (np.max([np.abs(values[name]) for name in low], axis=0) > 0))
    beyond = next((name for name, (_, m, _) in headings.items() if m > HIGHEST_ORDER["SIS"]), None)
    if beyond is not None:
        yield table.in_columns("order-above-50", beyond)


def _check_resimulation(table: Table, headings: Mapping[str, tuple[int, int, int]]) -> Iterator[Finding]:
    """A table of amplitudes to render images from."""
    for name in ("xiX", "xiY"):
        if name not in table:
            yield table.in_header("xi-missing", column=name)
        else:
            yield from table.in_rows("xi-empty", name, table.empty(name))
    if "source" not in table:
        yield table.in_header("source-missing")
    if not {"einsteinradius", "einsteinR", "cluster"} & set(table.columns):
        yield table.in_header("lens-missing")
    nterms = max(m for _, m, _ in headings.values())
    known = set(headings.values())
    missing = [(m, s) for m, s in amplitudes.orders(nterms) if m > 0 and not {(0, m, s), (1, m, s)} & known]
    if missing:
        yield table.in_header("amplitudes-missing", value=len(missing), most=nterms, m=missing[0][0], s=missing[0][1])
    names = {order: name for name, order in headings.items()}
    if "offsetY" in table and (0, 0, 1) in names and (1, 0, 1) in names:
        offset, difference = table.numbers("offsetY"), table.numbers(names[0, 0, 1]) - table.numbers(names[1, 0, 1])
        wrong = (np.abs(offset) > 0.05) & (np.abs(offset - difference) < 0.02 + 1e-3 * np.abs(difference))
        yield from table.in_rows("offsetY-wrong", "offsetY", wrong)
