"""What a network is shown of an image, and what its outputs mean."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lensjax.conventions import GREY_LEVELS
from lensjax.observation import shapelets
from lensjax.observation.frame import Frame, frame_of, picture
from lensjax.observation.grid import block_mean, pixel_points
from lensjax.problems.amplitudes import Amplitudes, Answered
from lensjax.problems.base import Problem
from lensjax.problems.framed import enlargement, into_frame, out_of_frame
from lensjax.problems.polar import ellipticity_weights, from_polar, to_polar, wrapped
from lensjax.train import heads
from lensjax.train.standard import Standard

PLANES = 3
"""Channels beside the picture of a frame: stretch, and logarithms of size and of brightness, the same in every pixel."""


LOSSES: dict[str, Callable[[Array], Array]] = {"l1": jnp.abs, "l2": jnp.square}

Targets = Literal["encoded", "raw", "polar"]


class Target(NamedTuple):
    """What a network is to answer for each image.

    Attributes:
        values: (B, K, E) the K sets of targets of the same image; one unless the loss is taken up to symmetry.
        weights: (B, E) of each target in the loss.
    """

    values: Array
    weights: Array


@dataclass(frozen=True)
class Task:
    """From images to the input of a network, from parameters to its targets, and back; hashable, so static under jit.

    Attributes:
        problem: its parameters and field.
        size: pixels on a side of the images that the network is shown, or that its shapelets are taken of.
        frame: "image", or "canonical" for pictures and answers in the frame of the image's own light.
        reads: "pixels", or "shapelets" for the numbers of `observation.shapelets`; these are canonical always.
        targets: "encoded" for the problem's encoding, "raw" for file units, "polar" for file units with each place as distance and
            direction [deg].
        standard: what targets in file units are measured from and in units of; None for themselves.
        amplitudes: the roulette amplitudes that the network answers; None for the problem's parameters.
        head: what its outputs say, one of `heads.HEADS`.
        components: Gaussians of a mixture.
        loss: "l1" or "l2", of a head that says one point.
        weights: of each target in that loss; empty for equal ones.
        by_ellipticity: whether the direction of an ellipse counts in it in proportion to the ellipticity.
        up_to_symmetry: whether the loss is that to the nearest of the sets that show the same image.
    """

    problem: Problem
    size: int
    frame: Literal["image", "canonical"] = "image"
    reads: Literal["pixels", "shapelets"] = "pixels"
    targets: Targets = "encoded"
    standard: Standard | None = None
    amplitudes: Amplitudes | None = None
    head: str = "point"
    components: int = 4
    loss: str = "l1"
    weights: tuple[float, ...] = ()
    by_ellipticity: bool = False
    up_to_symmetry: bool = False

    @property
    def answered(self) -> Answered:
        """The table of the numbers that the network answers."""
        return self.amplitudes or self.problem

    @property
    def width(self) -> int:
        """How many targets there are, E."""
        params = jax.ShapeDtypeStruct((len(self.problem.parameters),), jnp.float32)
        return int(jax.eval_shape(lambda row: self._targets(row[None], None)[0], params).shape[-1])

    @property
    def outputs(self) -> int:
        """How many outputs the network has."""
        return heads.outputs(self.head, self.width, components=self.components)

    def truth(self, params: Array) -> Array:
        """What the network is to answer, (B, V) in file units, for parameters (B, P)."""
        return params if self.amplitudes is None else self.amplitudes.of(params)[0]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the network's input."""
        if self.reads == "shapelets":
            return 1, 1, shapelets.count()
        return self.size, self.size, 1 + self.problem.turned if self.frame == "image" else 1 + PLANES

    def shown(self, image: Array) -> tuple[Array, Frame | None]:
        """Input (B, h, w, c) of the network for images (B, n, n) in grey levels, and their frames; n is a multiple of `size`."""
        if self.frame == "image":
            channels = [image, image - _turned(image, self.problem.field)] if self.problem.turned else [image]
            means = jnp.stack([block_mean(part, image.shape[-1] // self.size) for part in channels], axis=-1)
            return self.problem.seen(means), None
        seen: tuple[Array, Frame] = _each(self._seen, image)
        return seen

    def target(self, params: Array, frame: Frame | None) -> Target:
        """Targets of parameters (B, P) in file units."""
        if self.up_to_symmetry and self.amplitudes is None:
            values = jnp.moveaxis(jax.vmap(lambda rows: self._targets(rows, frame))(self.problem.equivalents(params)), 0, 1)
        else:
            values = self._targets(params, frame)[:, None]
        weights = jnp.asarray(self.weights or (1.0,) * values.shape[-1], values.dtype) * jnp.ones((len(values), 1), values.dtype)
        if self.by_ellipticity:
            weights = weights * ellipticity_weights(self.problem, params)
        return Target(values, weights)

    def losses(self, output: Array, target: Target) -> Array:
        """The loss (B,) of outputs (B, O), to the nearest set of targets."""
        each = jax.vmap(self._loss, in_axes=(None, 1, None), out_axes=1)(output, target.values, target.weights)
        return each.min(axis=1)

    def answers(self, output: Array, frame: Frame | None) -> Array:
        """What outputs (B, O) say, (B, V) in file units: the inverse of `target`."""
        return self.meant(heads.best(self.head, output, targets=self.width, components=self.components), frame)

    def draws(self, output: Array, frame: Frame | None, key: Array, *, count: int) -> Array:
        """What else outputs (B, O) of a Gaussian or mixture head hold possible: draws (count, B, V) in file units."""
        held = heads.belief(self.head, output, targets=self.width, components=self.components)
        rows: Array = jax.lax.map(lambda row: self.meant(row, frame), heads.drawn(held, key, count=count))
        return rows

    def meant(self, targets: Array, frame: Frame | None) -> Array:
        """Answers (B, V) in file units that targets (B, E) mean."""
        if self.amplitudes is not None:
            values = self.amplitudes.decode(targets)
        elif self.targets == "encoded":
            values = self.problem.decode(targets)
        elif self.targets == "polar":
            values = from_polar(self.problem, targets)
        else:
            mean, spread = self._standard(targets)
            values = mean + spread * targets
        return values if frame is None else jax.vmap(lambda row, own: out_of_frame(self.answered, row, own))(values, frame)

    def _targets(self, params: Array, frame: Frame | None) -> Array:
        """Targets (B, E) of parameters (B, P)."""
        values, distance = (params, None) if self.amplitudes is None else self.amplitudes.of(params)
        if frame is not None:
            values = jax.vmap(lambda row, own: into_frame(self.answered, row, own))(values, frame)
            distance = None if distance is None else distance * enlargement(self.problem, frame)
        if self.amplitudes is not None and distance is not None:
            return self.amplitudes.encode(values, distance)
        if self.targets == "encoded":
            return self.problem.encode(values)
        if self.targets == "polar":
            return to_polar(self.problem, values)
        mean, spread = self._standard(values)
        return (values - mean) / spread

    def _standard(self, like: Array) -> tuple[Array, Array]:
        """What targets in file units are measured from, and in units of."""
        if self.standard is None:
            return jnp.zeros((), like.dtype), jnp.ones((), like.dtype)
        return jnp.asarray(self.standard.mean, like.dtype), jnp.asarray(self.standard.spread, like.dtype)

    def _loss(self, output: Array, values: Array, weights: Array) -> Array:
        """The loss (B,) to targets (B, E)."""
        if self.head != "point":
            return heads.negative_log_likelihood(self.head, output, values, components=self.components)
        difference = output - values
        if self.up_to_symmetry and self.amplitudes is None and self.targets != "encoded":
            _, spread = self._standard(difference)
            difference = wrapped(self.problem, difference * spread, polar=self.targets == "polar") / spread
        return (weights * LOSSES[self.loss](difference)).mean(axis=-1)

    def _seen(self, image: Array) -> tuple[Array, Frame]:
        """What one image (n, n) is in its frame."""
        if self.reads == "shapelets":
            image = block_mean(image, image.shape[-1] // self.size)
        x, y = (self.problem.pixel * at for at in pixel_points(image.shape[-1], self.problem.field, dtype=image.dtype))
        frame = frame_of(image, x, y)
        if self.reads == "shapelets":
            return shapelets.coefficients(image, frame, x, y)[None, None, :], frame
        numbers = jnp.stack([frame.stretch, -jnp.log(enlargement(self.problem, frame)), jnp.log((1.0 + image.max()) / GREY_LEVELS)])
        planes = jnp.broadcast_to(numbers, (self.size, self.size, PLANES))
        drawn = self.problem.seen(picture(image, frame, x, y, size=self.size))
        return jnp.concatenate([drawn[..., None], planes], axis=-1), frame


def _turned(images: Array, field: int) -> Array:
    """Images (B, n, n) turned by 180° about the origin: pixel (n/2, n/2) where a pixel is one of the field's, and otherwise the middle."""
    turned = images[..., ::-1, ::-1]
    return jnp.roll(turned, 1, axis=(-2, -1)) if images.shape[-1] == field else turned


def _each(function: Callable[[Array], Any], images: Array) -> Any:
    """`function` of each image: one after the other on a CPU, whose cache holds one, at once elsewhere."""
    return jax.lax.platform_dependent(images, cpu=lambda rows: jax.lax.map(function, rows), default=jax.vmap(function))
