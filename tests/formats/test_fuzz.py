"""Every reader on damaged files and on random bytes: a value or a BadInput of one line, and nothing else.

The quick tests try a few dozen files each, the slow ones a thousand.
"""

import io
import pickle
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lensjax.errors import BadInput
from lensjax.files import images
from lensjax.formats import results, torch_file
from lensjax.formats.cosmosim import amplitudes, draw, parameters, rows, table, toml
from lensjax.formats.scene import Light, Mass, Scene

QUICK, MANY = 30, 1000
NAMES = ("x", "y", "einsteinR", "sigma", "sigma2", "theta")
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 12)).astype(np.uint8)


def image(kind, pixels=PIXELS, **options):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **options)
    return content.getvalue()


def fits(*arrays):
    astropy = pytest.importorskip("astropy.io.fits")
    content = io.BytesIO()
    astropy.HDUList([astropy.PrimaryHDU(arrays[0]), *map(astropy.ImageHDU, arrays[1:])]).writeto(content)
    return content.getvalue()


def npy(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def archive():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("weights/data.pkl", pickle.dumps({"a": 1}, protocol=2))
        file.writestr("weights/data/0", bytes(24))
    return content.getvalue()


def amplitudes_csv(folder):
    light = Light("SersicEllipsoid", 3, 4, 5, 6, 7, 2, 9)
    scene = Scene("a.png", "1", "SIS", (Mass("SIS", 20),), "SersicEllipsoid", (light,), x=3, y=4)
    amplitudes.write(folder / "r.csv", [amplitudes.of_scene(scene, *np.random.default_rng(0).normal(size=(2, 3, 4)), xi=(15, 20))], 2)
    return (folder / "r.csv").read_bytes()


def results_csv(folder):
    results.write(folder / "r.csv", [results.of_network("a.png", np.arange(6.0)), results.failed("b.png", "no", names=NAMES)], names=NAMES)
    return (folder / "r.csv").read_bytes()


SYSTEMS = b"index,filename,source,lens,chi,R,phi,einsteinR,sigma,sigma2,theta,nterms,x,y\n1,a.png,e,s,50,100,30,20,15,8,45,50,86.6,50\n"
SCENES = b"filename,model,cluster,source,x,y,nterms,mask\na.png,Roulette,SIS/1/2/3;SIE/1/2/3/.5/6,s/0/0/3;t/1/1/3/60,4,5,9,1\n"
FOREIGN = "sep=;\nFilename;einsteinradius;x;note\na.png;20,5;1,5;größer\n".encode("utf-16")
TOML = (
    b'[simulator]\nmodel=["Raytrace"]\nsize=3\n[lens]\nmode=["SIE","PM"]\neinstein-min=1\n[source]\nposition="polar"\n[position]\nr-min=1\n'
)


def read_systems(path):
    rows_of = table.read(path)
    parameters.terms(rows_of, default=50)
    parameters.methods(rows_of, default="roulette")
    assert np.isfinite(parameters.params(rows_of, problem="sis2023", names=NAMES)).all()


def read_scenes(path):
    rows_of = table.read(path)
    rows.write(path.with_suffix(".out"), rows.scenes(rows_of, settings={}).scenes, rows_of)


def read_toml(path):
    description = toml.read(path)
    rows.scenes(draw.draw(description, n=2), settings=toml.settings(description))


def read_amplitudes(path):
    for record in amplitudes.read(path, settings={"source": "s", "sigma": 3}):
        record.lights()


def read_results(path):
    read = results.read(path)
    results.write(path.with_suffix(".out"), read.rows, names=read.names)


def read_picture(path):
    picture = images.read(path)
    assert picture.values.dtype == np.float32 and picture.values.ndim in (2, 3)


READERS = {
    "systems.csv": (read_systems, lambda folder: [SYSTEMS]),
    "scenes.csv": (read_scenes, lambda folder: [SCENES, FOREIGN]),
    "dataset.toml": (read_toml, lambda folder: [TOML]),
    "amplitudes.csv": (read_amplitudes, lambda folder: [amplitudes_csv(folder)]),
    "results.csv": (read_results, lambda folder: [results_csv(folder)]),
    "a.png": (read_picture, lambda folder: [image("PNG"), image("PNG", np.stack([PIXELS] * 4, -1)), image("JPEG"), image("BMP")]),
    "a.tif": (read_picture, lambda folder: [image("TIFF", PIXELS.astype(np.float32)), image("TIFF", compression="tiff_lzw")]),
    "a.fits": (read_picture, lambda folder: [fits(PIXELS), fits(None, PIXELS.astype(">f4")), fits(PIXELS.astype(np.uint16))]),
    "a.npy": (read_picture, lambda folder: [npy(PIXELS), npy(PIXELS.astype(np.float64))]),
    "a.safetensors": (torch_file.read, lambda folder: [safetensors.numpy.save({"a": PIXELS, "b": PIXELS[0] / 3})]),
    "a.pth": (torch_file.read, lambda folder: [archive(), pickle.dumps(torch_file._MAGIC, 2) + pickle.dumps([1], 2) * 4]),
}

CHANGES = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["insert", "replace", "remove", "cut", "repeat"]),
        st.binary(min_size=1, max_size=6) | st.sampled_from([b",", b"\n", b";", b'"', b"=", b"[", b"1e999", b"nan", b"\0", b"\xff" * 4]),
    ),
    min_size=1,
    max_size=6,
)


def changed(content, changes):
    """A file with bytes inserted, replaced, removed or repeated, or cut short."""
    for place, how, new in changes:
        at = int(place * (len(content) + 1))
        after = {"insert": at, "replace": at + len(new), "remove": at + len(new), "cut": len(content), "repeat": max(0, at - 40)}[how]
        content = content[:at] + (new if how in ("insert", "replace") else b"") + content[after:]
    return content


def check(folder, name, content):
    """Reads a file of this content."""
    path = folder / name
    path.write_bytes(content)
    try:
        READERS[name][0](path)
    except BadInput as error:
        assert "\n" not in str(error) and "\r" not in str(error) and name in str(error), str(error)


def fuzz(name, folder, examples):
    seeds = READERS[name][1](folder)
    for content in seeds:
        check(folder, name, content)

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.builds(changed, st.sampled_from(seeds), CHANGES) | st.binary(max_size=200))
    def run(content):
        check(folder, name, content)

    run()


@pytest.mark.parametrize("name", READERS)
def test_a_few_damaged_files(tmp_path, name):
    fuzz(name, tmp_path, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_a_thousand_damaged_files(tmp_path, name):
    fuzz(name, tmp_path, MANY)
