"""The network of shapelets: how it takes means and spreads out of its inputs."""

import jax
import jax.numpy as jnp
import numpy as np

from lensjax import models
from lensjax.models.shapelets import Standardised


def test_means_and_spreads_are_those_of_all_batches():
    """In float64 from NumPy; one input hardly varies about a large mean, another not at all."""
    layer = Standardised()
    rng = np.random.default_rng(0)
    scale, middle = np.array([1.0, 30.0, 0.02, 0.0]), np.array([0.0, -5.0, 80.0, 3.0])
    batches = middle + scale * rng.normal(size=(200, 32, 4))
    state = layer.init(jax.random.key(0), jnp.zeros((1, 4)), train=False)
    step = jax.jit(lambda state, x: layer.apply(state, x, train=True, mutable=["batch_stats"])[1])
    for batch in batches:
        state = step(state, jnp.asarray(batch, jnp.float32))
    found = state["batch_stats"]
    whole = batches.reshape(-1, 4)
    np.testing.assert_allclose(found["mean"], whole.mean(axis=0), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found["variance"], whole.var(axis=0), rtol=1e-2, atol=1e-6)
    assert float(found["batches"]) == 200.0
    out = np.asarray(layer.apply(state, jnp.asarray(whole, jnp.float32), train=False))
    np.testing.assert_allclose(out.std(axis=0), [1.0, 1.0, 1.0, 0.0], atol=2e-2)
    assert np.abs(out[:, 3]).max() < 0.1


def test_a_batch_does_not_change_another_image():
    net = models.create("shapelets", num_outputs=3, in_channels=7, image_size=1)
    numbers = jax.random.normal(jax.random.key(1), (5, 1, 1, 7))
    variables = net.init(jax.random.key(0), numbers, train=False)
    whole = net.apply(variables, numbers, train=False)
    np.testing.assert_allclose(net.apply(variables, numbers[:2], train=False), whole[:2], rtol=1e-5, atol=1e-6)
    assert whole.shape == (5, 3) and models.create("shapelets", num_outputs=3, in_channels=7, image_size=1, extra_layers=True)
