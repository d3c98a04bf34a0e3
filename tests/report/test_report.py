"""Figures and pages from good and from awkward data: read back, not just written."""

import base64
import io
import re
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lensjax.errors import BadInput
from lensjax.report import figures
from lensjax.report.page import Illustration, Section, write_page
from lensjax.report.tables import Table, text_table

NAMES, UNITS = ("x", "y", "theta"), ("px", "px", "deg")


def errors(kind):
    rng = np.random.default_rng(0)
    many = rng.normal(size=(300, 3)) * [1.0, 20.0, 0.01]
    if kind == "nan":
        many[::2, 2] = np.nan
        many[3, 0] = np.inf
    return {
        "one": many[:1],
        "none": many[:0],
        "same": np.zeros((7, 3)),
        "all nan": np.full((5, 3), np.nan),
    }.get(kind, many)


def picture(figure, path):
    figures.save(figure, path, dpi=50)
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("kind", ["many", "nan", "one", "none", "same", "all nan"])
@pytest.mark.parametrize("limit", [None, 5.0])
def test_histograms_count_every_error_once(kind, limit, tmp_path, recwarn):
    error = errors(kind)
    figure = figures.histograms(error, names=NAMES, units=UNITS, limit=limit, title="deviation")
    for panel, values in zip(figure.axes, error.T, strict=True):
        drawn = sum(bar.get_height() for bar in panel.patches)
        finite = values[np.isfinite(values)]
        assert drawn == np.sum(np.abs(finite) <= (np.inf if limit is None else limit))
        beyond = len(finite) - int(drawn)
        note = panel.get_title(loc="right")
        assert f"{int(drawn)} images" in note
        assert (f"{beyond} beyond" in note) == (beyond > 0)
        assert (f"{len(values) - len(finite)} not counted" in note) == (len(finite) < len(values))
    assert figure.axes[2].get_xlabel() == "theta: predicted − true [°]"
    assert picture(figure, tmp_path / "h.png").std() > 0
    assert not recwarn.list


@pytest.mark.parametrize("kind", ["many", "nan", "one", "none", "same", "all nan"])
def test_scatter_draws_the_pairs_that_are_whole(kind, tmp_path, recwarn):
    error = errors(kind)
    truth = np.arange(error.size, dtype=float).reshape(error.shape)
    figure = figures.scatter(truth + error, truth, names=NAMES, units=UNITS)
    for panel, true, wrong in zip(figure.axes, truth.T, error.T, strict=True):
        kept = np.isfinite(wrong)
        np.testing.assert_allclose(
            np.asarray(panel.collections[0].get_offsets()),
            np.stack([true[kept], (true + wrong)[kept]], axis=1).reshape(-1, 2),
        )
        assert panel.get_xlim() == panel.get_ylim()
    assert picture(figure, tmp_path / "s.png").std() > 0
    assert not recwarn.list


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("values", [[30.0, 3.0, 1.0], [2.0], [], [np.nan, 1.0], [0.0, 0.0]])
def test_lines_show_both_sets(values, log, tmp_path, recwarn):
    series = {"training": values, "test": 2.0 * np.asarray(values)}
    figure = figures.lines(series, x=np.arange(1, len(values) + 1), x_label="epoch", y_label="loss", log=log, title="Loss")
    (panel,) = figure.axes
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["training", "test"]
    has_positive = np.any(np.asarray(values) > 0)
    assert panel.get_yscale() == ("log" if log and has_positive else "linear")
    expected = np.asarray(values, dtype=float)
    np.testing.assert_array_equal(panel.lines[0].get_ydata(), np.where(expected > 0, expected, np.nan) if log else expected)
    picture(figure, tmp_path / "c.png")
    assert not recwarn.list


def sheet(count=2, n=16, **options):
    rng = np.random.default_rng(1)
    images = np.round(rng.uniform(0, 255, (count, n, n)))
    models = images + rng.uniform(-0.4, 0.4, images.shape)
    sources = rng.uniform(0, 255, (count, 8, 8))
    titles = [f"image-{i}.png: converged" for i in range(count)]
    return images, models, figures.model_comparison(images, models, sources, titles=titles, **options)


def panels_of(row):
    return [panel for panel in row.get_axes() if panel.get_title()]


@pytest.mark.parametrize("count", [1, 3])
def test_comparison_has_a_row_a_system_and_the_residual_image_minus_model(count, tmp_path, recwarn):
    images, models, figure = sheet(count, field=400, source_field=100)
    assert len(figure.subfigs) == count
    for number, row in enumerate(figure.subfigs):
        assert row.get_suptitle() == f"image-{number}.png: converged"
        panels = panels_of(row)
        assert [p.get_title() for p in panels] == ["image", "model", "image − model", "reconstructed source"]
        shown = panels[2].images[0]
        np.testing.assert_allclose(shown.get_array(), images[number] - models[number])
        low, high = shown.get_clim()
        assert low == -high
        assert panels[0].images[0].get_clim() == panels[1].images[0].get_clim()
        assert panels[0].images[0].get_extent() == [-200.5, 199.5, -199.5, 200.5]
        assert panels[3].images[0].get_extent() == [-50.5, 49.5, -49.5, 50.5]
        assert all(p.get_xlabel() == "x [px]" for p in panels)
    picture(figure, tmp_path / "sheet.png")
    assert not recwarn.list


def test_comparison_of_black_and_failed_images(tmp_path, recwarn):
    black, failed = np.zeros((1, 8, 8)), np.full((1, 8, 8), np.nan)
    figure = figures.model_comparison(black, failed, failed, titles=["empty.png: no light"])
    picture(figure, tmp_path / "black.png")
    assert panels_of(figure.subfigs[0])[2].images[0].get_clim() == (-0.5, 0.5)
    assert not recwarn.list


def test_comparison_refuses_what_does_not_fit():
    with pytest.raises(BadInput, match=r"expected \(N, n, n\)"):
        figures.model_comparison(np.zeros((1, 4, 4)), np.zeros((1, 5, 5)), np.zeros((1, 4, 4)), titles=["a"])
    with pytest.raises(BadInput, match=r"expected \(N, n, n\)"):
        figures.model_comparison(np.zeros((0, 4, 4)), np.zeros((0, 4, 4)), np.zeros((0, 4, 4)), titles=[])


def test_values_that_do_not_fit_their_names_are_refused():
    with pytest.raises(BadInput, match=r"expected \(images, 3\)"):
        figures.histograms(np.zeros((4, 2)), names=NAMES, units=UNITS)


TABLE = Table(
    columns=("parameter", "MAE <raw>", "n"),
    rows=(("x", 1.2345, 10), ("theta & co", float("nan"), 0), ("sigma", 0.00012, 123456)),
    caption="Errors",
)


def test_text_table_is_aligned():
    assert text_table(TABLE).splitlines() == [
        "Errors",
        "parameter   MAE <raw>       n",
        "----------  ---------  ------",
        "x                1.23      10",
        "theta & co          -       0",
        "sigma        0.000120  123456",
    ]


@pytest.mark.parametrize(
    "value, text",
    [
        (0.0, "0"),
        (0.0234, "0.0234"),
        (0.00002, "2.00e-05"),
        (0.1234, "0.123"),
        (-2.345, "-2.35"),
        (45.67, "45.7"),
        (1234.5, "1234"),
        (np.float32(2), "2.00"),
    ]
    + [(np.int64(7), "7"), (3e7, "3.00e+07"), (np.inf, "inf"), ("as it is", "as it is")],
)
def test_numbers_are_shown_to_three_figures(value, text):
    assert text_table(Table(("a",), ((value,),))).splitlines()[-1].strip() == text


def test_table_with_a_short_row_is_refused():
    with pytest.raises(BadInput, match="table row 2 has 1 cells; expected 2"):
        text_table(Table(("a", "b"), (("x", 1), ("y",))))


LINKS = ("src", "href", "srcset", "data", "action")


class Page(HTMLParser):
    """Collects tags with their attributes, and text; complains of tags left open."""

    VOID = {"meta", "img", "br"}

    def __init__(self, text):
        super().__init__()
        self.seen, self.open, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_html_report_is_one_whole_file(tmp_path):
    figure = figures.histograms(errors("nan"), names=NAMES, units=UNITS)
    sections = [
        Section("Errors & more", ("First <paragraph>.", TABLE)),
        Section("Figures", (Illustration(figure, 'The "deviation"', wide=True),)),
    ]
    path = write_page(tmp_path / "new" / "report.html", title="Demo <1>", sections=sections)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert not page.open
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    targets = [value for _, attributes in page.seen for name, value in attributes.items() if name in LINKS]
    assert targets and all(value.startswith("data:") for value in targets), "points to something outside"
    style = re.search("<style>(.*?)</style>", text, re.DOTALL).group(1)
    assert "url(" not in style and "@import" not in style
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.seen}
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.seen
    for expected in ("Demo <1>", "Errors & more", "First <paragraph>.", "MAE <raw>", "theta & co", "1.23"):
        assert expected in page.text
    (image,) = [attributes for tag, attributes in page.seen if tag == "img"]
    assert image["alt"] == 'The "deviation"' and image["class"] == "wide"
    kind, data = image["src"].split(",", 1)
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as picture:
        assert picture.format == "PNG" and abs(picture.width - 990) <= 1  # versions of matplotlib round differently


def test_figures_leave_matplotlib_as_it_was():
    before = dict(matplotlib.rcParams)
    assert isinstance(sheet(1)[2], Figure)
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in figures.__dict__


@pytest.mark.parametrize("limit", [None, 5.0])
def test_histograms_of_several_runs_are_shares_of_each(limit, tmp_path, recwarn):
    good, bad = errors("many"), errors("nan")[:100]
    bad[:, 1] = np.nan  # a parameter that this run does not have
    figure = figures.overlaid({"good": good, "bad": bad}, names=NAMES, units=UNITS, limit=limit)
    for panel, columns in zip(figure.axes, zip(good.T, bad.T, strict=True), strict=True):
        present = [values[np.isfinite(values)] for values in columns if np.isfinite(values).any()]
        assert len(panel.patches) == len(present)
        for outline, values in zip(panel.patches, present, strict=True):
            shares = outline.get_xy()[1:-1:2, 1]
            assert shares.sum() == pytest.approx(100.0 * np.mean(np.abs(values) <= (np.inf if limit is None else limit)))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["good", "bad"]
    assert picture(figure, tmp_path / "h.png").std() > 0
    assert not recwarn.list


def test_curves_stand_on_both_axes(tmp_path, recwarn):
    steps = {"a": [1, 2, 3], "b": [1, 2]}
    curves, dashed = {"a": [3.0, 2.0, 0.5], "b": [1.0, np.nan]}, {"a": [2.0, 2.0, 0.0], "b": [1.0, 1.0]}
    figure = figures.linear_and_log(curves, x=steps, x_label="steps", y_label="error", dashed=dashed)
    assert [panel.get_yscale() for panel in figure.axes] == ["linear", "log"]
    for panel in figure.axes:
        assert [line.get_linestyle() for line in panel.lines] == ["-", "--", "-", "--"]
        assert panel.lines[0].get_color() == panel.lines[1].get_color() != panel.lines[2].get_color()
    figure.canvas.draw()
    assert "1" in [text.get_text() for text in figure.axes[1].get_yticklabels()]
    many = {f"a run with a long name, number {k}": [1.0, 2.0] for k in range(10)}
    crowded = figures.linear_and_log(many, x=[1, 2], x_label="steps", y_label="error")
    styles = {(line.get_color(), line.get_linestyle()) for line in crowded.axes[0].lines}
    assert len(styles) == 10 and len(crowded.legends[0].get_texts()) == 10
    assert picture(crowded, tmp_path / "c.png").std() > 0 and not recwarn.list
    assert picture(figures.linear_and_log({}, x={}, x_label="", y_label=""), tmp_path / "none.png").std() > 0
