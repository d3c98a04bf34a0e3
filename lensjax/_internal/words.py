"""Words for messages: values, lists of names, counts, and the nearest known name."""

import difflib
from collections.abc import Iterable


def shown(value: object, most: int = 60) -> str:
    """A value for a message: text quoted, in one line of plain characters, and never long."""
    if isinstance(value, str):
        return ascii(value) if len(value) <= most else f"{ascii(value[:most])}…"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**most:
        return f"a number of more than {most} digits"
    text = str(value)
    return ascii(text)[1:-1] if len(text) <= most else f"{ascii(text[:most])[1:-1]}…"


def name(text: str) -> str:
    """A name for a message: as it is where it is short and printable, otherwise quoted."""
    return text if text.isprintable() and 0 < len(text) <= 60 else shown(text)


def listed(names: Iterable[str], most: int = 20) -> str:
    """Names with commas between them; "none" without any."""
    known = [name(text) for text in names if text]
    return (", ".join(known[:most]) + (", …" if len(known) > most else "")) or "none"


def one_of(names: Iterable[str]) -> str:
    """ "A, B or C"."""
    *most, last = [name(text) for text in names]
    return f"{', '.join(most)} or {last}" if most else last


def counted(count: int, noun: str) -> str:
    """ "1 image", "2 images"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def nearest(word: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The known name nearest to `word`; None where none is near. Exchanged letters count as near."""
    word = word.strip().lower()[:60]
    names = {text.lower(): text for text in known}
    candidates = difflib.get_close_matches(word, names, cutoff=cutoff)
    swapped = [text for text in candidates if sorted(text) == sorted(word)]
    return names[(swapped + candidates)[0]] if candidates else None


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """ "did you mean sigma?", the hint of a `BadInput`; empty where no known name is near `word`."""
    near = nearest(word, known, cutoff)
    return "" if near is None else f"did you mean {near}?"
