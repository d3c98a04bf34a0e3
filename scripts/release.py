"""Builds a release and tests it: wheel and sdist, twine's check, and the wheel in a clean virtual environment. Nothing leaves the machine.

    python scripts/release.py [--out dist] [--python python3.12 ...] [--lowest] [--dirty] [--wheel-only]

Checks first that the versions of lensjax, CITATION.cff, recipe/meta.yaml and the newest in CHANGELOG.md are the same, and that the checkout
is clean (--dirty: builds all the same). Then for each Python, by default this one, a virtual environment with the wheel and nothing else:
`lensjax --help`, `lensjax train --help`, and an estimate of a small image that it simulates. --lowest takes the lowest versions that
pyproject.toml names. Prints the commands that publish it, which are a person's to run. `pip install build twine uv` brings what it needs.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LARGEST = 20.0
"""Size of the wheel [MB] above which a release fails."""

PROGRAM = """
import time
began = time.perf_counter()
import lensjax
took = time.perf_counter() - began
import jax, sys
print(f"Python {sys.version.split()[0]}, jax {jax.__version__}, lensjax {lensjax.__version__} imported in {took:.2f} s")
"""


def main() -> None:
    """The program."""
    options = arguments()
    version = checked_version()
    if not options.dirty and said("git", "status", "--porcelain"):
        sys.exit("the checkout has changes that are not committed (--dirty builds all the same)")
    out = options.out.resolve()
    wheel = built(out, wheel_only=options.wheel_only)
    size = wheel.stat().st_size / 1e6
    print(f"{wheel.name}: {size:.1f} MB", flush=True)
    if size > LARGEST:
        sys.exit(f"expected at most {LARGEST:.0f} MB")
    for python in options.python:
        try_out(wheel, python, lowest=options.lowest)
    print(
        f"\n{wheel.name} works. To publish it:\n\n"
        f'    git tag -a v{version} -m "LensJAX {version}" && git push origin v{version}\n'
        f"    twine upload {out}/lensjax-{version}*"
    )


def arguments() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR", help="folder for wheel and sdist (dist)")
    parser.add_argument("--python", nargs="+", default=[sys.executable], metavar="PYTHON", help="Pythons to try the wheel with (this one)")
    parser.add_argument("--lowest", action="store_true", help="try it with the lowest versions of its dependencies")
    parser.add_argument("--dirty", action="store_true", help="build a checkout with changes")
    parser.add_argument("--wheel-only", action="store_true", help="no sdist")
    return parser.parse_args()


def checked_version() -> str:
    """The version, the same in every file that has it."""
    places = {
        "lensjax/__init__.py": r'^__version__ = "(.+)"$',
        "CITATION.cff": r"^version: (.+)$",
        "recipe/meta.yaml": r'version = "(.+)" %}$',
        "CHANGELOG.md": r"^## \[(\d.*?)\]",
    }
    found = {}
    for name, pattern in places.items():
        match = re.search(pattern, (ROOT / name).read_text(), re.M)
        found[name] = match[1] if match else "none"
    if len(set(found.values())) != 1:
        sys.exit("versions differ: " + ", ".join(f"{name} has {version}" for name, version in found.items()))
    return found["lensjax/__init__.py"]


def built(out: Path, *, wheel_only: bool) -> Path:
    """Wheel and sdist in a folder; the wheel's path."""
    run(sys.executable, "-m", "build", "--outdir", str(out), *(["--wheel"] if wheel_only else []), str(ROOT))
    files = sorted(out.glob("lensjax-*"), key=lambda path: path.stat().st_mtime)
    run(sys.executable, "-m", "twine", "check", "--strict", *map(str, files))
    return next(path for path in reversed(files) if path.suffix == ".whl")


def try_out(wheel: Path, python: str, *, lowest: bool) -> None:
    """Installs the wheel into a clean virtual environment, and uses it."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        run(python, "-m", "venv", str(place / "venv"))
        inside, lensjax = str(place / "venv/bin/python"), str(place / "venv/bin/lensjax")
        install = (sys.executable, "-m", "uv", "pip", "install", "-q", "--python", inside)
        if lowest:  # a wheel's own dependencies are not direct ones
            run(*install, "--resolution", "lowest-direct", "-r", str(ROOT / "pyproject.toml"))
        run(*install, str(wheel))
        run(inside, "-c", PROGRAM, cwd=place)
        run(lensjax, "--help", cwd=place, quiet=True)
        run(lensjax, "train", "--help", cwd=place, quiet=True)
        run(
            lensjax, "simulate", "-l", "SIS", "-E", "12", "-S", "Ellipsoid", "-s", "8", "--sigma2", "5", "-x", "9", "-y", "4", "-t", "30",
            "-Z", "96", "--out", "one", cwd=place, quiet=True,
        )  # fmt: skip
        image = next((place / "one").rglob("*.png"))
        run(lensjax, "estimate", str(image), "--no-network", "--out", "results.csv", cwd=place, quiet=True)
        print((place / "results.csv").read_text(), flush=True)


def run(*command: str, cwd: Path = ROOT, quiet: bool = False) -> None:
    """A command; a failure ends the program."""
    done = subprocess.run(command, cwd=cwd, capture_output=quiet, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout or ''}{done.stderr or ''}")


def said(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
