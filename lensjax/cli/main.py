"""`lensjax simulate | estimate | delens | …`: the command line.

The commands import JAX and NumPy when they run, so that help and errors in flags take no time.
"""

import gc
import logging
import sys
import traceback
from collections.abc import Sequence

from lensjax import __version__
from lensjax._internal import compiled
from lensjax.cli import arguments, calibrate, compare, convert, delens, doctor, estimate, explore, programs, sheet, simulate
from lensjax.errors import BadInput

_GARBAGE = (50_000, 20, 100)  # of `gc.set_threshold`: tracing makes millions of objects that stay
_EPILOG = """examples:
  lensjax simulate --problem sis2023 --n 100 --out images
  lensjax estimate --csv images/dataset.csv --images images --out results.csv
  lensjax delens images/image-000001.png --params results.csv --out source.png

`lensjax COMMAND --help` shows the flags of a command.
exit codes: 0 done, 2 bad input (one line names it), 1 anything else"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: the words after `lensjax`; by default the process's own.

    Returns:
        The exit code: 0 done, 2 bad input, 1 anything else; both with one line on stderr.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in programs.PROGRAMS:
        programs.run(words[0], words[1:])
        return 0
    debug = "--debug" in words
    try:
        options = parser().parse(words)
        options.words = words
        gc.set_threshold(*_GARBAGE)
        compiled.keep_compiled_programs()
        _say_what_takes_long()
        options.run(options)
        return 0
    except SystemExit as end:  # --help, --version
        return end.code if isinstance(end.code, int) else 0
    except BadInput as error:
        return _fail(str(error), 2, debug)
    except KeyboardInterrupt:
        return _fail("interrupted", 1, False)
    except Exception as error:
        hint = "" if debug else " (--debug shows where)"
        return _fail(f"{type(error).__name__}: {error}{hint}", 1, debug)


def parser() -> arguments.Parser:
    """The parser of all commands."""
    top = arguments.Parser("lensjax", "Infer the lens and the source from images of lensed galaxies, and simulate such images.", _EPILOG)
    top.usage = "lensjax [-h] [--version] COMMAND ..."
    top.add_argument("--version", action="version", version=f"lensjax {__version__}")
    for command in (simulate, estimate, delens, explore, compare, sheet, doctor, calibrate, convert):
        command.add(top)
    programs.add(top)
    return top


class _Lines(logging.Handler):
    """One line of stderr for each message."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"lensjax: {record.getMessage()}", file=sys.stderr, flush=True)


def _say_what_takes_long() -> None:
    log = logging.getLogger("lensjax.infer")
    if not log.handlers:
        log.addHandler(_Lines())
        log.setLevel(logging.INFO)


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print("lensjax: " + " ".join(message.split()), file=sys.stderr)
    return code
