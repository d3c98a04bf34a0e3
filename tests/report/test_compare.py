"""Comparing images: numbers against numpy's, names, and the command's good and bad input."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lensjax.cli import main as cli
from lensjax.errors import BadInput
from lensjax.files import images
from lensjax.report import compare

RNG = np.random.default_rng(3)


def make(folder, values, suffix=".png"):
    folder.mkdir(exist_ok=True)
    for name, image in values.items():
        (images.write_png if suffix == ".png" else images.write_tiff)(folder / (name + suffix), image)
    return folder


@pytest.fixture
def grey():
    return {name: RNG.integers(0, 256, (12, 10)).astype(float) for name in "abcd"}


def test_two_folders(tmp_path, grey):
    other = {**grey, "b": np.clip(grey["b"] + 3, 0, 255), "e": grey["a"]}
    del other["d"]
    a, b = compare.images_in(make(tmp_path / "A", grey)), compare.images_in(make(tmp_path / "B", other))
    pairs, only_a, only_b = compare.matching_pairs(a, b)
    assert [p.first for p in pairs] == ["a.png", "b.png", "c.png"] and only_a == ["d.png"] and only_b == ["e.png"]
    gap = other["b"] - grey["b"]
    assert pairs[1].mean == pytest.approx(np.abs(gap).mean()) and pairs[1].rms == pytest.approx(np.sqrt((gap**2).mean()))
    assert (pairs[0].largest, pairs[1].largest, pairs[2].largest) == (0, 3, 0)
    assert compare.table(pairs, 0)["equal"].tolist() == [True, False, True] and compare.table(pairs, 3)["equal"].all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_all_pairs_of_one_folder(tmp_path, grey, suffix):
    values = {**grey, "e": grey["a"]} if suffix == ".png" else {k: v + 0.25 for k, v in {**grey, "e": grey["a"]}.items()}
    pairs = compare.all_pairs(compare.images_in(make(tmp_path / "A", values, suffix)))
    assert len(pairs) == 10 and sum(p.largest == 0 for p in pairs) == 1
    for pair in pairs:
        gap = values[pair.first[0]] - values[pair.second[0]]
        assert pair.rms == pytest.approx(np.sqrt((gap**2).mean()), rel=1e-6) and pair.largest == pytest.approx(np.abs(gap).max())


def test_in_blocks_as_at_once(tmp_path, grey, monkeypatch):
    listed = compare.images_in(make(tmp_path / "A", grey))
    whole = compare.all_pairs(listed)
    monkeypatch.setattr(compare, "_AT_ONCE", 370)  # three images of 120 pixels
    blocks = compare.all_pairs(listed)
    assert len(blocks) == len(whole) == 6 and set(blocks) == set(whole)
    monkeypatch.setattr(compare, "_MOST", 3)
    with pytest.raises(BadInput, match="4 images; expected up to 3"):
        compare.all_pairs(listed)


def test_colours_of_a_difference():
    a, b = np.array([[10.0, 0, 5]]), np.array([[0.0, 10, 5]])
    shown = compare.difference(a, b, scale=10)
    assert shown[0].tolist() == [[255, 0, 0], [0, 0, 255], [255, 255, 255]]


def test_command(tmp_path, grey, capsys):
    make(tmp_path / "A", grey)
    make(tmp_path / "B", {**grey, "c": 255 - grey["c"]})
    assert cli.main(["compare", str(tmp_path / "A"), str(tmp_path / "B"), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "3 of 4 pairs equal" in said and said.splitlines()[0].split() == ["first", "second", "mean", "rms", "largest"]
    assert said.splitlines()[2].startswith("c.png") and "b.png" not in said
    table = pd.read_csv(tmp_path / "out" / "compare.csv")
    assert table["equal"].tolist() == [True, True, False, True]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["0001.png", "compare.csv"]
    assert cli.main(["compare", str(tmp_path / "A")]) == 0
    assert "0 of 6 pairs equal" in capsys.readouterr().out
    assert cli.main(["compare", str(tmp_path / "A" / "a.png"), str(tmp_path / "B" / "b.png")]) == 0


def test_bad_input(tmp_path, grey, capsys):
    a = make(tmp_path / "A", grey)
    (tmp_path / "empty").mkdir()
    make(tmp_path / "small", {"a": np.zeros((5, 5))})
    make(tmp_path / "others", {"z": grey["a"], "y": grey["a"]})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"no image")
    colour = tmp_path / "colour"
    colour.mkdir()
    Image.fromarray(RNG.integers(0, 256, (12, 10, 3)).astype(np.uint8)).save(colour / "a.png")
    for other, word in (
        ("nowhere", "no such file or folder"), ("empty", "no images"), ("small", "5×5 pixels; expected"), ("others", "same name"),
        ("broken", "not an image file"), ("colour", "in colour"),
    ):  # fmt: skip
        assert cli.main(["compare", str(a), str(tmp_path / other), "--out", str(tmp_path / "out")]) == 2
        said = capsys.readouterr().err
        assert word in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()
    with pytest.raises(BadInput, match="only image"):
        compare.all_pairs(compare.images_in(tmp_path / "small"))
    for flag, value, word in (("--tolerance", "-1", "from 0"), ("--tolerance", "x", "grey levels"), ("--worst", "-2", "0 or more")):
        assert cli.main(["compare", str(a), flag, value]) == 2
        assert word in capsys.readouterr().err
