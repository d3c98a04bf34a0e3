"""The page of the command line, docs/commands.md, from the help texts; `make docs` writes it for each build.

python scripts/commands_page.py [FILE]
"""

import ast
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from lensjax.cli.main import parser
from lensjax.cli.programs import PROGRAMS

ROOT = Path(__file__).parents[1]

TOP = """# Command line

Each command's help, as `lensjax COMMAND --help` prints it. Exit codes: 0 done, 2 bad input (one line names it), 1 anything else.

| command | |
|---|---|
"""


def page_text() -> str:
    """The page."""
    os.environ["COLUMNS"] = "100"  # argparse's width, whatever the terminal
    commands = parser().commands
    rows = "".join(f"| [`lensjax {name}`](#lensjax-{name}) | {command.description} |\n" for name, command in commands.items())
    parts = [f"## `lensjax {name}`\n\n```text\n{help_of(name).strip()}\n```\n" for name in commands]
    return TOP + rows + "\n" + "\n".join(parts)


def help_of(name: str) -> str:
    """The help of a command; of a program of lensjax.experiments the text at its top."""
    if name not in PROGRAMS:
        return parser().commands[name].format_help()
    found = find_spec(f"lensjax.experiments.{PROGRAMS[name][0]}")
    assert found is not None and found.origin is not None
    return ast.get_docstring(ast.parse(Path(found.origin).read_text())) or ""


def write_page(path: Path) -> None:
    """Writes the page where it is not up to date, so that a build does not read it again."""
    text = page_text()
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


if __name__ == "__main__":
    write_page(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "commands.md")
