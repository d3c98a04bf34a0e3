"""What a network's outputs say: one point, a Gaussian with its covariance, or a mixture of Gaussians; and their losses by likelihood.

The covariance of a Gaussian stands in the outputs as the triangular matrix W that whitens its errors: Σ = (WᵀW)⁻¹, with positive diagonal.
So neither the likelihood nor its gradient inverts or divides anything (Bishop 1994, "Mixture density networks", with full covariances).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

HEADS = ("point", "gaussian", "mixture")

_NARROWEST, _WIDEST = 12.0, -6.0  # log of the diagonal of W at most and at least


class Belief(NamedTuple):
    """What a network holds about the targets of each image: a mixture of K Gaussians; K is 1 for a single one.

    Attributes:
        weights: (B, K), their sum is 1.
        means: (B, K, E).
        covariances: (B, K, E, E).
    """

    weights: Array
    means: Array
    covariances: Array


def outputs(head: str, targets: int, *, components: int) -> int:
    """How many outputs a network needs for this many targets."""
    one = targets + targets * (targets + 1) // 2
    return {"point": targets, "gaussian": one, "mixture": components * (1 + one)}[head]


def continued(head: str, point: Array, fresh: Array, *, components: int) -> Array:
    """A last layer's weights (…, O) of a Gaussian or mixture head: fresh ones, with the means (…, E) of a head that says one point."""
    count, targets = components if head == "mixture" else 1, point.shape[-1]
    logits, rest = jnp.split(fresh, [count if head == "mixture" else 0], axis=-1)
    parts = rest.reshape(*rest.shape[:-1], count, -1).at[..., :targets].set(point[..., None, :])
    return jnp.concatenate([logits, parts.reshape(rest.shape)], axis=-1)


def best(head: str, output: Array, *, targets: int, components: int) -> Array:
    """Targets (B, E) that outputs (B, O) hold for the best: the mean of the Gaussian of the largest weight."""
    if head == "point":
        return output
    logits, means, _ = _parts(head, output, targets, components)
    chosen = jnp.argmax(logits, axis=-1)
    return jnp.take_along_axis(means, chosen[:, None, None], axis=1)[:, 0]


def belief(head: str, output: Array, *, targets: int, components: int) -> Belief:
    """The mixture that outputs (B, O) of a Gaussian or mixture head mean."""
    logits, means, whitening = _parts(head, output, targets, components)
    inverse = jax.scipy.linalg.solve_triangular(
        whitening, jnp.broadcast_to(jnp.eye(targets, dtype=output.dtype), whitening.shape), lower=True
    )
    return Belief(jax.nn.softmax(logits, axis=-1), means, inverse @ jnp.swapaxes(inverse, -1, -2))


def drawn(held: Belief, key: Array, *, count: int) -> Array:
    """`count` draws (count, B, E) from a belief."""
    chosen_key, noise_key = jax.random.split(key)
    chosen = jax.random.categorical(chosen_key, jnp.log(held.weights), shape=(count, len(held.weights)))
    noise = jax.random.normal(noise_key, (count, *held.means.shape[::2]), held.means.dtype)
    images = jnp.arange(len(held.weights), dtype=chosen.dtype)
    factors = jnp.linalg.cholesky(held.covariances)
    draws: Array = held.means[images, chosen] + jnp.einsum("sbij,sbj->sbi", factors[images, chosen], noise)
    return draws


def negative_log_likelihood(head: str, output: Array, target: Array, *, components: int, wider: Array | float = 1.0) -> Array:
    """−log p of targets (B, E) under outputs (B, O), over the number of targets: (B,), in nats; with all spreads `wider` by a factor."""
    size = target.shape[-1]
    logits, means, whitening = _parts(head, output, size, components)
    whitening = whitening / wider
    white = jnp.einsum("bkij,bkj->bki", whitening, target[:, None] - means)
    volume = jnp.log(jnp.diagonal(whitening, axis1=-2, axis2=-1)).sum(axis=-1)
    each = volume - 0.5 * (white * white).sum(axis=-1) - 0.5 * size * np.log(2.0 * np.pi)
    likelihood: Array = jax.scipy.special.logsumexp(jax.nn.log_softmax(logits, axis=-1) + each, axis=-1)
    return -likelihood / size


def _parts(head: str, output: Array, targets: int, components: int) -> tuple[Array, Array, Array]:
    """Logits (B, K), means (B, K, E) and whitening matrices (B, K, E, E) of outputs (B, O)."""
    count = components if head == "mixture" else 1
    logits = output[:, :count] if head == "mixture" else jnp.zeros((len(output), 1), output.dtype)
    rest = (output[:, count:] if head == "mixture" else output).reshape(len(output), count, -1)
    means, diagonal, below = jnp.split(rest, [targets, 2 * targets], axis=-1)
    scale = jnp.exp(jnp.clip(diagonal, _WIDEST, _NARROWEST))
    row, column = np.tril_indices(targets, -1)
    # Rows are scaled as a whole, so that a narrow direction learns its slopes as quickly as a wide one.
    lower = jnp.zeros((*scale.shape, targets), output.dtype).at[..., row, column].set(below)
    return logits, means, scale[..., None] * (lower + jnp.eye(targets, dtype=output.dtype))
