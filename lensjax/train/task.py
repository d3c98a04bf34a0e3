"""What a network is shown of an image, and what its outputs mean."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lensjax.conventions import GREY_LEVELS
from lensjax.errors import BadInput
from lensjax.observation import shapelets
from lensjax.observation.frame import Frame, frame_of, picture
from lensjax.observation.grid import block_mean, pixel_points
from lensjax.problems.framed import into_frame, out_of_frame
from lensjax.problems.images import AnyProblem

PLANES = 3
"""Channels beside the picture of a frame: stretch, and logarithms of size and of brightness, the same in every pixel."""


class Standard(NamedTuple):
    """Mean and spread (standard deviation) of each parameter over a training set, in file units."""

    mean: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def of_json(cls, content: Any, *, count: int, path: Path) -> "Standard":
        """The record in the object "standard" of a JSON file; `count` numbers each.

        Raises:
            BadInput: it has none.
        """
        own: Any = content.get("standard") if isinstance(content, dict) else None
        try:
            standard = cls(*(tuple(map(float, own[field])) for field in cls._fields))
            if {len(values) for values in standard} == {count} and all(map(math.isfinite, sum(standard, ()))):
                return standard
        except (KeyError, TypeError, ValueError):
            pass
        raise BadInput(path=path, column="standard", value=own, expected=f"mean and spread, {count} numbers each")


@dataclass(frozen=True)
class Task:
    """From images to the input of a network, from parameters to its targets, and back; hashable, so static under jit.

    Attributes:
        problem: its parameters and field.
        size: pixels on a side of the images that the network is shown, or that its shapelets are taken of.
        frame: "image", or "canonical" for pictures and answers in the frame of the image's own light.
        reads: "pixels", or "shapelets" for the numbers of `observation.shapelets`; these are canonical always.
        encoded: whether targets are the problem's encoding; otherwise they are in file units.
        standard: what targets in file units are measured from and in units of; None for themselves.
    """

    problem: AnyProblem
    size: int
    frame: Literal["image", "canonical"] = "image"
    reads: Literal["pixels", "shapelets"] = "pixels"
    encoded: bool = True
    standard: Standard | None = None

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the network's input."""
        if self.reads == "shapelets":
            return 1, 1, shapelets.count()
        return self.size, self.size, 1 if self.frame == "image" else 1 + PLANES

    def shown(self, image: Array) -> tuple[Array, Frame | None]:
        """Input (B, h, w, c) of the network for images (B, n, n) in grey levels, and their frames; n is a multiple of `size`."""
        if self.frame == "image":
            return block_mean(image, image.shape[-1] // self.size)[..., None] / GREY_LEVELS, None
        seen: tuple[Array, Frame] = _each(self._seen, image)
        return seen

    def targets(self, params: Array, frame: Frame | None) -> Array:
        """Targets (B, E) of parameters (B, P) in file units."""
        if frame is not None:
            params = jax.vmap(lambda row, own: into_frame(self.problem, row, own))(params, frame)
        if self.encoded or self.standard is None:
            return self.problem.encode(params) if self.encoded else params
        mean, spread = (jnp.asarray(values, params.dtype) for values in self.standard)
        return (params - mean) / spread

    def answers(self, output: Array, frame: Frame | None) -> Array:
        """Parameters (B, P) in file units that outputs (B, E) mean: the inverse of `targets`."""
        params = self.problem.decode(output) if self.encoded else output
        if not self.encoded and self.standard is not None:
            mean, spread = (jnp.asarray(values, output.dtype) for values in self.standard)
            params = mean + spread * output
        return params if frame is None else jax.vmap(lambda row, own: out_of_frame(self.problem, row, own))(params, frame)

    def _seen(self, image: Array) -> tuple[Array, Frame]:
        """What one image (n, n) is in its frame."""
        if self.reads == "shapelets":
            image = block_mean(image, image.shape[-1] // self.size)
        x, y = pixel_points(image.shape[-1], self.problem.field, dtype=image.dtype)
        frame = frame_of(image, x, y)
        if self.reads == "shapelets":
            return shapelets.coefficients(image, frame, x, y)[None, None, :], frame
        numbers = jnp.stack([frame.stretch, jnp.log(20.0 * frame.size / self.problem.field), jnp.log((1.0 + image.max()) / GREY_LEVELS)])
        planes = jnp.broadcast_to(numbers, (self.size, self.size, PLANES))
        drawn = picture(image, frame, x, y, size=self.size) / GREY_LEVELS
        return jnp.concatenate([drawn[..., None], planes], axis=-1), frame


def _each(function: Callable[[Array], Any], images: Array) -> Any:
    """`function` of each image: one after the other on a CPU, whose cache holds one, at once elsewhere."""
    return jax.lax.platform_dependent(images, cpu=lambda rows: jax.lax.map(function, rows), default=jax.vmap(function))
