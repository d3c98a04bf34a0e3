"""The convolutions in groups of CPUs against XLA's own, in values and slopes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.models.grouped import Conv, convolve

AXES = ("NHWC", "HWIO", "NHWC")


def values_and_slopes(convolved, x, kernel, key):
    """What a convolution gives, and what a random change of it comes to in `x` and `kernel`; compiled as one program."""

    @jax.jit
    def both(x, kernel):
        answer, back = jax.vjp(convolved, x, kernel)
        return answer, back(jax.random.normal(key, answer.shape, jnp.float32))

    return both(x, kernel)


CASES = (
    ((9, 12), (1, 1), 3, "SAME"),
    ((8, 8), (2, 2), 3, "SAME"),
    pytest.param((9, 12), (2, 2), 5, "SAME", marks=pytest.mark.slow),
    pytest.param((9, 8), (2, 1), 3, [(1, 1), (1, 1)], marks=pytest.mark.slow),
    pytest.param((1, 5), (2, 2), 7, [(3, 3), (3, 3)], marks=pytest.mark.slow),
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

    (answer, slopes), (expected, expected_slopes) = (values_and_slopes(by, x, kernel, keys[2]) for by in (ours, theirs))
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)
    for found, wanted in zip(slopes, expected_slopes, strict=True):
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


SLOW_GROUPS = ((128, 32, 256, 2), (192, 3, 96, 3), (6, 3, 12, 3), (4, 4, 8, 1))


@pytest.mark.parametrize(
    ("channels", "groups", "features", "parts"),
    [(64, 32, 64, 1), *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW_GROUPS)],
)
def test_groups_are_those_of_xla(channels, groups, features, parts):
    """Narrow groups joined, wide ones each by itself, three, that do not join in pairs, and a depthwise kernel with a multiplier."""
    keys = jax.random.split(jax.random.key(groups), 3)
    x = jax.random.normal(keys[0], (2, 6, 5, channels), jnp.float32)
    kernel = jax.random.normal(keys[1], (3, 3, channels // groups, features), jnp.float32)

    def by(convolution, **options):
        def convolved(x, kernel):
            return convolution(x, kernel, (2, 1), [(1, 1), (1, 1)], dimension_numbers=AXES, feature_group_count=groups, **options)

        return convolved

    assert str(jax.make_jaxpr(by(convolve))(x, kernel)).count("conv_general_dilated") == parts
    both = by(convolve), by(jax.lax.conv_general_dilated, precision="highest")
    (answer, slopes), (expected, expected_slopes) = (values_and_slopes(convolved, x, kernel, keys[2]) for convolved in both)
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-4)
    for found, wanted in zip(slopes, expected_slopes, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-4)


def test_other_convolutions_are_xlas():
    x = jax.random.normal(jax.random.key(0), (1, 8, 8, 4))
    text = str(jax.make_jaxpr(lambda x: Conv(4, (3, 3)).init_with_output(jax.random.key(0), x)[0])(x))
    assert text.count("conv_general_dilated") == 1 and "feature_group_count=1" in text
