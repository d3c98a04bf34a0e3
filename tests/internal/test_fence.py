"""The fence about a computation: it stays in the compiled program, and changes no number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems
from lensjax._internal.fence import apart, fenced
from lensjax.simulate import chunks

BAD = (jnp.nan, jnp.inf, -jnp.inf)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.int32, jnp.int8, jnp.bool_, jnp.complex64])
def test_the_compiled_program_keeps_the_conditional(dtype):
    x = jnp.ones((4, 3), dtype)
    compiled = jax.jit(lambda x: fenced(lambda x: x.astype(jnp.complex64) * 3, x) + 1).lower(x).compile()
    assert "conditional" in compiled.as_text()
    np.testing.assert_array_equal(compiled(x), np.full((4, 3), 4.0))


@pytest.mark.parametrize("bad", BAD)
def test_a_first_number_that_is_not_finite_changes_no_other(bad):
    x = jnp.array([bad, 0.5, 2.0])
    value, slope = jax.jit(jax.value_and_grad(lambda x: fenced(lambda x: jnp.where(jnp.isfinite(x), x**3, 0.0).sum(), x)))(x)
    assert value == 0.5**3 + 2.0**3
    np.testing.assert_array_equal(slope[1:], 3.0 * x[1:] ** 2)


def test_one_bad_system_changes_no_other_image_of_its_chunk():
    problem = problems.get("sis2023", image_size=16, method="raytrace", centred=False)
    params = np.array(problem.sample(jax.random.key(0), chunks.IMAGES + 2))
    render = jax.jit(problem.render_batch)
    expected = np.array(render(params))
    params[0] = np.nan
    np.testing.assert_array_equal(render(params)[1:], expected[1:])


def test_gradients_beside_a_bad_row_stay_exact():
    rows = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    slope = jax.jit(jax.grad(lambda rows: chunks.in_chunks(lambda row: jnp.sin(row).sum(), rows, chunk=2).sum()))
    expected = np.array(slope(rows))
    rows[2, 0] = np.nan
    np.testing.assert_array_equal(np.delete(slope(rows), 6, axis=None), np.delete(expected, 6, axis=None))


def test_apart_changes_no_value_and_no_derivative():
    x = jnp.linspace(0.1, 1.0, 12).reshape(3, 4)

    def plain(x):
        return (jnp.sin(x) ** 2).reshape(3, 2, 2).mean(axis=-1)

    def own(x):
        return apart(jnp.sin(x) ** 2).reshape(3, 2, 2).mean(axis=-1)

    np.testing.assert_array_equal(own(x), plain(x))
    np.testing.assert_allclose(jax.jacfwd(own)(x), jax.jacfwd(plain)(x), rtol=1e-6)
    np.testing.assert_allclose(jax.jit(jax.jacrev(own))(x), jax.jacrev(plain)(x), rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(own)(jnp.stack([x, 2 * x])), jnp.stack([plain(x), plain(2 * x)]), rtol=1e-6)
