import jax
import numpy as np
import pytest

from lensjax import models
from lensjax.train.state import init_variables, with_smaller_head


@pytest.mark.parametrize("name, heads", [("mnasnet0_5", {"classifier.1"}), ("googlenet", {"fc", "aux1.fc2", "aux2.fc2"})])
@pytest.mark.parametrize("num_outputs", [6, 32])  # 32 channels have other layers of these networks too
def test_only_the_layers_that_answer_begin_smaller(name, heads, num_outputs):
    model = models.create(name, num_outputs=num_outputs, image_size=64)
    shapes = jax.eval_shape(lambda key: init_variables(model, key, image_size=64), jax.random.key(0))
    ones = jax.tree.map(lambda leaf: np.ones(leaf.shape, np.float32), shapes)
    smaller = with_smaller_head(model, ones, factor=0.02, image_size=64)
    changed = {
        ".".join(entry.key for entry in path[1:-1])
        for path, leaf in jax.tree_util.tree_leaves_with_path(smaller)
        if not np.all(leaf == 1) and np.all(leaf == np.float32(0.02))
    }
    assert changed == heads
    assert jax.tree.structure(smaller) == jax.tree.structure(ones)
