"""The journal of a run: after an interruption, the next run of the same task resumes from it."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

from lensjax import __version__
from lensjax.errors import BadInput


def fingerprint(parts: Iterable[object]) -> str:
    """A name for a task: the same for parts of the same `repr`, and for this version of LensJAX."""
    digest = hashlib.sha256(__version__.encode())
    for part in parts:
        digest.update(f"{part!r}\n".encode())
    return digest.hexdigest()


class Journal:
    """A file with a line that names the task, and below it an entry in JSON for each thing that is done.

        with Journal(path, task) as journal:
            done = [entry for _, entry in journal]
            journal.add(["image.png", 1.0, 2.0])
            journal.finished = True

    A file of another task, or one that is no journal, is begun anew. When `finished` is set, the file is removed at the end of the
    block; otherwise it stays.

    Args:
        path: where.
        task: its fingerprint.

    Attributes:
        finished: whether nothing remains to be done.

    Raises:
        BadInput: it cannot be written there.
    """

    def __init__(self, path: Path, task: str) -> None:
        self.path, self.task, self.finished = path, task, False
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "Journal":
        try:
            self._file = self.path.open("ab+")
            self._file.seek(0)
            resumed = self._file.readline() == f"{self.task}\n".encode()
            if not resumed:
                self._file.truncate(0)
            self._file.seek(0, 2)
            # A line break first: the last line may be incomplete if the run was killed.
            self._file.write(b"\n" if resumed else f"{self.task}\n".encode())
            self._file.flush()
        except OSError as error:
            raise self._failure(error) from None
        return self

    def __iter__(self) -> Iterator[tuple[int, object]]:
        """(position, entry) of every entry; lines that are not whole are passed over."""
        with self.path.open("rb") as file:
            file.readline()
            position = file.tell()
            for line in iter(file.readline, b""):
                try:
                    if line.strip():
                        yield position, json.loads(line)
                except ValueError:
                    pass
                position = file.tell()

    def add(self, entry: object) -> int:
        """One more entry; its position."""
        assert self._file is not None
        try:
            position = self._file.seek(0, 2)
            self._file.write(json.dumps(entry).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise self._failure(error) from None
        return position

    def at(self, position: int) -> object:
        """The entry at a position."""
        assert self._file is not None
        self._file.seek(position)
        entry: object = json.loads(self._file.readline())
        return entry

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._file is not None
        try:
            self._file.close()
            if self.finished:
                self.path.unlink(missing_ok=True)
        except OSError as failure:
            if kind is None:
                raise self._failure(failure) from None

    def _failure(self, error: OSError) -> BadInput:
        return BadInput(f"cannot be written: {error.strerror or error}", path=self.path)
