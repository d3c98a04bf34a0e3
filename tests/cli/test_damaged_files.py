"""Damaged files on the command line: exit code 2, one line, nothing written."""

import os

import numpy as np
import pytest
from PIL import Image

from lensjax.cli import main as cli

SYSTEMS = "filename,einsteinradius,x,y\na.png,20,10,5\n"
AMPLITUDES = "filename,source,sigma,xiX,xiY,alpha[0][1]\na.png,s,5,1,2,3\n"
RESULTS = "filename,x,y,einsteinR,sigma,sigma2,theta,x_err\na.png,1,2,20,9,5,30,0.1\n"
RANDOM = np.random.default_rng(0).bytes(300)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (400, 400)).astype(np.uint8)
    Image.fromarray(pixels).save("whole.png")
    Image.fromarray(pixels.astype(np.float32)).save("whole.tif")
    (tmp_path / "whole.csv").write_text(RESULTS.replace("a.png", "whole.png"))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "content", "command"),
    [
        ("a.csv", SYSTEMS.replace("20", "2O").encode(), "simulate --csv a.csv --out out"),
        ("a.csv", SYSTEMS.encode("utf-16")[:-3], "simulate --csv a.csv --out out"),
        ("a.csv", SYSTEMS.replace("radius", "radus").encode(), "simulate --csv a.csv --out out"),
        ("a.csv", RANDOM, "simulate --csv a.csv --out out"),
        ("a.toml", b"[lens]\neinstein-min = [", "simulate --toml a.toml --n 2 --out out"),
        ("a.toml", RANDOM, "simulate --toml a.toml --n 2 --out out"),
        ("a.csv", AMPLITUDES.replace("[0][1]", "[0][2]").encode(), "simulate --roulette a.csv --out out"),
        ("a.csv", RANDOM, "simulate --roulette a.csv --out out"),
        ("a.csv", RANDOM, "estimate --csv a.csv --out out/results.csv --no-network"),
        ("a.png", None, "estimate a.png --out out/results.csv --no-network"),
        ("a.tif", None, "estimate a.tif --out out/results.csv --no-network"),
        ("a.fits", b"SIMPLE  =                    T" + b" " * 2850, "estimate a.fits --out out/results.csv --no-network"),
        ("a.npy", RANDOM, "estimate a.npy --out out/results.csv --no-network"),
        ("a.csv", RESULTS.replace("20", "inf").encode(), "delens whole.png --params a.csv --out out/source.png"),
        ("a.png", None, "delens a.png --params whole.csv --out out/source.png"),
        ("a.png", None, "compare a.png whole.png --out out"),
        ("a.csv", RANDOM, "doctor a.csv"),
        ("a.toml", RANDOM, "doctor a.toml"),
        ("a.pth", RANDOM, "convert a.pth --model resnet18 --out out"),
        ("a.safetensors", RANDOM, "convert a.safetensors --model resnet18 --out out"),
    ],
)
def test_one_line_and_nothing_written(folder, capsys, name, content, command):
    if content is None:
        whole = (folder / name.replace("a.", "whole.")).read_bytes()
        content = whole[: len(whole) // 2]
    (folder / name).write_bytes(content)
    before = sorted(os.listdir(folder))
    assert cli.main(command.split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("lensjax: ")
    assert sorted(os.listdir(folder)) == before
