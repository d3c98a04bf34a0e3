"""A data set of files: a table of systems, their images, and its split. All of it is read and checked before the first step."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from lensjax.errors import BadInput
from lensjax.files import images
from lensjax.files.read import read_json
from lensjax.files.whole import write_text
from lensjax.formats.cosmosim import table as tables
from lensjax.problems.base import Problem
from lensjax.problems.tables import params_of
from lensjax.train.config import OF_DATA, TrainConfig
from lensjax.train.split import Split, split
from lensjax.train.standard import Standard

TABLE, AMPLITUDES, IMAGES = "dataset.csv", "roulette.csv", "images"
"""CosmoSim's names of the table of systems, of the table of amplitudes beside it, and of the folder of the images, which may also lie
beside the table."""

RECORD = "data.json"
"""A file in a run's folder: which data the run has, and their statistics."""

_MANY = 5000  # images that take seconds to read


@dataclass(frozen=True, eq=False)
class DataSet:
    """A data set of N images.

    Attributes:
        table: the table.
        lines: line of the table that names each image, counted from 1.
        paths: the image files.
        params: (N, P) float32 in file units.
        size: pixels on a side of an image.
        rows: which images are for what.
    """

    table: Path
    lines: tuple[int, ...]
    paths: tuple[Path, ...]
    params: np.ndarray
    size: int
    rows: Split

    def image(self, index: int) -> np.ndarray:
        """Grey levels (n, n) float32 of one image.

        Raises:
            BadInput: it cannot be read, or has another size or depth.
        """
        try:
            return images.grey_of(images.read(self.paths[index], size=self.size), flat=True).values
        except BadInput as error:
            raise error.within(hint=f"{self.table}, line {self.lines[index]}, column filename names it") from None

    def standard(self) -> Standard:
        """Mean and spread of each parameter over the training images; a spread of 1 where it has none."""
        training = self.params[self.rows.training.start : self.rows.training.stop].astype(np.float64)
        spread = training.std(axis=0)
        return Standard(tuple(training.mean(axis=0).tolist()), tuple(np.where(spread > 0, spread, 1.0).tolist()))


def read(config: TrainConfig, problem: Problem) -> DataSet:
    """The data set of a config: a folder with dataset.csv, or a table; images are read by `DataSet.image`.

    Raises:
        BadInput: no such file, a table that cannot be used, or a split that does not fit it.
    """
    path = Path(config.data)
    table_path = path if path.is_file() else path / TABLE
    if path.is_dir() and not table_path.exists():
        raise BadInput(f"no {TABLE} in this folder", path=path, column="data", expected=f"a folder with {TABLE}, or a CSV file")
    table = tables.read(table_path)
    beside = table_path.with_name(AMPLITUDES)
    amplitudes = tables.read(beside) if problem.movable and beside.exists() and beside != table_path else None
    params = params_of(problem, table, amplitudes=amplitudes).astype(np.float32)
    encoded = np.asarray(problem.encode(jnp.asarray(params)))
    bad = np.argwhere(~np.isfinite(encoded))
    if len(bad):
        raise BadInput("a system that the problem cannot describe", path=table_path, line=table.lines[bad[0][0]])
    rows = split(config.split, len(table))
    if config.data_images:
        if config.data_images > len(rows.training):
            most = f"{len(rows.training)} or fewer, the images for training"
            raise BadInput(column="data_images", value=config.data_images, expected=most)
        rows = rows._replace(training=rows.training[: config.data_images])
    if config.eval_size > len(rows.watched):
        what = "validation" if rows.validation else "the test"
        raise BadInput(column="eval_size", value=config.eval_size, expected=f"{len(rows.watched)} or fewer, the images for {what}")
    folder = table_path.parent / IMAGES
    folder = folder if (folder / table.filenames[0]).exists() else table_path.parent
    paths = tuple(folder / name for name in table.filenames)
    return DataSet(table_path, table.lines, paths, params, _size(config, problem, paths[0], table.lines[0], table_path), rows)


def checked(data: DataSet, *, on_many: Callable[[str], None] = lambda line: None) -> str:
    """Reads every image that is used, and returns a fingerprint of the data set.

    `on_many` is called with a line where that takes long.

    Raises:
        BadInput: an image cannot be used.
    """
    count = sum(map(len, data.rows))
    if count >= _MANY:
        on_many(f"{data.table}: {count} images; they are read and checked before the first step")
    digest = hashlib.sha256(repr((data.paths[0].name, data.size, data.rows)).encode())
    digest.update(data.params.tobytes())
    for index in (i for rows in data.rows for i in rows):
        digest.update(data.image(index).tobytes())
    return digest.hexdigest()


def check(config: TrainConfig) -> None:
    """Raises BadInput where a config without data has a field that only data need, or targets cannot be standardised."""
    for field in fields(TrainConfig):
        if not config.data and field.name in OF_DATA and getattr(config, field.name) != field.default:
            expected = f"{field.default!r} without a data set, which field data names"
            raise BadInput(column=field.name, value=getattr(config, field.name), expected=expected)
    if config.standardise and (config.targets != "raw" or config.frame != "image"):
        raise BadInput(column="standardise", value=True, expected="False, or targets raw and frame image")


def record(folder: Path, fingerprint: str, standard: Standard | None, *, write: bool = True) -> None:
    """Writes which data a run has, into its folder, and what its targets are measured in; without `write` only checks.

    Raises:
        BadInput: the run has had other data.
    """
    path = folder / RECORD
    if path.exists():
        found = read_json(path)
        if not isinstance(found, dict) or found.get("fingerprint") != fingerprint:
            raise BadInput("the data are not those that this run began with", path=path, hint="choose another --workdir for the new run")
    elif write:
        content = {"fingerprint": fingerprint, "standard": None if standard is None else standard._asdict()}
        write_text(path, json.dumps(content, indent=2) + "\n")


def recorded(config: TrainConfig, folder: Path, *, count: int) -> Standard | None:
    """What the targets of a run in a folder are measured in, `count` numbers of each kind; None where its config does not standardise them.

    Raises:
        BadInput: the record is missing, or has none.
    """
    return Standard.of_json(read_json(folder / RECORD), count=count, path=folder / RECORD) if config.standardise else None


def _size(config: TrainConfig, problem: Problem, path: Path, line: int, table: Path) -> int:
    """Pixels on a side of all images: those of the problem's field, or of the first image where it is coarser.

    Raises:
        BadInput: the first image cannot be read, or cannot be shown to the network.
    """
    hint = f"{table}, line {line}, column filename names it"
    try:
        height, width = (int(side) for side in images.read(path).values.shape[:2])
    except BadInput as error:
        raise error.within(hint=hint) from None
    if height != width or height not in (problem.field, config.image_size):
        sizes = " or ".join(f"{size}×{size}" for size in dict.fromkeys((problem.field, config.image_size)))
        raise BadInput(f"the image has {width}×{height} pixels", path=path, value=(width, height), expected=sizes, hint=hint)
    if height % config.image_size:
        raise BadInput(column="image_size", value=config.image_size, expected=f"a divisor of the images' {height} px")
    return height
