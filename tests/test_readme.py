"""The Python in README.md and docs/, run as it stands: what a reader copies works."""

import re
from pathlib import Path
from typing import Any

import astropy.io.fits
import numpy as np
import pytest

import lensjax
from lensjax.files import fits, images

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "howto").glob("*.md")])


def blocks(page: Path) -> list[tuple[int, str]]:
    """(line, code) of each Python block of a page."""
    text = page.read_text()
    return [(text[: found.start()].count("\n") + 1, found[1]) for found in re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S)]


def test_there_are_blocks():
    assert blocks(ROOT / "README.md")


SLOW = ("estimating.md", "network.md", "problem.md")
"""Pages whose Python fits images, or trains."""


def write_field(path: Path) -> None:
    """A telescope's field with a star at row and column 30, for the page that cuts it."""
    place = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.2, "CRPIX1": 61.0, "CRPIX2": 61.0}
    header = place | {"CD1_1": -0.1 / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.1 / 3600}
    rows, columns = np.mgrid[:120, :120]
    star = np.exp(-((rows - 30.0) ** 2 + (columns - 30.0) ** 2) / 4.0)
    fits.write(path, [fits.Part("SCI", star, header), fits.Part("ERR", np.ones_like(star), header)])


def marked(page: Path) -> Any:
    return pytest.param(page, marks=pytest.mark.slow) if page.name in SLOW else page


@pytest.mark.parametrize("page", [marked(page) for page in PAGES if blocks(page)], ids=lambda page: page.name)
def test_python_of_a_page_runs(page, tmp_path, monkeypatch):
    """All blocks of a page in one namespace, in a folder with two images of the packaged problem, as the text around them makes them."""
    problem = lensjax.problems.get("sis2023")
    params = np.array([[20.0, 10.0, 25.0, 30.0, 15.0, 40.0], [-35.0, 22.0, 18.0, 20.0, 12.0, 110.0]], np.float32)
    for k, image in enumerate(np.asarray(problem.render_batch(params)), start=1):
        images.write_png(tmp_path / "data" / f"image-{k:06}.png", image)
    monkeypatch.chdir(tmp_path)
    write_field(tmp_path / "field.fits")
    namespace: dict[str, Any] = {}
    for line, code in blocks(page):
        exec(compile("\n" * line + code, str(page), "exec"), namespace)
    if page.name == "estimating.md":
        assert namespace["solution"].success.all()
        np.testing.assert_allclose(namespace["solution"].params, params, atol=1.0)
    if page.name == "real_image.md":
        kernel = astropy.io.fits.getdata(tmp_path / "psf.fits")
        assert kernel.shape == (13, 13) and np.unravel_index(kernel.argmax(), kernel.shape) == (6, 6)
        assert astropy.io.fits.getdata(tmp_path / "lens.fits", "ERR").shape == (80, 80)
    if page.name == "simulating.md":
        assert namespace["image"].shape == (400, 400) and np.isfinite(namespace["alpha"]).all()


def anchors(page: Path) -> set[str]:
    """The headings of a page, as its links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page):
    """Pages, figures, files and headings. The page of the command line is made by `make docs`."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, heading = target.partition("#")
        if re.match(r"https?:|mailto:", target) or path == "commands.md" or page.name == "commands.md":
            continue
        found = page.parent / path if path else page
        assert found.exists(), f"{page.name}: {target}"
        assert not heading or heading in anchors(found), f"{page.name}: {target}"


def test_readme_is_a_page_for_newcomers():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
