"""The report of fits of telescopes' images: what it shows are the solution's own numbers, and nothing that is masked."""

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lensjax import problems
from lensjax.cli import main as cli
from lensjax.dataset import estimates, telescope_fits
from lensjax.dataset.telescope import Taken
from lensjax.errors import BadInput
from lensjax.estimate import Estimate
from lensjax.infer import Solution
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import observe
from lensjax.observation.sky import SkyImage, Wcs
from lensjax.problems import components, galaxy_components
from lensjax.problems.compose import Composition, compose
from lensjax.report import telescope_panels as panels
from lensjax.report import telescope_report
from lensjax.report.telescope_figures import panels_of
from lensjax.report.telescope_report import TelescopeReport
from lensjax.report.telescope_view import flags_of, profile_of, view_of
from lensjax.report.values import with_error
from tests.dataset import telescope_files as files

SHAPE, SCALE = (41, 45), 0.1
SIE = components.sie(unit="arcsec", theta_e=(0.1, 3.0))
LIGHT = galaxy_components.multi_gaussian(3, unit="arcsec", sigma=(0.2, 1.0), q=None)
PROBLEM = compose("small", [SIE, components.gaussian(unit="arcsec"), LIGHT], sky=True)
NORTHLESS = {"phi": np.nan, "source_phi": np.nan}
TRUTH = {
    "x": 0.1, "y": -0.05, "theta_E": 1.0, "q": 0.7, "phi": 25.0, "source_x": 0.15, "source_y": 0.0, "source_sigma": 0.1, "source_q": 0.8,
    "source_phi": 100.0, "source_flux": 4.0, "light_x": 0.1, "light_y": -0.05, "light_flux1": 1.0, "light_flux2": 2.0, "light_flux3": 4.0,
    "sky": 0.5,
}  # fmt: skip
NORTH_UP = Wcs(((-SCALE, 0.0), (0.0, SCALE)), 150.0, 2.0, {})
SIGMA = 0.05
KINDS = ["data", "light", "arcs", "arcs-model", "model", "residual", "source", "profile"]


def params_of(problem: Composition, **changed: float) -> np.ndarray:
    return np.array([{**TRUTH, **changed}[name] for name in problem.names])


def seen(problem: Composition = PROBLEM, *, name: str = "a.fits", unit: float = 1.0, **options: object) -> SkyImage:
    """An image in a unit of the file's, with masked pixels about a star that must not be seen."""
    taken = instrument(SHAPE, pixel_scale=SCALE)
    light = np.asarray(problem.image(jnp.asarray(params_of(problem), jnp.float32), taken), np.float64)
    mask = np.ones(SHAPE, bool)
    mask[3:9, 30:40] = False
    noise = np.random.default_rng(0).normal(scale=SIGMA, size=SHAPE)
    observed = observe(np.where(mask, light + noise, 1e4), SIGMA, mask=mask, taken_by=taken)
    return SkyImage(name, observed, **{"wcs": NORTH_UP, "scale": unit, "unit": "electron/s", **options})


def solved(problem: Composition = PROBLEM, *, unit: float = 1.0, status: str = "converged", success: bool = True) -> Solution:
    factor = np.where(np.arange(len(problem.names)) < len(problem.names) - problem.linear, 1.0, unit)
    params = params_of(problem)
    errors = (0.01 * np.abs(params) + 1e-3) * factor
    errors[problem.names.index("source_phi")] = np.inf
    return replace(
        Solution.failed(problem.names, "", coordinates=problem.size), params=(params * factor)[None], errors=errors[None],
        chi2=np.array([1.0361]), success=np.array([success]), status=(status,), kind=("least squares",), method=("raytrace",),
    )  # fmt: skip


class Page(HTMLParser):
    """Images with their texts, links, cells of tables by row, and list items."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.images: dict[str, str] = {}
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.rows: list[list[str]] = []
        self.items: list[str] = []
        self._into: list[str] | None = None
        self.text = path.read_text()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.ids |= {values["id"]} if "id" in values else set()
        if tag == "img":
            self.images[unquote(values["src"])] = values["alt"]
        elif tag == "a":
            self.links.append(unquote(values["href"]))
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th", "li"):
            self._into = self.items if tag == "li" else self.rows[-1]
            self._into.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "li"):
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into[-1] += data


def report_in(folder: Path, names: list[str], **options: object) -> TelescopeReport:
    return TelescopeReport(folder, telescope_fits.stems(names), "lensjax estimate 'a.fits[SCI]' --report r", folder / "r.csv", **options)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Page]:
    """A success, a failure, an image that cannot be read, and one of a name with <brackets>."""
    folder = tmp_path_factory.mktemp("report")
    names = ["a.fits", "b.fits", "c.fits", "<d> #1.fits[SCI]"]
    report = report_in(folder, names)
    remarks = ("60 pixels without a usable noise, masked", "noise measured from the sky: 0.05 (rms); sky of 0.1 subtracted")
    status = "; ".join(("not converged", "the residuals are no noise", *remarks))
    image = seen(unit=1e-3, remarks=remarks)
    doubtful = solved(unit=1e-3, status=status, success=False)
    with jax.numpy_dtype_promotion("strict"):  # as in tests, which then need not compile again
        report.draw(names[0], PROBLEM, image, Estimate(None, doubtful, None, {"phi": 115.0, "source_phi": 10.0}))
    failed = Solution.failed(PROBLEM.names, "no light stands out of the noise", coordinates=PROBLEM.size)
    report.draw(names[1], PROBLEM, image, Estimate(None, failed, None, NORTHLESS))
    error = BadInput("no such file", path="c.fits")
    report.draw(names[2], PROBLEM, error, Estimate(None, None, str(error)))
    report.draw(names[3], PROBLEM, seen(wcs=None), Estimate(None, solved(), None, NORTHLESS))
    report.write(names)
    return folder, Page(report.path)


def test_the_page_has_each_part(page) -> None:
    folder, html = page
    panels_of_a = [name for name in html.images if name.startswith("lenses/a-")]
    assert panels_of_a == [f"lenses/a-{kind}.png" for kind in KINDS]
    assert len([name for name in html.images if name.startswith("lenses/d_1_SCI-")]) == len(KINDS)
    assert [name for name in html.images if name.startswith("lenses/b-")] == ["lenses/b-data.png"]
    assert "report-sheet-1.png" in html.images
    for name, words in html.images.items():
        assert len(words) > 20, name
    for name in (*html.images, *html.links):
        if name.startswith("#"):
            assert name[1:] in html.ids
        elif name != "r.csv":
            assert (folder / name).is_file(), name
    assert "r.csv" in html.links and "lenses/a.pdf" in html.links and (folder / "lenses/a.pdf").read_bytes().startswith(b"%PDF")
    assert "lensjax estimate &#39;a.fits[SCI]&#39; --report r" in html.text
    assert "http:" not in html.text and "https:" not in html.text and "<script" not in html.text
    assert "&lt;d&gt; #1.fits[SCI]" in html.text and "<d>" not in html.text
    assert "c.fits: no such file" in html.items and "failed: no light stands out of the noise" in html.items
    assert html.text.count('class="badge good"') == 1 and html.text.count('class="badge bad"') == 3


def test_the_numbers_are_those_of_the_solution(page) -> None:
    _, html = page
    rows = {row[0]: row[1:] for row in reversed(html.rows) if len(row) == 4}  # the first lens's, where names recur
    assert rows["theta_E"] == ["1.000", "0.011", "arcsec"]
    assert rows["phi"] == ["25.00", "0.25", "deg"] and rows["phi_east_of_north"] == ["115.00", "0.25", "deg"]
    assert rows["source_phi"][:2] == ["100", "not identified"]
    assert rows["source_flux"] == ["0.004000", "0.000041", "electron/s arcsec²"]
    assert rows["light_flux3"] == ["0.004000", "0.000041", "electron/s arcsec²"]
    pixels = SHAPE[0] * SHAPE[1] - 60
    assert f"χ²/ν = 1.036, ν = {pixels - len(PROBLEM.names)};" in html.text
    summary = next(row for row in html.rows if row[:2] == ["a.fits", "1.000 ± 0.011"])
    assert summary[3:] == ["no", "not converged; the residuals are no noise"]


def test_flags_and_assumptions_are_lists_of_their_own(page) -> None:
    _, html = page
    for item in (
        "not converged", "the residuals are no noise", "60 pixels without a usable noise, masked",
        "noise measured from the sky: 0.05 (rms); sky of 0.1 subtracted", "60 pixels of 1845 masked (3.3 %)", "no PSF",
        "white noise of 5e-05 rms [electron/s]", "45×41 pixels of 0.1 arcsec, each the mean of 1 point",
        "no WCS: directions in the image alone",
    ):  # fmt: skip
        assert item in html.items, item
    solution = solved(status="a; b; c d")
    assert flags_of(solution, seen(remarks=("b", "c d"))) == ["a"] and flags_of(solution, seen()) == ["a", "b", "c d"]


def pixels_of(figure: Figure) -> list[np.ma.MaskedArray]:
    return [image.get_array() for axes in figure.axes for image in axes.images]


def test_masked_pixels_do_not_show() -> None:
    """The star of 10⁴ is neither in the arrays that are drawn, nor in their scales, nor in the profile."""
    image = seen()
    view = view_of(PROBLEM, params_of(PROBLEM), image)
    hidden = ~np.asarray(image.observed.mask)
    for panel in panels_of(view):
        figure = Figure()
        axes = figure.subplots(2 if panel.double else 1)
        panel.draw(*(axes if panel.double else [axes]))
        for shown in pixels_of(figure):
            values = np.ma.filled(shown, np.nan)
            if panel.key in ("data", "arcs", "residual"):
                np.testing.assert_array_equal(np.isnan(values), hidden)
            assert np.nanmax(values) < 100.0
        for drawn in (image for axes in figure.axes for image in axes.images):
            assert drawn.norm.vmax is not None and drawn.norm.vmax < 100.0
            if panel.key == "residual":
                assert (drawn.norm.vmin, drawn.norm.vmax) == (-5.0, 5.0) and drawn.cmap.name == "RdBu_r"
    assert view.residual is not None and np.nanstd(view.residual) == pytest.approx(1.0, abs=0.05)
    assert view.profile is not None and view.profile.data.max() < 100.0


def test_arcs_are_the_data_without_lens_light_and_sky() -> None:
    view = view_of(PROBLEM, params_of(PROBLEM), seen())
    made = view.made
    assert made is not None and made.lens_light is not None and view.arcs is not None
    np.testing.assert_allclose(view.arcs, view.data - made.lens_light - TRUTH["sky"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(made.model, made.arcs + made.lens_light + TRUTH["sky"], rtol=1e-6)
    assert made.lens_light.sum() * SCALE**2 == pytest.approx(7.0, rel=0.05)  # the three Gaussians' fluxes


def test_without_lens_light_there_is_no_panel_of_it() -> None:
    view = view_of(PROBLEM, params_of(PROBLEM), seen())
    assert view.made is not None and [panel.key for panel in panels_of(view)] == KINDS
    bare = replace(view, made=view.made._replace(lens_light=None))
    assert [panel.key for panel in panels_of(bare)] == [kind for kind in KINDS if kind not in ("light", "arcs", "arcs-model")]


def test_the_profile_is_about_the_lens() -> None:
    """The lens's own light alone, at the lens: means over annuli fall off, and the residuals are noise."""
    view = view_of(PROBLEM, params_of(PROBLEM), seen())
    assert view.profile is not None and view.made is not None and view.profile.lens_light is not None
    assert (np.diff(view.profile.lens_light) < 0).all()
    away = profile_of(PROBLEM, params_of(PROBLEM, x=0.6), view.image, view.made, np.full(SHAPE, SIGMA)).lens_light
    assert away is not None and not (np.diff(away) < 0).all()
    pulls = (view.profile.data - view.profile.model) / view.profile.noise
    assert np.abs(pulls).max() < 4.0 and 0.5 < pulls.std() < 1.5
    assert view.profile.theta_e == 1.0


def test_lines_are_in_arcseconds() -> None:
    view = view_of(PROBLEM, params_of(PROBLEM), seen())
    (curve,), (cut,) = view.lines.critical, view.lines.cuts
    x, y = (curve - [TRUTH["x"], TRUTH["y"]]).T
    area = 0.5 * abs((x[:-1] * np.diff(y) - y[:-1] * np.diff(x)).sum())
    assert (area / np.pi) ** 0.5 == pytest.approx(1.0, abs=1e-3)
    assert len(view.lines.caustics) == 1 and np.hypot(*cut.T).max() < 2.0
    assert view.extent == pytest.approx((-2.3, 2.2, -2.0, 2.1))


@pytest.mark.parametrize(
    ("matrix", "north", "east"),
    [
        (((-1, 0), (0, 1)), (0, 1), (-1, 0)),
        (((1, 0), (0, 1)), (0, 1), (1, 0)),  # mirrored
        (((0, 1), (1, 0)), (1, 0), (0, 1)),
        (((-0.6, 0.8), (0.8, 0.6)), (0.8, 0.6), (-0.6, 0.8)),
    ],
)
def test_arrows_point_to_north_and_east(matrix, north, east) -> None:
    """In pixels of the drawn figure, also where the image is not square."""
    wcs = Wcs(tuple(tuple(SCALE * value for value in row) for row in matrix), 150.0, 2.0, {})
    view = view_of(PROBLEM, np.full(len(PROBLEM.names), np.nan), seen(wcs=wcs))
    figure = Figure(figsize=(4, 4))
    axes = figure.subplots()
    panels_of(view)[0].draw(axes)
    figure.draw_without_rendering()
    arrows = [text for text in axes.texts if text.get_text() == "" and getattr(text, "arrow_patch", None) is not None]
    found = [axes.transAxes.transform(arrow.xyann) - axes.transAxes.transform(arrow.xy) for arrow in arrows]
    names = [text.get_text() for text in axes.texts if text.get_text()]
    assert names == ["E", "N"]
    for tail_to_head, expected in zip(found, (east, north), strict=True):
        np.testing.assert_allclose(-tail_to_head / np.linalg.norm(tail_to_head), expected, atol=1e-6)
    figure = Figure()
    axes = figure.subplots()
    panels_of(view_of(PROBLEM, np.full(len(PROBLEM.names), np.nan), seen(wcs=None)))[0].draw(axes)
    assert not axes.texts


def test_a_figure_that_fails_costs_its_lens_alone(tmp_path, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("no such line")

    monkeypatch.setattr(panels, "show_profile", broken)
    report = report_in(tmp_path, ["a.fits"])
    report.draw("a.fits", PROBLEM, seen(), Estimate(None, solved(), None, {"phi": 115.0, "source_phi": 10.0}))
    report.write(["a.fits"])
    html = Page(report.path)
    assert "figures cannot be drawn: no such line" in html.items
    assert next(row for row in html.rows if row[0] == "theta_E")[1] == "1.000"


def test_many_lenses_on_pages_and_sheets(tmp_path, monkeypatch) -> None:
    """Three to a page, two to a sheet: each lens once, each page linked to the others."""
    monkeypatch.setattr(telescope_report, "PER_PAGE", 3)
    monkeypatch.setattr(telescope_report, "PER_SHEET", 2)
    names = [f"{k}.fits" for k in range(7)]
    report = report_in(tmp_path, names, name="report-2-of-4")
    for name in names:
        report.draw(name, PROBLEM, BadInput("no such file", path=name), Estimate(None, None, f"{name}: no such file"))
    report.write(names)
    pages = [Page(tmp_path / f"report-2-of-4{end}.html") for end in ("", "-2", "-3")]
    assert [re.findall(r"<h2>(.*\.fits)", html.text) for html in pages] == [names[:3], names[3:6], names[6:]]
    assert {"report-2-of-4-2.html", "report-2-of-4-3.html"} < set(pages[0].links)
    sheets = sorted(path.name for path in tmp_path.glob("*-sheet-*.png"))
    assert sheets == ["report-2-of-4-2-sheet-1.png", "report-2-of-4-2-sheet-2.png"] + [
        "report-2-of-4-3-sheet-1.png", "report-2-of-4-sheet-1.png", "report-2-of-4-sheet-2.png"
    ]  # fmt: skip
    with Image.open(tmp_path / sheets[0]) as two, Image.open(tmp_path / sheets[1]) as one:
        assert two.width == one.width == 1200 and two.height - one.height == 207


def test_an_interrupted_run_has_all_lenses_in_the_end(tmp_path, monkeypatch) -> None:
    """Begun without a report, interrupted; then with one, interrupted while it draws: nothing is fitted or drawn twice."""
    pytest.importorskip("astropy")
    paths = [files.write(tmp_path / f"{k}.fits") for k in range(4)]
    inputs = estimates.of_paths(paths)
    fits: list[str] = []
    drawn: list[str] = []
    stop = ["2.fits"]

    def fitted(problem: Composition, image: SkyImage) -> telescope_fits.Fitted:
        if image.name in stop:
            raise KeyboardInterrupt
        fits.append(image.name)
        return telescope_fits.Fitted(Solution.failed(PROBLEM.names, "no light", coordinates=PROBLEM.size), None)

    class Drawing(TelescopeReport):
        def draw(self, filename: str, *rest: object) -> None:
            if filename in stop:
                raise KeyboardInterrupt
            drawn.append(filename)
            super().draw(filename, *rest)

    monkeypatch.setattr(telescope_fits, "fitted", fitted)
    report = Drawing(tmp_path / "r", telescope_fits.stems(inputs.filenames), "lensjax", tmp_path / "r.csv")
    options = {"estimator": None, "taken": Taken(noise="[ERR]")}
    with pytest.raises(KeyboardInterrupt):
        estimates.run(PROBLEM, inputs, tmp_path / "r.csv", **options)
    stop[:] = ["1.fits"]
    with pytest.raises(KeyboardInterrupt):
        estimates.run(PROBLEM, inputs, tmp_path / "r.csv", report=report, **options)
    assert drawn == ["0.fits"] and not report.path.exists()
    stop.clear()
    estimates.run(PROBLEM, inputs, tmp_path / "r.csv", report=report, **options)
    assert fits == ["0.fits", "1.fits", "2.fits", "3.fits"] and drawn == ["0.fits", "1.fits", "2.fits", "3.fits"]
    assert re.findall(r"<h2>(.*\.fits)", report.path.read_text()) == list(inputs.filenames)
    assert not list(tmp_path.rglob("*.tmp-*"))
    # Another solution is another drawing.
    assert report.drawn("0.fits", Estimate(None, solved(), None, NORTHLESS)) is False
    assert json.loads((tmp_path / "r/lenses/0.json").read_text())["flags"] == ["failed: no light"]


@pytest.mark.slow
def test_a_survey_in_two_parts(tmp_path, monkeypatch, capsys) -> None:
    """Two files of one name, one with a lens and one of noise, each with a page of its own in one folder."""
    monkeypatch.chdir(tmp_path)
    problem = problems.composed("galaxy", sky=True)
    truth = {
        "x": 0.03, "y": -0.02, "theta_E": 1.2, "q": 0.75, "phi": 30.0, "gamma1": 0.03, "gamma2": -0.02, "source_x": 0.1, "source_y": 0.05,
        "source_R": 0.15, "source_n": 1.2, "source_q": 0.7, "source_phi": 100.0, "source_flux": 1.0, "sky": 0.0,
    }  # fmt: skip
    taken = instrument((61, 61), pixel_scale=0.07, supersampling=4)
    light = np.asarray(problem.image(jnp.asarray([truth[name] for name in problem.names], jnp.float32), taken), np.float64)
    noise = np.random.default_rng(0).normal(scale=0.03, size=(2, *light.shape))
    header = files.sky_header(light.shape)
    header.update({"CD1_1": -0.07 / 3600, "CD2_2": 0.07 / 3600})
    for name, image in (("one", light / light.max() + noise[0]), ("two", noise[1])):
        Path(name).mkdir()
        files.write(Path(name, "a.fits"), image[::-1], header=header, ERR=np.full(light.shape, 0.03))
    words = ["estimate", "one/a.fits", "two/a.fits", "--lens-light", "none", "--source", "sersic", "--noise", "[ERR]", "--report", "r"]
    for part in ("1", "2"):
        assert cli.main([*words, "--shard", f"{part}/2", "--out", f"part-{part}.csv"]) == 0
        assert f"r/report-{part}-of-2.html" in capsys.readouterr().out
    assert sorted(path.name for path in Path("r").glob("*.html")) == ["report-1-of-2.html", "report-2-of-2.html"]
    assert sorted(path.name for path in Path("r/lenses").glob("*.json")) == ["one_a.json", "two_a.json"]
    first, second = Page(Path("r/report-1-of-2.html")), Page(Path("r/report-2-of-2.html"))
    with Path("part-1.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    shown = {cells[0]: cells[1:] for cells in first.rows}
    for name in problem.names:
        assert shown[name][:2] == list(with_error(float(row[name]), float(row[f"{name}_err"]))), name
    assert shown["phi_east_of_north"][0] == with_error(float(row["phi_east_of_north"]), float(row["phi_err"]))[0]
    assert abs(float(row["theta_E"]) - 1.2) < 5.0 * float(row["theta_E_err"])
    assert 'class="badge good"' in first.text and "--shard 1/2 --out part-1.csv" in first.text
    assert 'class="badge bad"' in second.text and "failed: no light stands out of the noise" in second.items
    assert list(second.images) == ["lenses/two_a-data.png"]


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.23456, 0.0123, ("1.235", "0.012")),
        (-0.5, 0.00996, ("−0.500", "0.010")),
        (123.4, 25.0, ("123", "25")),
        (3.21e-19, 1.2e-21, ("3.210e-19", "0.012e-19")),
        (1234567.0, 1000.0, ("1.2346e+6", "0.0010e+6")),
        (0.0, 0.01, ("0.000", "0.010")),
        (45.678, np.inf, ("45.68", "not identified")),
        (45.678, np.nan, ("45.68", "–")),
        (np.nan, np.nan, ("–", "–")),
        (1.0, 0.0, ("1", "–")),
    ],
)
def test_numbers_to_two_figures_of_their_error(value, error, text) -> None:
    assert with_error(value, error) == text
