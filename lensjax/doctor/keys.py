"""Tables and keys of a TOML file that a program does not know, and values in such files."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from lensjax._internal import words
from lensjax.doctor.findings import Finding, misspelt

Known = Mapping[str, Sequence[str]]
"""Keys that a program knows, by table."""


def unknown_tables(path: str, loaded: Mapping[str, Any], known: Known, program: str, *, top: Sequence[str] = ()) -> Iterator[Finding]:
    """Tables and keys that a program ignores without a message.

    Args:
        path: the file.
        loaded: its content.
        known: the tables and keys that the program knows.
        program: its name.
        top: keys that it reads above all tables.
    """
    for name, table in loaded.items():
        if name in top:
            continue
        if name not in known:
            hint = _home(name, known) or misspelt(name, known)
            code = "table-misspelt" if hint else "table-unknown"
            yield Finding(code, path, key=words.name(name), values={"program": program}, hint=hint)
        elif not isinstance(table, dict):
            yield Finding("table-expected", path, key=name, values={"program": program, "value": name})
        else:
            yield from unknown_keys(path, name, table, known[name], program, elsewhere=known)


def unknown_keys(
    path: str, table: str, keys: Mapping[str, Any], known: Sequence[str], program: str, *, elsewhere: Known | None = None
) -> Iterator[Finding]:
    """Keys of one table that a program ignores without a message; "" is the top of the file."""
    for key in keys:
        if key not in known:
            hint = misspelt(key, known) or _home(key, elsewhere or {})
            place = f"[{table}] {words.name(key)}" if table else words.name(key)
            yield Finding("key-misspelt" if hint else "key-unknown", path, key=place, values={"program": program}, hint=hint)


def values_of(value: object) -> list[Any]:
    """A list, or the list of one value; empty for None."""
    return value if isinstance(value, list) else [] if value is None else [value]


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number below 1e300."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def table_of(loaded: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A table; an empty one where the file has no such table."""
    table = loaded.get(name)
    return table if isinstance(table, dict) else {}


def _home(key: str, known: Known) -> str:
    """The table that a key belongs to, as a hint."""
    return next((f"did you mean [{table}] {key}?" for table, keys in known.items() if key in keys), "")
