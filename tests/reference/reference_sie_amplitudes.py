"""Writes tests/roulette/sie_amplitudes.json: roulette amplitudes of SIEs to order 20, by mpmath in 80 digits.

`tests/roulette/test_amplitudes.py` compares LensJAX with it. Runs in an environment of its own:

    python3 -m venv mp && mp/bin/pip install mpmath==1.4.1
    mp/bin/python tests/reference/reference_sie_amplitudes.py [--out tests/roulette/sie_amplitudes.json]

Takes seconds. The only input is the potential of Kormann et al. (1994): its derivatives along the lines (x + t, y + jt), j whole, are
differences in 80 digits and more, its partial derivatives ∂x^a ∂y^b follow from a linear system, and with k = (m + 1 − s)/2

    A_s^m = α_s^m + iβ_s^m = −2^{1−[s=0]} C(m+1, k) ∂_z^k ∂_z̄^{m+1−k} ψ,   ∂_z = (∂x − i∂y)/2,   ∂_z̄ = (∂x + i∂y)/2.

Prints the lenses. The file has of each its parameters, the point, and the A_s^m as rows [m, s, alpha, beta].
"""

import argparse
import json
import os
from math import comb, factorial
from pathlib import Path

TERMS = 20
OUT = Path(__file__).parents[1] / "roulette" / "sie_amplitudes.json"

# theta_e [px], f, orientation [rad], x, y [px]
LENSES = [(40.0, 0.7, 0.4, 80.0, -45.0), (25.0, 0.35, 2.1, -31.5, 22.25), (50.0, 0.97, 1.1, 12.0, 60.5)]


def amplitudes(theta_e: float, f: float, orientation: float, x: float, y: float) -> list[list[float]]:
    """Rows [m, s, alpha, beta]."""
    from mpmath import asin, asinh, cos, hypot, lu_solve, matrix, mp, mpc, mpf, sin, sqrt, taylor

    mp.dps = 80
    f, o = mpf(f), mpf(orientation)
    flat = sqrt(1 - f**2)

    def psi(x, y):
        u, v = cos(o) * x + sin(o) * y, cos(o) * y - sin(o) * x
        r = hypot(u, v)
        return theta_e * sqrt(f) / flat * (v * asin(flat * v / r) + u * asinh(flat * u / (f * r)))

    slopes = [j - (TERMS + 1) // 2 for j in range(TERMS + 2)]
    lines = [taylor(lambda t, j=j: psi(x + t, y + j * t), 0, TERMS + 1) for j in slopes]
    rows = []
    for m in range(TERMS + 1):
        n = m + 1
        # Σ_b C(n, b) j^b ∂x^(n−b) ∂y^b ψ is the n-th derivative along the slope j.
        system = matrix([[comb(n, b) * mpf(j) ** b for b in range(n + 1)] for j in slopes[: n + 1]])
        by_y = lu_solve(system, matrix([line[n] * factorial(n) for line in lines[: n + 1]]))
        for s in range((m + 1) % 2, m + 2, 2):
            k, rest = (m + 1 - s) // 2, (m + 1 + s) // 2
            total = mpc(0)
            for p in range(k + 1):
                for q in range(rest + 1):
                    total += comb(k, p) * comb(rest, q) * mpc(0, -1) ** p * mpc(0, 1) ** q * by_y[p + q]
            total *= -(2 if s else 1) * mpf(comb(m + 1, k)) / mpf(2) ** (m + 1)
            rows.append([m, s, float(total.real), float(total.imag)])
    return rows


def main() -> None:
    """Differentiates, writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help="file to write (default: %(default)s)")
    out = parser.parse_args().out

    reference = []
    for numbers in LENSES:
        rows = amplitudes(*numbers)
        reference.append({"theta_e, f, orientation, x, y": numbers, "m, s, alpha, beta": rows})
        print(f"theta_e {numbers[0]}, f {numbers[1]}, orientation {numbers[2]} at {numbers[3:]}: {len(rows)} amplitudes", flush=True)
    temporary = out.with_name(out.name + ".tmp")
    temporary.write_text(json.dumps(reference) + "\n")
    os.replace(temporary, out)


if __name__ == "__main__":
    main()
