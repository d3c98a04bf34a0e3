"""Numbers with errors, as a table of a paper has them."""

import math


def with_error(value: float, error: float) -> tuple[str, str]:
    """A value and its 1σ error as text, to two figures of the error.

    An error that is not finite or not above 0 leaves the value four figures; inf becomes "not identified", NaN a dash.
    """
    if not math.isfinite(value):
        return "–", "–"
    if not math.isfinite(error) or error <= 0:
        return _signed(f"{value:.4g}"), "not identified" if error == math.inf else "–"
    power = math.floor(math.log10(float(f"{error:.1e}")))
    largest = max(power, math.floor(math.log10(abs(value))) if value else power)
    if -5 <= largest <= 5 and power > -8:
        places = max(1 - power, 0)
        return _signed(f"{value:.{places}f}"), f"{error:.{places}f}"
    places = largest - power + 1
    scale = 10.0**-largest
    return _signed(f"{value * scale:.{places}f}e{largest:+d}"), f"{error * scale:.{places}f}e{largest:+d}"


def _signed(text: str) -> str:
    return text.replace("-", "−", 1) if text.startswith("-") else text
