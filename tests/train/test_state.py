from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lensjax import models
from lensjax.errors import BadInput
from lensjax.train.layers import init_variables
from lensjax.train.state import init_state, with_smaller_head


@pytest.mark.parametrize("name, heads", [("mnasnet0_5", {"classifier.1"}), ("googlenet", {"fc", "aux1.fc2", "aux2.fc2"})])
@pytest.mark.parametrize("num_outputs", [6, 32])  # 32 channels have other layers of these networks too
def test_only_the_layers_that_answer_begin_smaller(name, heads, num_outputs):
    model = models.create(name, num_outputs=num_outputs, image_size=64)
    shapes = jax.eval_shape(lambda key: init_variables(model, key, image_size=64), jax.random.key(0))
    ones = jax.tree.map(lambda leaf: np.ones(leaf.shape, np.float32), shapes)
    smaller = with_smaller_head(model, ones, factor=0.02)
    changed = {
        ".".join(entry.key for entry in path[1:-1])
        for path, leaf in jax.tree_util.tree_leaves_with_path(smaller)
        if not np.all(leaf == 1) and np.all(leaf == np.float32(0.02))
    }
    assert changed == heads
    assert jax.tree.structure(smaller) == jax.tree.structure(ones)


@pytest.mark.slow
def test_branches_that_begin_at_zero_do_nothing_at_first():
    """Swin v2 as its authors begin it: no branch adds anything, so that dropping some changes nothing."""
    model = models.create("swin_v2_t", num_outputs=6, image_size=32).clone(blocks=(2, 1), drop_path=0.5)

    @partial(jax.jit, static_argnums=0)
    def born(zeroed):
        return init_state(model, optax.sgd(0.1), jax.random.key(0), image_size=32, ema=0.0, zeroed=zeroed).params

    plain, params = born(""), born(".*norm[12].scale")
    names = [".".join(entry.key for entry in path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    changed = [name for name, a, b in zip(names, jax.tree.leaves(plain), jax.tree.leaves(params), strict=True) if (a != b).any()]
    assert changed == [name for name in names if name.endswith(("norm1.scale", "norm2.scale"))] and len(changed) == 6
    answer = jax.jit(lambda params, image, seed: model.apply({"params": params}, image, train=True, rngs={"dropout": jax.random.key(seed)}))
    image = jnp.linspace(0, 1, 1024).reshape(1, 32, 32, 1)
    assert (answer(params, image, 0) == answer(params, image, 1)).all()
    assert (answer(plain, image, 0) != answer(plain, image, 1)).any()


def test_expression_that_fits_no_parameter_is_named():
    model = models.create("squeezenet1_1", num_outputs=6, image_size=32)
    with pytest.raises(BadInput, match="zeroed: the value is 'norm'; expected the beginning of a parameter's name, such as "):
        jax.eval_shape(lambda key: init_state(model, optax.sgd(0.1), key, image_size=32, ema=0.0, zeroed="norm"), jax.random.key(0))
