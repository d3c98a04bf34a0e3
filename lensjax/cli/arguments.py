"""The parser of all commands, and options as a dataclass."""

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import NoReturn, TypeVar

from lensjax import problems
from lensjax._internal import words
from lensjax.cli import values
from lensjax.errors import BadInput

T = TypeVar("T")

PROBLEMS = tuple(problems.names())
ALL_PROBLEMS = tuple(problems.command_names())


class Parser(argparse.ArgumentParser):
    """A parser that raises `BadInput` for a wrong flag, and suggests the nearest flag or command."""

    def __init__(self, prog: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog, description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False, exit_on_error=False,
        )  # fmt: skip
        self.commands: dict[str, Parser] = {}

    def command(self, name: str, line: str, epilog: str, run: Callable[[argparse.Namespace], None]) -> "Parser":
        """A command below this parser; `run` is called with its flags."""
        parser = Parser(f"{self.prog} {name}", line, epilog)
        parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
        parser.set_defaults(run=run)
        self.commands[name] = parser
        return parser

    def choice(self, flag: str, known: Iterable[str], *, help: str, default: str | None = None) -> None:
        """A flag that takes one of several words."""
        names = tuple(known)
        self.add_argument(flag, type=values.one_of(names), metavar="{" + ",".join(names) + "}", default=default, help=help)

    def format_help(self) -> str:
        """The help text, with the commands where there are any."""
        text = super().format_help()
        if not self.commands:
            return text
        listed = "".join(f"  {name:<22}{parser.description}\n" for name, parser in self.commands.items())
        return text.replace(f"\n{self.epilog}", f"\ncommands:\n{listed}\n{self.epilog}")

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The flags' values, and `run`, of the command that the words name.

        Raises:
            BadInput: an unknown command or flag, one that is missing, or a value that cannot be used.
        """
        if self.commands and arguments and not arguments[0].startswith("-"):
            name, *rest = arguments
            if name not in self.commands:
                known = tuple(self.commands)
                raise BadInput(f"unknown command {words.shown(name)}", expected=words.listed(known), hint=words.did_you_mean(name, known))
            return self.commands[name].parse(rest)
        for word in arguments:
            if word == "--":
                break
            if re.match("--[a-zA-Z]", word) and word.partition("=")[0] not in self._option_string_actions:
                self._unknown(word.partition("=")[0])
        try:
            options, unknown = self.parse_known_args(arguments)
        except argparse.ArgumentError as error:
            unfit = error.__context__
            if isinstance(unfit, values.Unfit):
                raise BadInput(column=error.argument_name, value=unfit.value, expected=unfit.expected, hint=unfit.hint) from None
            self.error(error.message if error.argument_name is None else f"{error.argument_name}: {error.message}")
        if unknown:
            self._unknown(unknown[0])
        if self.commands:
            self.error("COMMAND is missing")
        return options

    def error(self, message: str) -> NoReturn:
        """Ends parsing with an error of one line."""
        raise BadInput(message, hint=f"see {self.prog} --help")

    def _unknown(self, word: str) -> NoReturn:
        kind = "flag" if word.startswith("-") else "argument"
        hint = words.did_you_mean(word, self._option_string_actions) if kind == "flag" else ""
        raise BadInput(f"unknown {kind} {words.shown(word)}", hint=hint or f"see {self.prog} --help")


def options_of(cls: type[T], namespace: argparse.Namespace) -> T:
    """A dataclass of options, filled from the flags of the same names."""
    return cls(**{field.name: getattr(namespace, field.name) for field in fields(cls)})  # type: ignore[arg-type]
