"""Convolutions whose channels are kept apart in groups, quick on a CPU too; on accelerators XLA's own stays.

XLA's convolution on a CPU computes a depthwise kernel one value at a time. Written as a sum of shifted maps, the same takes vector
instructions and is 10 to 30 times as fast forward and 3 to 30 times backward. XLA also computes the gradient by a kernel of groups one
value at a time; with one convolution for every few groups it is up to a hundred times as fast.
"""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from lensjax._internal.fence import fenced

Pads = tuple[tuple[int, int], tuple[int, int]]


def _shifted(x: Array, row: int, column: int, shape: tuple[int, int], stride: tuple[int, int]) -> Array:
    """Every stride-th value of x (batch, height, width, channel) from (row, column) on: (batch, *shape, channel)."""
    ends = [first + (count - 1) * step + 1 for first, count, step in zip((row, column), shape, stride, strict=True)]
    return jax.lax.slice(x, (0, row, column, 0), (x.shape[0], *ends, x.shape[3]), (1, *stride, 1))


def _padded(x: Array, pads: Pads, inner: tuple[int, int] = (0, 0)) -> Array:
    return jax.lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), (*pads[0], inner[0]), (*pads[1], inner[1]), (0, 0, 0)))


def _sum_of_taps(x: Array, kernel: Array, stride: tuple[int, int], pads: Pads) -> Array:
    """The convolution of x (batch, height, width, channel) with kernel (rows, columns, 1, channel), float32."""
    x, kernel = _padded(x, pads).astype(jnp.float32), kernel.astype(jnp.float32)
    rows, columns = kernel.shape[:2]
    shape = ((x.shape[1] - rows) // stride[0] + 1, (x.shape[2] - columns) // stride[1] + 1)
    total = jnp.zeros(())
    for row in range(rows):
        for column in range(columns):
            total = total + _shifted(x, row, column, shape, stride) * kernel[row, column, 0]
    return total


def _kernel_gradient(x: Array, change: Array, size: tuple[int, int], stride: tuple[int, int], pads: Pads) -> Array:
    """Gradient by the kernel (rows, columns, 1, channel), where `change` (batch, height, width, channel) is the gradient by the output.

    It is summed row by row of the map: XLA computes a sum over all of it one value at a time.
    """
    x, change = _padded(x, pads).astype(jnp.float32), change.astype(jnp.float32)
    batch, height, width, channels = change.shape

    def add(index: Array, sums: list[Array]) -> list[Array]:
        band = jax.lax.dynamic_slice_in_dim(x, index * stride[0], size[0], axis=1)
        line = jax.lax.dynamic_index_in_dim(change, index, axis=1)
        shape, step = (size[0], width), (1, stride[1])
        return [total + _shifted(band, 0, column, shape, step) * line for column, total in enumerate(sums)]

    sums = jax.lax.fori_loop(0, height, add, [jnp.zeros((batch, size[0], width, channels))] * size[1])
    return jnp.stack([total.sum((0, 2)) for total in sums], axis=1)[:, :, None]


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def depthwise(x: Array, kernel: Array, stride: tuple[int, int], pads: Pads) -> Array:
    """Convolution, channel by channel, of x (batch, height, width, channel) with kernel (rows, columns, 1, channel)."""
    return fenced(lambda x, kernel: _sum_of_taps(x, kernel, stride, pads).astype(x.dtype), x, kernel)


def _forward(x: Array, kernel: Array, stride: tuple[int, int], pads: Pads) -> tuple[Array, tuple[Array, Array]]:
    return depthwise(x, kernel, stride, pads), (x, kernel)


def _backward(stride: tuple[int, int], pads: Pads, kept: tuple[Array, Array], change: Array) -> tuple[Array, Array]:
    x, kernel = kept
    size = kernel.shape[0], kernel.shape[1]
    apart = stride[0] - 1, stride[1] - 1
    before = [size[axis] - 1 - pads[axis][0] for axis in (0, 1)]
    wide = [x.shape[1 + axis] + size[axis] - 1 - before[axis] - (change.shape[1 + axis] - 1) * stride[axis] - 1 for axis in (0, 1)]
    around = (before[0], wide[0]), (before[1], wide[1])

    def map_gradient(change: Array, kernel: Array) -> Array:
        return _sum_of_taps(_padded(change, around, apart), kernel[::-1, ::-1], (1, 1), ((0, 0), (0, 0))).astype(x.dtype)

    def kernel_gradient(change: Array, x: Array) -> Array:
        return _kernel_gradient(x, change, size, stride, pads).astype(kernel.dtype)

    return fenced(map_gradient, change, kernel), fenced(kernel_gradient, change, x)


depthwise.defvjp(_forward, _backward)


WIDE = 64
"""Channels of a map from which a convolution of its own pays; narrower groups are joined."""
PARTS = 8
"""Convolutions that take the place of one, at most, where groups are joined."""


def in_parts(x: Array, kernel: Array, groups: int, strides: Any, padding: Any, **options: Any) -> Array:
    """Convolution of x (batch, height, width, channel) with a kernel (rows, columns, channels of a group, channels out) of `groups`.

    Groups are joined to one convolution, with zeros where a group does not look at another's channels, as long as they are
    narrow or the convolutions would be many.
    """
    each = kernel.shape[2]
    joined = 1
    while each < WIDE and joined < groups and groups % (2 * joined) == 0 and (joined * each < WIDE or groups > PARTS * joined):
        joined *= 2
    parts = groups // joined
    kernels = kernel.reshape(*kernel.shape[:3], parts, joined, -1).transpose(4, 3, 0, 1, 2, 5)
    apart = jnp.zeros((parts, *kernel.shape[:2], joined, each, joined, kernels.shape[-1]), kernel.dtype)
    own = jnp.arange(joined)
    # Set, not multiplied by a unit matrix: the gradient of that sums over one of seven axes, which jaxlib 0.10 gets wrong.
    apart = apart.at[:, :, :, own, :, own].set(kernels, unique_indices=True)
    kernels = apart.reshape(parts, *kernel.shape[:2], joined * each, -1)
    maps = jnp.split(x, parts, axis=-1)
    done = [jax.lax.conv_general_dilated(m, k, strides, padding, **options) for m, k in zip(maps, kernels, strict=True)]
    return jnp.concatenate(done, axis=-1)


def convolve(x: Array, kernel: Array, strides: Any, padding: Any, *, feature_group_count: int = 1, **options: Any) -> Array:
    """`jax.lax.conv_general_dilated` of Flax's layers, but for groups of channels on a CPU."""
    groups = feature_group_count
    if groups == 1 or x.ndim != 4 or jax.default_backend() != "cpu":
        return jax.lax.conv_general_dilated(x, kernel, strides, padding, feature_group_count=groups, **options)
    spread = any(step != 1 for name in ("lhs_dilation", "rhs_dilation") for step in options.get(name) or ())
    if spread or not groups == x.shape[-1] == kernel.shape[-1]:
        return in_parts(x, kernel, groups, strides, padding, **options)
    pads = jax.lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding) if isinstance(padding, str) else padding
    return depthwise(x, kernel, tuple(strides), tuple((int(low), int(high)) for low, high in pads))


Conv = partial(nn.Conv, conv_general_dilated=convolve)
"""Flax's layer, by `convolve`."""
