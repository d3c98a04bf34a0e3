"""Where files may go, and how they get there whole."""

import os
from pathlib import Path

from lensjax.errors import BadInput


def write_text(path: Path, text: str) -> None:
    """`text`, as `write_bytes`."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """`content` in the file `path`, by way of a temporary name in the same folder; folders are made.

    Raises:
        BadInput: it cannot be written there.
    """
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror or error}") from None


def make_folder(path: Path) -> None:
    """Makes the folder `path` where it is not there.

    Raises:
        BadInput: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{path}: the folder cannot be made: {error.strerror or error}") from None


def check_file(path: Path) -> None:
    """Whether a file can be written at `path`, before hours are spent on what goes into it; writes nothing.

    Raises:
        BadInput: it is a folder, or its folder cannot be made or written to.
    """
    if not path.name or path.is_dir():
        raise BadInput(f"{path}: this is a folder; the name of a file is asked for")
    check_folder(path.parent)


def check_folder(path: Path) -> None:
    """Whether files can be written in the folder `path`, which need not exist yet; writes nothing.

    Raises:
        BadInput: they cannot.
    """
    try:
        nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    except (OSError, StopIteration) as error:
        raise BadInput(f"{path}: cannot be written to: {error}") from None
    if not nearest.is_dir():
        raise BadInput(f"{path}: {nearest} is a file; a folder is asked for")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise BadInput(f"{path}: the folder {nearest} cannot be written to")
