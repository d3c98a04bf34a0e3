"""The tour: six steps for students, each with a scene."""

from typing import NamedTuple

from lensjax.explore.state import Light, Member, Scene


class Step(NamedTuple):
    """One step: its title, its text, what to try, and the scene that it sets."""

    title: str
    text: str
    tries: str
    scene: Scene


STEPS = (
    Step(
        "Deflection",
        "Mass bends light. An image point ν shows the light of the source-plane point β = ν − α(ν), where α is the deflection. "
        "With an Einstein radius of 0 nothing is bent, and image and source plane are the same.",
        "Move the Einstein radius from 0 up to 60 px, and watch the image leave the source's place.",
        Scene((Member("SIS", 0.0),), Light(x=60.0, y=0.0, sigma=15.0, ratio=1.0)),
    ),
    Step(
        "Ring",
        "A source exactly behind a round lens is seen in all directions at once: an Einstein ring. Its radius is the Einstein radius, "
        "which measures the mass inside. The ring lies on the critical curve, where the magnification is infinite for a point.",
        "Move the source by one pixel, then by ten: the ring opens into two arcs.",
        Scene((Member("SIS", 70.0),), Light(x=0.0, y=0.0, sigma=10.0, ratio=1.0)),
    ),
    Step(
        "Arcs",
        "Away from the middle the source has two images: a large arc on its own side, and a small, mirrored one across the lens. The "
        "triangle with three colours shows which way an image is turned.",
        "Drag the source across the source plane. Where it crosses the cut (blue dots), the small image vanishes into the lens.",
        Scene((Member("SIS", 60.0),), Light("triangle", x=35.0, y=20.0, sigma=25.0)),
    ),
    Step(
        "Caustics",
        "An elliptical lens has a caustic with four cusps in the source plane. It is the critical curve, traced back. A source inside it "
        "has four images and outside two: images appear and vanish in pairs when the source crosses it.",
        "Drag the source out through the line between two cusps, and then through a cusp. Lower the axis ratio: the caustic grows.",
        Scene((Member("SIE", 80.0, 0.6, 30.0),), Light(x=3.0, y=-2.0, sigma=4.0, ratio=1.0)),
    ),
    Step(
        "Roulettes",
        "The roulette formalism replaces the deflection by a power series about one image point, the small circle. Few numbers, "
        "the amplitudes, then describe the lens. The series converges only within the dashed ring through the lens's centre, and slowly "
        "near its rim.",
        "Move the terms from 1 to 12, and then to 50. The difference shrinks inside and stays at the rim. The mirrored arc is missing.",
        Scene((Member("SIS", 60.0),), Light(x=45.0, y=15.0, sigma=16.0, ratio=0.6), method="roulette", terms=3),
    ),
    Step(
        "What a network sees",
        "A network gets the image alone: no curves, no source plane. From the arcs it estimates the lens and the source at once. Some "
        "systems look nearly the same; there its errors are large, and refinement on the pixels tells them apart or says that it cannot.",
        "Open tab Estimate and press “Estimate this scene's image”. Compare the network's numbers with the refined ones and with yours.",
        Scene((Member("SIS", 42.0),), Light(x=-26.0, y=48.0, sigma=10.0, ratio=0.6, theta=5.0), method="roulette", terms=50),
    ),
)
"""The steps, in their order."""
