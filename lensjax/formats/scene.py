"""One image as a row of a file describes it: numbers and names, checked, in the units of files.

`formats.cosmosim` reads files into scenes; `lensjax.dataset.render` renders them.
"""

from dataclasses import dataclass

from lensjax.errors import BadInput

MODELS = ("Raytrace", "Roulette")


@dataclass(frozen=True)
class Mass:
    """One lens: a member of a cluster, or the only one.

    Attributes:
        kind: "PM", "SIS" or "SIE".
        einsteinradius: θ_E [px].
        ellipseratio: f in (0, 1] of an SIE; 1 of other lenses.
        orientation: direction of the critical curve's shorter axis, CosmoSim's [degrees].
        x, y: its place [px].
    """

    kind: str
    einsteinradius: float
    ellipseratio: float = 1.0
    orientation: float = 0.0
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Light:
    """One source: a member of a constellation, or the only one.

    Attributes:
        kind: "Spherical", "Ellipsoid", "SersicSphere", "SersicEllipsoid", "Triangle" or "Image".
        x, y: its place in the source plane [px], y up, relative to the lens as a scene's x and y are.
        sigma, sigma2: sizes [px] along and across `theta`.
        theta: direction [degrees].
        n_sersic: Sérsic index.
        luminosity: total light of a Sérsic profile, CosmoSim's unit.
        picture: the file of an "Image".
    """

    kind: str
    x: float
    y: float
    sigma: float
    sigma2: float
    theta: float = 0.0
    n_sersic: float = 4.0
    luminosity: float = 10.0
    picture: str = ""


@dataclass(frozen=True)
class Origin:
    """The row of a file that describes a scene.

    Attributes:
        path: the file.
        line: line of the file at which the row begins, counted from 1.
    """

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}: line {self.line}"


@dataclass(frozen=True)
class Scene:
    """One image.

    Attributes:
        filename: path of the image within the output folder.
        index: its number, as in the file.
        lens: name in files: "PM", "SIS", "SIE" or "Cluster".
        masses: the lens's members; one unless `lens` is "Cluster".
        source: kind of source, "Constellation" for several.
        lights: the source's members; one unless `source` is "Constellation".
        x, y: the source's place [px]; a constellation's members stand about it.
        model: one of `MODELS`.
        nterms: order of the roulette series.
        imagesize: pixels on a side of the canvas.
        cropsize: pixels on a side of the part that is kept; 0 keeps all.
        centred: whether the centre of light is moved to the image's centre.
        mask: whether a roulette image is dark outside its convergence ring.
        xireference: amplitudes about the reference point ξ; else about the image's centre.
        sampled: whether the lens is a grid of its potential.
        reflines: whether the axes are drawn into the image.
        criticalcurves: whether critical curves are drawn into the image.
        window: "region": dark outside the region of convergence, with either model; "": as `mask` says.
        size: pixels on a side of the image file, which shows the same field; 0 is one for each pixel of the canvas.
        samples: points on a side of the grid over which the centre of light is taken; None takes the canvas's pixels.
        double: whether it is rendered in float64.
        origin: the row that describes it; None without a file.
    """

    filename: str
    index: str
    lens: str
    masses: tuple[Mass, ...]
    source: str
    lights: tuple[Light, ...]
    x: float
    y: float
    model: str = "Raytrace"
    nterms: int = 16
    imagesize: int = 512
    cropsize: int = 0
    centred: bool = False
    mask: bool = False
    xireference: bool = True
    sampled: bool = False
    reflines: bool = False
    criticalcurves: bool = False
    window: str = ""
    size: int = 0
    samples: int | None = None
    double: bool = False
    origin: Origin | None = None

    def error(self, problem: str, *, column: str | None = None, expected: str = "", hint: str = "") -> BadInput:
        """The error of this scene, which names its row, or its image where it has none."""
        path, line = (self.filename, None) if self.origin is None else (self.origin.path, self.origin.line)
        return BadInput(problem, path=path, line=line, column=column, expected=expected, hint=hint)
