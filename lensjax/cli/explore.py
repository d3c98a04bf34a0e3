"""`lensjax explore`: lenses, and estimates of images, on a page in the browser."""

import argparse
from importlib.util import find_spec

from lensjax.cli import arguments, values
from lensjax.errors import BadInput

_EPILOG = """examples:
  lensjax explore                     opens the page in the browser; Ctrl-C ends it
  lensjax explore --no-browser --port 9000

The page shows lenses and sources under the mouse, estimates images that are dropped on it, and has a tour for students.
It listens at this machine's own address alone. --host 0.0.0.0 lets all of the network in; there is no password.
It needs `pip install 'lensjax[explore]'`, and no internet."""

_LOOPBACK, _PORT = "127.0.0.1", 8787


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    command = parser.command("explore", "Explore lenses, and estimate images, on a page in the browser.", _EPILOG, run)
    command.add_argument("--port", type=values.whole(1, 65535), default=_PORT, metavar="N", help=f"port of the page ({_PORT})")
    command.add_argument("--host", default=_LOOPBACK, metavar="ADDRESS", help=f"address to listen at ({_LOOPBACK}: this machine alone)")
    command.add_argument("--no-browser", action="store_true", help="do not open a browser")


def run(flags: argparse.Namespace) -> None:
    """The command.

    Raises:
        BadInput: the package of the page is missing, or nothing can listen there.
    """
    if find_spec("nicegui") is None:
        raise BadInput("the package nicegui is missing", hint="pip install 'lensjax[explore]'")
    _check_free(flags.host, flags.port)
    print(f"http://{flags.host}:{flags.port} (Ctrl-C ends it)", flush=True)
    from lensjax.explore.page import serve

    serve(host=flags.host, port=flags.port, browser=not flags.no_browser)


def _check_free(host: str, port: int) -> None:
    import socket

    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput(f"nothing can listen there: {reason}", value=f"{host}:{port}", hint="give another --port or --host") from None
