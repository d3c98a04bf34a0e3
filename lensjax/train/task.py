"""What a network is shown of an image, and what its outputs mean."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from lensjax.conventions import GREY_LEVELS
from lensjax.observation import shapelets
from lensjax.observation.frame import Frame, frame_of, picture
from lensjax.observation.grid import block_mean, pixel_points
from lensjax.problems.framed import into_frame, out_of_frame
from lensjax.problems.images import AnyProblem

PLANES = 3
"""Channels beside the picture of a frame: stretch, and logarithms of size and of brightness, the same in every pixel."""


@dataclass(frozen=True)
class Task:
    """From images to the input of a network, from parameters to its targets, and back; hashable, so static under jit.

    Attributes:
        problem: its parameters and field.
        size: pixels on a side of the images that the network is shown, or that its shapelets are taken of.
        frame: "image", or "canonical" for pictures and answers in the frame of the image's own light.
        reads: "pixels", or "shapelets" for the numbers of `observation.shapelets`; these are canonical always.
        encoded: whether targets are the problem's encoding; otherwise they are in file units.
    """

    problem: AnyProblem
    size: int
    frame: Literal["image", "canonical"] = "image"
    reads: Literal["pixels", "shapelets"] = "pixels"
    encoded: bool = True

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
        return self.problem.encode(params) if self.encoded else params

    def answers(self, output: Array, frame: Frame | None) -> Array:
        """Parameters (B, P) in file units that outputs (B, E) mean: the inverse of `targets`."""
        params = self.problem.decode(output) if self.encoded else output
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
