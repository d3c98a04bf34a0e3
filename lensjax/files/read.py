"""Reading a file: the errors of the system as one line for the user."""

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lensjax.errors import BadInput


@contextmanager
def readable(path: str | Path, expected: str) -> Iterator[None]:
    """Raises `BadInput` for any error of the system inside the block.

    Args:
        path: the file.
        expected: what it should be, such as "a CSV file".
    """
    try:
        yield
    except BadInput:
        raise
    except FileNotFoundError:
        raise BadInput("no such file", path=path) from None
    except IsADirectoryError:
        raise BadInput("this is a folder", path=path, expected=expected) from None
    except NotADirectoryError:
        raise BadInput("part of this path is a file, not a folder", path=path) from None
    except PermissionError:
        raise BadInput("the file cannot be read: permission denied", path=path) from None
    except OSError as error:
        raise BadInput(f"the file cannot be read: {' '.join(str(error.strerror or error).split())}", path=path) from None


def read_bytes(path: str | Path, expected: str) -> bytes:
    """A file's bytes.

    Raises:
        BadInput: it cannot be read.
    """
    if "\0" in str(path):
        raise BadInput("a name with a zero byte", value=str(path), expected=expected)
    with readable(path, expected):
        return Path(path).read_bytes()


def read_json(path: str | Path) -> Any:
    """A JSON file.

    Raises:
        BadInput: it cannot be read, or is not JSON.
    """
    content = read_bytes(path, "a JSON file")
    try:
        return json.loads(content.decode())
    except RecursionError:
        raise BadInput("not a JSON file: too deeply nested", path=path) from None
    except ValueError as error:  # also what is no UTF-8
        raise BadInput(f"not a JSON file: {ascii(str(error)[:200])[1:-1]}", path=path) from None


def read_toml(path: str | Path) -> dict[str, Any]:
    """A TOML file.

    Raises:
        BadInput: it cannot be read, or is not TOML.
    """
    content = read_bytes(path, "a TOML file")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except RecursionError:
        raise BadInput("not a TOML file: too deeply nested", path=path) from None
    except ValueError as error:  # also where the text is not UTF-8
        raise BadInput(f"not a TOML file: {ascii(str(error)[:200])[1:-1]}", path=path) from None
