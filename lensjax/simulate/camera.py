"""How a system becomes an image."""

from dataclasses import dataclass

from lensjax.simulate.trace import Trace


@dataclass(frozen=True)
class Camera:
    """How a system becomes an image; hashable, static under jit.

    Attributes:
        trace: how the lens equation is solved, and the window.
        size: pixels on a side of the image.
        field: the part of the canvas that the image shows, in native pixels: the crop.
        oversample: points on a side of a pixel, averaged.
        centred: whether the centre of light of the canvas is moved to the image's centre.
        canvas: side of the uncropped image, in native pixels, over which the centre of light is taken.
        samples: points on a side of the grid about the light, over which the centre of light is taken. None takes the canvas's
            pixels; so do lenses that are not axisymmetric, and series without a window, whose light may lie anywhere.
    """

    trace: Trace = Trace.named("roulette")
    size: int = 400
    field: int = 400
    oversample: int = 1
    centred: bool = True
    canvas: int = 1000
    samples: int | None = 96
