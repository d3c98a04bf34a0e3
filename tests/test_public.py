"""The public face: names, signatures, the page about them, and how long an import takes."""

import ast
import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import lensjax

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def api():
    spec = importlib.util.spec_from_file_location("api_page", ROOT / "scripts" / "api_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_names_and_signatures_change_only_on_purpose(api):
    assert api.names_text() == (ROOT / "tests" / "public_api.txt").read_text(), "where that is intended, run `make api`"


def test_the_page_is_up_to_date(api):
    assert api.page_text() == (ROOT / "docs" / "api.md").read_text(), "run `make api`"


def test_every_public_name_is_there_and_described():
    assert dir(lensjax) == sorted(lensjax.__all__)
    for name in lensjax.__all__:
        value = getattr(lensjax, name)
        assert name == "__version__" or inspect.getdoc(value), name
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        lensjax.simulat  # noqa: B018


def test_type_checkers_see_the_same_names():
    tree = ast.parse((ROOT / "lensjax" / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {(node.module, alias.name) for node in block.body for alias in node.names}
    lazy = {("lensjax", name) for name in lensjax._MODULES} | {(place, name) for name, place in lensjax._PLACE.items()}
    assert imported == lazy
    assert {name for _, name in lazy} | {"__version__"} == set(lensjax.__all__)


@pytest.mark.parametrize("program", ["import lensjax", "from lensjax.cli.main import main; main(['--help'])"])
def test_nothing_slow_is_imported(program):
    """An import and --help need neither JAX nor NumPy; with them they would take a second."""
    code = f"import sys\ntry:\n    {program}\nexcept SystemExit:\n    pass\nprint(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(ast.literal_eval(done.stderr.strip().splitlines()[-1]))
    assert not loaded & {"jax", "jaxlib", "flax", "numpy", "pandas", "matplotlib", "scipy", "PIL"}
