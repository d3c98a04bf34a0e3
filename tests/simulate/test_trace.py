"""How light is traced: names, windows, and what is refused."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

from lensjax import simulate
from lensjax.lens import SIS
from lensjax.light import Triangle
from lensjax.light.gaussian import spherical
from lensjax.observation import psf
from lensjax.observation.instrument import CentreOfLight, instrument, of_field
from lensjax.simulate import METHODS, System, Trace


@pytest.mark.parametrize("name", METHODS)
def test_names_there_and_back(name):
    trace = Trace.named(name, terms=7)
    assert trace.name == name and trace.terms == 7
    assert hash(trace) == hash(Trace.named(name, terms=7))
    assert (trace.map == "series") == (name == "roulette") and (trace.window == "none") == (name == "raytrace")


@pytest.mark.parametrize(
    ("how", "message"), [({"map": "near"}, "near.*exact, series"), ({"window": "disc"}, "disc.*none, region"), ({"terms": 0}, "1")]
)
def test_other_traces_are_refused(how, message):
    with pytest.raises(ValueError, match=message):
        Trace(**how)
    with pytest.raises(ValueError, match="rings.*roulette, ring, raytrace"):
        Trace.named("rings")


def system(x=12.0, y=3.0) -> System:
    return System(SIS(jnp.float32(14.0)), spherical(jnp.float32(9.0)), jnp.float32(x), jnp.float32(y))


@pytest.mark.parametrize("window", ["region", "circle"])
@pytest.mark.parametrize("which", ["exact", "series"])
def test_a_window_is_never_passed_over(which, window):
    """Dark outside the circle about ξ through the lens's centre, with either map; inside, what there is without a window."""
    cut, whole = (255.0 * np.asarray(simulate.image(system(), instrument((64, 64)), trace=Trace(which, 12, w))) for w in (window, "none"))
    along = np.arange(64) - 32.0
    xi = complex(12.0, 3.0) * (1 + 14.0 / abs(complex(12.0, 3.0)))
    away = np.abs(along[None] - 1j * along[:, None] - xi) - abs(xi)
    assert (cut[away > 0.01] == 0).all() and whole[away > 1.0].max() > 50
    np.testing.assert_allclose(cut[away < -0.01], whole[away < -0.01], atol=1e-3)


def test_whole_shows_what_the_window_hides():
    """Also where it is traced."""
    taken, ring = of_field(64, 32, supersampling=2, centring=CentreOfLight(1000, samples=96)), Trace.named("ring")
    draw = jax.jit(jax.vmap(lambda whole: simulate.image(system(), taken, trace=ring, whole=whole)))
    shown, hidden = np.asarray(draw(jnp.array([True, False])))
    np.testing.assert_allclose(shown, simulate.image(system(), taken), atol=4e-6)
    np.testing.assert_allclose(hidden, simulate.image(system(), taken, trace=ring), atol=4e-6)


def test_a_psf_goes_with_windows_and_colours():
    """Each colour of a series within its window, against scipy's convolution of a wider image without a PSF."""
    coloured, trace = replace(system(), source=Triangle(jnp.float32(9.0), jnp.float32(0.3))), Trace("series", 8, "circle")
    kernel = psf.gaussian(2.0)
    edge = kernel.shape[0] // 2
    found, wide = (
        np.asarray(jax.jit(simulate.image, static_argnames="trace")(coloured, taken, trace=trace))
        for taken in (instrument((24, 30), psf=kernel), instrument((24 + 2 * edge, 30 + 2 * edge)))
    )
    assert found.shape == (24, 30, 3) and (wide == 0).mean() > 0.2 and wide.max() > 0.5
    expected = np.stack([signal.convolve2d(wide[..., k], kernel, mode="valid") for k in range(3)], axis=-1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("function", [simulate.image, simulate.image_centre])
def test_a_batch_without_vmap_is_refused(function):
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), system(), system())
    with pytest.raises(ValueError, match=r"\(2,\).*jax\.vmap"):
        function(batch, instrument((400, 400), centring=CentreOfLight(1000, samples=96)))
