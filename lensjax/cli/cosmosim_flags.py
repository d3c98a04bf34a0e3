"""The flags of `lensjax simulate` that stand for columns of CosmoSim's files."""

import argparse
from collections.abc import Sequence
from typing import Any

from lensjax.cli import arguments
from lensjax.errors import BadInput

_VALUES: dict[str, tuple[str, str]] = {
    "lens": ("-l", "PM, SIS, SIE or Cluster"),
    "model": ("-L", "Raytrace or Roulette"),
    "source": ("-S", "Spherical, Ellipsoid, SersicSphere, SersicEllipsoid, Triangle, Image; or a constellation"),
    "cluster": ("--cluster", "LENS/x/y/radius[/ratio/orientation];..."),
    "einsteinradius": ("-E", "θ_E [px]"),
    "ellipseratio": ("-r", "axis ratio of an SIE, in (0, 1]"),
    "orientation": ("--orientation", "direction of an SIE [degrees]"),
    "x": ("-x", "position of the source [px]"),
    "y": ("-y", "position of the source [px]"),
    "phi": ("-T", "direction of the source [degrees]; then x is its distance"),
    "sigma": ("-s", "size of the source along theta [px]"),
    "sigma2": ("--sigma2", "size of the source across theta [px]"),
    "theta": ("-t", "direction of the source's axis [degrees]"),
    "nterms": ("-n", "order of the roulette series"),
    "imagesize": ("-Z", "pixels on a side of the canvas (512)"),
    "cropsize": ("-z", "pixels on a side of the part of the canvas that is kept"),
}
_SWITCHES = {
    "centred": ("-C", "move the centre of light to the image's centre"),
    "mask": ("-M", "make roulette images dark outside the convergence ring"),
    "reflines": ("-R", "draw the central row and column"),
    "criticalcurves": ("--criticalcurves", "draw critical curves"),
}


class _Column(argparse.Action):
    """Adds a column and its value to a dictionary."""

    def __init__(self, option_strings: Sequence[str], dest: str, column: str = "", nargs: int | None = None, **more: Any) -> None:
        super().__init__(option_strings, dest, nargs, **more)
        self.column = column

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: str | Sequence[Any] | None, option: str | None = None
    ) -> None:
        name, value = self.column, self.const if self.nargs == 0 else values
        if not name:
            name, mark, value = str(values).partition("=")
            if not mark or not name.strip():
                raise BadInput(column="--set", value=values, expected="COLUMN=VALUE")
        known: dict[str, str] = getattr(namespace, self.dest)
        setattr(namespace, self.dest, known | {name.strip(): str(value).strip()})


def add(command: arguments.Parser) -> None:
    """Adds the flags; together they become `settings`, values by column."""
    group = command.add_argument_group("CosmoSim's columns", "for columns and cells that a CSV file lacks; they come before a TOML file")
    for name, (short, text) in _VALUES.items():
        group.add_argument(*dict.fromkeys((short, f"--{name}")), dest="settings", action=_Column, column=name, metavar="V", help=text)
    switches = [(dict.fromkeys((short, f"--{name}")), name, "1", text) for name, (short, text) in _SWITCHES.items()]
    switches.append(({"--no-xireference": None}, "xireference", "0", "expand amplitudes about the image's centre"))
    for flags, name, value, text in switches:
        group.add_argument(*flags, dest="settings", action=_Column, column=name, nargs=0, const=value, help=text)
    group.add_argument("--set", dest="settings", action=_Column, metavar="COLUMN=V", help="any other column of CosmoSim's")
    command.set_defaults(settings={})
