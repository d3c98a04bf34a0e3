"""Writes docs/api.md and tests/public_api.txt: the public names of lensjax, from their docstrings and signatures.

    python scripts/api_page.py [--check]

With --check nothing is written; the exit code is 1 where a file is not up to date. A test compares both, so that a public name or
signature changes only on purpose.
"""

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import lensjax
from lensjax.lens.base import Axisymmetric
from lensjax.light.base import Source

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api.md"
NAMES = ROOT / "tests" / "public_api.txt"
SECTIONS = ("Args", "Attributes", "Raises", "Returns", "Yields")
PROTOCOLS = (Axisymmetric, Source)
"""What lenses and sources have in common: a method without a docstring has that of its protocol."""


def public_names(module: ModuleType) -> list[str]:
    """The public names of a module: `__all__`, or the functions and classes that it defines itself."""
    if hasattr(module, "__all__"):
        names = list(module.__all__)
    else:
        names = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__ and name[0] != "_"]
    return sorted(names, key=lambda name: (name.lower(), name))


def signature(value: Any) -> str:
    """Names, kinds and defaults of the arguments, without types; empty where there is no call."""
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in found.parameters.values()]
    text = str(found.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    return re.sub(r"<(?:function|class) '?(<?[\w.]+>?)'?>", r"\1", re.sub(r" at 0x[0-9a-f]+", "", text))


def entries() -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of everything public: names of lensjax, of its public modules, and methods of classes."""
    listed = [name for name in public_names(lensjax) if name != "__version__"]
    modules = [name for name in listed if inspect.ismodule(getattr(lensjax, name))]
    for name in listed:
        if name not in modules:
            yield from _with_methods(name, getattr(lensjax, name))
    for name in modules:
        module = getattr(lensjax, name)
        yield name, module
        for inner in public_names(module):
            value = getattr(module, inner)
            if getattr(lensjax, inner, None) is not value and not inspect.ismodule(value):
                yield from _with_methods(f"{name}.{inner}", value)


def _with_methods(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    yield name, value
    if inspect.isclass(value):
        for inner, method in sorted(vars(value).items()):
            if inner[0] != "_" and (inspect.isfunction(method) or isinstance(method, classmethod | staticmethod | property)):
                yield f"{name}.{inner}", method


def _signature_of(value: Any) -> str:
    if inspect.ismodule(value) or isinstance(value, property):
        return ""
    return signature(getattr(value, "__func__", value))


def names_text() -> str:
    """The content of tests/public_api.txt: a line for each name, with its arguments."""
    return "".join(f"{name}{_signature_of(value)}\n" for name, value in entries())


def _markdown(docstring: str) -> str:
    """A docstring as Markdown: sections such as "Args:" become lists."""
    lines, inside = [], False
    for line in docstring.splitlines():
        heading = line.rstrip(":")
        if heading in SECTIONS and line.endswith(":"):
            inside = True
            lines += [f"*{heading}*", ""]
        elif inside and re.match(r"    \S", line):
            item = re.match(r"    ([\w, ]+): (.*)", line)
            lines.append(f"- `{item[1]}`: {item[2]}" if item else f"- {line.strip()}")
        elif inside and line.strip():
            lines.append(f"  {line.strip()}")
        else:
            lines.append(line)
    return "\n".join(lines)


def _words(name: str, value: Any) -> str:
    """What the page says of a value: its docstring, or that of a protocol's method; of a constant its value."""
    if type(value) in (int, float, str, tuple, dict):
        return f"`{value!r}`"
    inner = name.rpartition(".")[2]
    return inspect.getdoc(value) or next((inspect.getdoc(getattr(kind, inner)) or "" for kind in PROTOCOLS if hasattr(kind, inner)), "")


def _called(value: Any) -> str:
    """A signature as one calls it: without `self`, and without a default that is only a mark."""
    text = re.sub(r"^\((?:self|cls)(?:, )?", "(", _signature_of(value))
    return text.replace("<object object>", "…")


def page_text() -> str:
    """The content of docs/api.md."""
    parts = ["# Public names\n\nMade from the docstrings by `make api`. Everything here can be reached from `import lensjax`.\n"]
    for name, value in entries():
        module = inspect.ismodule(value)
        depth = "##" if module or "." not in name else "###"
        heading = f"{'lensjax.' if module else ''}{name}{_called(value)}"
        parts.append(f"{depth} `{heading}`\n\n{_markdown(_words(name, value))}".rstrip() + "\n")
    return "\n".join(parts)


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where a file is not up to date")
    check = parser.parse_args().check
    for path, text in ((PAGE, page_text()), (NAMES, names_text())):
        if check and (not path.exists() or path.read_text() != text):
            sys.exit(f"{path.relative_to(ROOT)} is not up to date; run `make api`")
        if not check:
            path.write_text(text)


if __name__ == "__main__":
    main()
