"""How a data set is split: in the order of its table, as droulette does, first for training, then for the test, then for validation."""

from typing import NamedTuple

from lensjax._internal.numbers import finite, whole
from lensjax.errors import BadInput

EXPECTED = 'images for training, test and validation, such as ",0.2,0.05" or "15000,4000,1000": counts, or shares below 1; one may be empty'


class Split(NamedTuple):
    """Rows of a table, by what they are for."""

    training: range
    test: range
    validation: range

    @property
    def watched(self) -> range:
        """Rows on which a run is evaluated as it trains: the validation images, or without any the test images."""
        return self.validation or self.test


def sizes(text: str) -> tuple[float | None, ...]:
    """The three numbers of a split; None for an empty one.

    Raises:
        BadInput: they are something else.
    """
    parts = [part.strip() for part in text.split(",")]
    values = [_size(part) for part in parts]
    known = all(value is not None or not part for value, part in zip(values, parts, strict=True))
    if len(parts) != 3 or not known or parts.count("") > 1:
        raise BadInput(column="split", value=text, expected=EXPECTED)
    return tuple(values)


def split(text: str, count: int) -> Split:
    """The rows of a table of `count` images; those beyond the three parts are not used.

    Raises:
        BadInput: not a split, more images than there are, or none for training or none to evaluate on.
    """
    given = sizes(text)
    counts = [None if size is None else int(size * count) if 0 < size < 1 else int(size) for size in given]
    taken = sum(size for size in counts if size is not None)
    training, test, validation = (count - taken if size is None else size for size in counts)
    if taken > count:
        raise BadInput(f"{taken} of {count} images", column="split", value=text, expected=f"{count} images or fewer")
    if training < 1 or test < 1:
        hint = f"of {count} images {training} are for training, {test} for the test, {validation} for validation"
        raise BadInput(column="split", value=text, expected="one image or more for training, and for the test", hint=hint)
    return Split(range(training), range(training, training + test), range(training + test, training + test + validation))


def _size(text: str) -> float | None:
    """A count or a share; None for something else."""
    number = whole(text, 0, 10**9)
    if number is not None:
        return float(number)
    share = finite(text)
    return share if 0 < share < 1 else None
