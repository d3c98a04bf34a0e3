"""Recognises the kind of a file, and runs the checks of that kind."""

from collections.abc import Iterator
from pathlib import Path

from lensjax._internal import words
from lensjax.doctor import cells, cosmosim, targets
from lensjax.doctor.amplitudes import check_amplitudes
from lensjax.doctor.findings import SEVERITIES, Finding
from lensjax.doctor.predictions import check_predictions, is_predictions
from lensjax.doctor.systems import Systems
from lensjax.doctor.table import Table, check_filenames
from lensjax.doctor.toml import check_toml
from lensjax.errors import BadInput

_OF_SYSTEMS = ("einsteinradius", "einsteinR", "ellipseratio", "cluster", "sigma", "sigma2", "theta", "x", "y", "source", "lens", "chi")

_CHECKS = (
    cells.check_refused,
    cells.check_columns,
    cells.check_empty_cells,
    cells.check_names,
    targets.check_units,
    cosmosim.check_rendering,
    cosmosim.check_canvas,
    targets.check_targets,
    targets.check_cosmo_ml,
)
"""Checks of a table of systems."""


def examine(path: str | Path, *, labels: str | Path | None = None) -> list[Finding]:
    """The findings of a file, errors first.

    Args:
        path: a CSV or TOML file.
        labels: the table of true values that a table of predictions belongs to.

    Raises:
        BadInput: a file that cannot be read, or is of no known kind; labels that do not belong to it.
    """
    path = Path(path)
    if path.suffix.lower() == ".toml":
        if labels is not None:
            raise BadInput("this is a TOML file", path=path, expected="with --labels, a table of predictions")
        findings = check_toml(path)
    else:
        findings = _check_table(Table.read(path), None if labels is None else Table.read(labels))
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def _check_table(table: Table, labels: Table | None) -> Iterator[Finding]:
    """The checks of a table's kind."""
    if labels is not None or is_predictions(table):
        yield from check_predictions(table, labels)
    elif any(name.startswith(("alpha[", "beta[")) for name in table.columns):
        yield from check_filenames(table)
        yield from check_amplitudes(table)
    elif sum(name in _OF_SYSTEMS for name in table.columns) >= 2:
        yield from check_filenames(table)
        systems = Systems(table)
        for check in _CHECKS:
            yield from check(systems)
    else:
        expected = "a table of systems, of amplitudes, or (with --labels) of predictions"
        raise BadInput(f"the table is of no known kind: its columns are {words.listed(table.columns)}", path=table.path, expected=expected)
