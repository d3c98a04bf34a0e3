"""The depthwise convolution of CPUs against XLA's own, in values and slopes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.models.depthwise import Conv, convolve

AXES = ("NHWC", "HWIO", "NHWC")


CASES = (
    ((9, 12), (1, 1), 3, "SAME"),
    ((8, 8), (2, 2), 3, "SAME"),
    ((9, 12), (2, 2), 5, "SAME"),
    ((9, 8), (2, 1), 3, [(1, 1), (1, 1)]),
    ((1, 5), (2, 2), 7, [(3, 3), (3, 3)]),
    ((8, 9), (2, 1), 3, [(4, 0), (0, 5)]),
)


@pytest.mark.parametrize(("size", "stride", "side", "padding"), CASES)
def test_values_and_slopes_are_those_of_xla(size, stride, side, padding):
    keys = jax.random.split(jax.random.key(side), 3)
    x = jax.random.normal(keys[0], (2, *size, 4), jnp.float32)
    kernel = jax.random.normal(keys[1], (side, side, 1, 4), jnp.float32)
    options = {"dimension_numbers": AXES, "feature_group_count": 4}

    def ours(x, kernel):
        return convolve(x, kernel, stride, padding, **options)

    def theirs(x, kernel):
        return jax.lax.conv_general_dilated(x, kernel, stride, padding, precision="highest", **options)

    answer, back = jax.vjp(ours, x, kernel)
    expected, expected_back = jax.vjp(theirs, x, kernel)
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)
    change = jax.random.normal(keys[2], expected.shape, jnp.float32)
    for found, wanted in zip(back(change), expected_back(change), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-5)


def test_half_precision_is_summed_in_single():
    x = jax.random.normal(jax.random.key(0), (1, 8, 8, 3), jnp.bfloat16)
    layer = Conv(3, (7, 7), feature_group_count=3, dtype=jnp.bfloat16)
    variables = layer.init(jax.random.key(1), x)
    answer = layer.apply(variables, x)
    exact = Conv(3, (7, 7), feature_group_count=3).apply(
        jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16).astype(jnp.float32), variables), x.astype(jnp.float32)
    )
    assert answer.dtype == jnp.bfloat16
    np.testing.assert_array_equal(answer, exact.astype(jnp.bfloat16))


def test_other_convolutions_are_xlas():
    x = jax.random.normal(jax.random.key(0), (1, 8, 8, 4))
    for groups, features in ((1, 4), (2, 4), (4, 8)):
        layer = Conv(features, (3, 3), feature_group_count=groups)
        text = str(jax.make_jaxpr(lambda x, layer=layer: layer.init_with_output(jax.random.key(0), x)[0])(x))
        assert "conv_general_dilated" in text
