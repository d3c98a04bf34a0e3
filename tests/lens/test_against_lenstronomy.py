"""Potential, deflection and Hessian against lenstronomy's, kept in lenstronomy_reference.json.

tests/reference/reference_lenstronomy.py writes that file and says how the parameters correspond.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.lens import NFW, SIE, SIS, Multipole, PointMass, Shear, Sheet, cluster, epl, hessian

REFERENCE = json.loads((Path(__file__).parent / "lenstronomy_reference.json").read_text())


def part(kind: str, numbers: list[float]):
    if kind == "SIE":
        return SIE(numbers[0], numbers[1], np.deg2rad(numbers[2]))
    if kind == "EPL":
        return epl(numbers[0], numbers[1], np.deg2rad(numbers[2]), numbers[3])
    if kind == "NFW":
        r_s, alpha_rs, q, phi = numbers
        e, angle = (1 - q) / (1 + q), np.deg2rad(2 * phi)
        return NFW(r_s, alpha_rs, e * np.cos(angle), e * np.sin(angle))
    if kind == "MULTIPOLE":
        strength, direction, order = numbers
        angle = order * np.deg2rad(direction)
        return Multipole(strength * np.cos(angle), strength * np.sin(angle), order)
    return {"PM": PointMass, "SIS": SIS, "SHEAR": Shear, "CONVERGENCE": Sheet}[kind](*numbers)


@pytest.mark.parametrize("dtype, tolerance", [(jnp.float64, 1e-6), (jnp.float32, 1e-4)], ids=["float64", "float32"])
@pytest.mark.parametrize("name", REFERENCE["models"])
def test_equals_lenstronomy(name, dtype, tolerance):
    """Deflections to `tolerance` of θ_E (1 px for shear and sheet), second derivatives to it times their own size, and ψ, whose zero
    point is free, to it times θ_E times the distance."""
    model = REFERENCE["models"][name]
    radius = max([numbers[0] for kind, numbers, *_ in model["parts"] if kind in ("PM", "SIS", "SIE", "EPL", "NFW")], default=1.0)
    with jax.enable_x64(dtype == jnp.float64):
        members = [(part(kind, numbers), x, y) for kind, numbers, x, y in model["parts"]]
        lens = members[0][0] if len(members) == 1 else cluster(members)
        lens = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), lens)
        x, y = (jnp.asarray(REFERENCE[axis], dtype) for axis in "xy")
        deflection = np.array(lens.deflection(x, y))
        second = np.array(hessian(lens, x, y))
        potential = np.array(lens.potential(x, y), float)
        convergence = np.array(lens.convergence(x, y), float)
    assert deflection.dtype == dtype
    np.testing.assert_allclose(deflection, [model["ax"], model["ay"]], atol=tolerance * radius, rtol=tolerance)
    expected = np.array([model["xx"], model["xy"], model["yy"]])
    off = np.abs(second - expected).max(axis=0) / np.abs(expected).max(axis=0).clip(1.0)
    assert off.max() < tolerance
    r = np.hypot(REFERENCE["x"], REFERENCE["y"])
    apart = potential - model["psi"]
    np.testing.assert_allclose(apart - apart[0], 0.0, atol=tolerance * radius * r.max())
    kappa = 0.5 * (expected[0] + expected[2])
    np.testing.assert_allclose(convergence, kappa, rtol=0.0, atol=tolerance * np.abs(expected).max(axis=0).clip(1.0).max())
