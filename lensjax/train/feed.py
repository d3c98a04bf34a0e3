"""Batches of a data set, by the number of the step: the only file that knows Grain.

All images are shuffled anew in every epoch, and epochs follow each other without a gap. A batch depends on the data, the seed and its step
alone, so that a resumed run begins where it stopped.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import flags
from jax import Array
from jax.sharding import Mesh

from lensjax.errors import BadInput
from lensjax.train import sharding
from lensjax.train.data import DataSet

_AHEAD = 2  # batches read in advance


class Batch(NamedTuple):
    """Images (B, n, n) in grey levels and parameters (B, P) in file units, float32."""

    image: Array
    params: Array


class _Source:
    """Training images as Grain asks for them."""

    def __init__(self, data: DataSet) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data.rows.training)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        row = self._data.rows.training[index]
        return self._data.image(row), self._data.params[row]


class Feed:
    """Batches of a data set for the devices of a mesh. Each process reads its own part of a training batch."""

    def __init__(self, data: DataSet, mesh: Mesh, *, batch_size: int, seed: int, workers: int = 0) -> None:
        """Nothing is read yet.

        Raises:
            BadInput: Grain is not installed.
        """
        try:
            import grain
        except ImportError:
            raise BadInput(
                "data sets are read by Grain, which is not installed", column="data", hint="pip install 'lensjax[data]'"
            ) from None
        self._grain: Any = grain
        self._data, self._mesh, self._workers = data, mesh, workers
        shuffled = grain.MapDataset.source(_Source(data)).seed(seed).shuffle().repeat()
        self._whole = shuffled.batch(batch_size)
        self._own = shuffled.batch(batch_size // jax.process_count())[jax.process_index() :: jax.process_count()]

    def training(self, first: int) -> Iterator[Batch]:
        """The batches of step `first` and of those after it, split over the devices, without an end."""
        options = self._grain.ReadOptions(num_threads=1, prefetch_buffer_size=_AHEAD)
        batches = self._own[first:].to_iter_dataset(options)
        if self._workers:
            if not flags.FLAGS.is_parsed():
                flags.FLAGS.mark_as_parsed()  # Grain's workers are started with the program's flags, which only programs of absl parse
            batches = batches.mp_prefetch(self._grain.MultiprocessingOptions(num_workers=self._workers, per_worker_buffer_size=_AHEAD))
        for image, params in batches:
            yield self._placed(image, params, parts=True)

    def again(self, steps: Sequence[int]) -> Iterator[Batch]:
        """The batches of some steps, as they are in the files, whole on every device."""
        for step in steps:
            yield self._placed(*self._whole[step], parts=False)

    def images(self, rows: Sequence[int], *, batch_size: int) -> Iterator[Batch]:
        """The images of some rows in batches, whole on every device; the last one is filled up with the first rows."""
        for first in range(0, len(rows), batch_size):
            chosen = [rows[k % len(rows)] for k in range(first, first + batch_size)]
            images = np.stack([self._data.image(row) for row in chosen])
            yield self._placed(images, self._data.params[chosen], parts=False)

    def _placed(self, image: np.ndarray, params: np.ndarray, *, parts: bool) -> Batch:
        return Batch(*(sharding.placed(array, self._mesh, parts=parts) for array in (image, params)))
