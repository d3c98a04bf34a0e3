"""Potential, deflection and Hessian against lenstronomy's, kept in lenstronomy_reference.json.

tests/reference/reference_lenstronomy.py writes that file and says how the parameters correspond.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.lens import SIE, SIS, PointMass, Shear, Sheet, cluster, hessian

REFERENCE = json.loads((Path(__file__).parent / "lenstronomy_reference.json").read_text())


def part(kind: str, numbers: list[float]):
    if kind == "SIE":
        return SIE(numbers[0], numbers[1], np.deg2rad(numbers[2]))
    return {"PM": PointMass, "SIS": SIS, "SHEAR": Shear, "CONVERGENCE": Sheet}[kind](*numbers)


@pytest.mark.parametrize("dtype, tolerance", [(jnp.float64, 1e-6), (jnp.float32, 1e-4)], ids=["float64", "float32"])
@pytest.mark.parametrize("name", REFERENCE["models"])
def test_equals_lenstronomy(name, dtype, tolerance):
    """Deflections to `tolerance` of θ_E (1 px for shear and sheet), second derivatives to it times their own size, and ψ, whose zero
    point is free, to it times θ_E times the distance."""
    model = REFERENCE["models"][name]
    radius = max([numbers[0] for kind, numbers, *_ in model["parts"] if kind in ("PM", "SIS", "SIE")], default=1.0)
    with jax.enable_x64(dtype == jnp.float64):
        members = [(part(kind, numbers), x, y) for kind, numbers, x, y in model["parts"]]
        lens = members[0][0] if len(members) == 1 else cluster(members)
        lens = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), lens)
        x, y = (jnp.asarray(REFERENCE[axis], dtype) for axis in "xy")
        deflection = np.array(lens.deflection(x, y))
        second = np.array(hessian(lens, x, y))
        potential = np.array(lens.potential(x, y), float)
    assert deflection.dtype == dtype
    np.testing.assert_allclose(deflection, [model["ax"], model["ay"]], atol=tolerance * radius, rtol=tolerance)
    expected = np.array([model["xx"], model["xy"], model["yy"]])
    off = np.abs(second - expected).max(axis=0) / np.abs(expected).max(axis=0).clip(1.0)
    assert off.max() < tolerance
    r = np.hypot(REFERENCE["x"], REFERENCE["y"])
    apart = potential - model["psi"]
    np.testing.assert_allclose(apart - apart[0], 0.0, atol=tolerance * radius * r.max())
