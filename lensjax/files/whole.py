"""Where files may go, and how they get there whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lensjax.errors import BadInput


def write_text(path: Path, text: str) -> None:
    """`text`, as `write_bytes`."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_bytes(path: Path, content: bytes) -> None:
    """`content` in the file `path`, by way of a temporary name in the same folder; missing folders are created.

    Raises:
        BadInput: it cannot be written there.
    """
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Raises `BadInput` for any error of the system inside the block: the file cannot be written."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"cannot be written: {reason}", path=path) from None


def make_folder(path: Path) -> None:
    """Creates the folder `path` if it does not exist.

    Raises:
        BadInput: it cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise BadInput(f"the folder cannot be created: {getattr(error, 'strerror', None) or error}", path=path) from None


def check_file(path: Path) -> None:
    """Whether a file can be written at `path`, before hours are spent on what goes into it; writes nothing.

    Raises:
        BadInput: it is a folder, or its folder cannot be created or written to.
    """
    if not path.name or path.is_dir():
        raise BadInput("this is a folder", path=path, expected="the name of a file")
    check_folder(path.parent)


def check_folder(path: Path) -> None:
    """Whether files can be written in the folder `path`, which need not exist yet; writes nothing.

    Raises:
        BadInput: they cannot.
    """
    try:
        nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    except (OSError, ValueError, StopIteration) as error:
        raise BadInput(f"cannot be written to: {error}", path=path) from None
    if not nearest.is_dir():
        raise BadInput(f"{nearest} is a file", path=path, value=str(nearest), expected="a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise BadInput(f"the folder {nearest} cannot be written to", path=path)
