"""Files that are either whole or not there."""

import os
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """`text` in the file `path`, by way of a temporary file beside it: a reader never sees half of it."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """As `write_text`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    temporary.write_bytes(content)
    os.replace(temporary, path)
