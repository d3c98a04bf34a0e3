"""Small files for the doctor's tests: each kind without fault, and with changes."""

from lensjax.formats.cosmosim import amplitudes as roulette_csv

Files = dict[str, str]
"""Texts by name: the first file is examined; labels.csv goes with it as --labels."""

GOOD = {
    "index": "1", "filename": "a.png", "model": "Raytrace", "lens": "SIS", "einsteinradius": "20", "source": "e", "sigma": "9",
    "sigma2": "5", "theta": "30", "x": "12", "y": "5",
}  # fmt: skip
OLD = {
    "index": "1", "filename": "a.png", "source": "e", "chi": "50", "einsteinR": "20", "sigma": "9", "sigma2": "5", "theta": "30",
    "x": "12", "y": "5",
}  # fmt: skip
TOML = {
    "simulator": {"model": ["Raytrace"], "size": 5},
    "lens": {"mode": ["SIS"], "einstein-min": 10, "einstein-max": 20},
    "source": {"mode": ["e"], "sigma-min": 10, "sigma-max": 20, "sigma2-min": 2, "sigma2-max": 9},
    "position": {"x-min": -20, "x-max": 20, "y-min": -20, "y-max": 20},
}
ONE_IMAGE = {"simulator": {}, "lens": {"einsteinradius": 20}, "source": {"sigma": 20}, "position": {"x": 5, "y": 3}}
TRAINING = {"settings": {"model": "resnet50"}, "hyperparameters": {"learning-rate": 1e-4}, "training": {"num-epochs": 5}}
PROBLEM = {"problem": {"filename": "roulette.csv", "variables": ["sigma", "xiX"], "nterms": 4}}


def csv(*rows):
    """The text of a table; a column that is None in one of the rows is left out."""
    every = dict.fromkeys(name for row in rows for name in row)
    columns = [name for name in every if all(row.get(name, "") is not None for row in rows)]
    lines = [",".join(columns), *(",".join(str(row.get(name, "")) for name in columns) for row in rows)]
    return "\n".join(lines) + "\n"


def toml(tables):
    """The text of a TOML file."""

    def text(value):
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, dict):
            return "{ " + ", ".join(f'"{key}" = {text(item)}' for key, item in value.items()) + " }"
        if isinstance(value, list):
            return "[" + ", ".join(map(text, value)) + "]"
        return f'"{value}"' if isinstance(value, str) else repr(value)

    parts = [f'"{name}" = {text(value)}' for name, value in tables.items() if not isinstance(value, dict)]
    for name, table in tables.items():
        if isinstance(table, dict):
            parts += [f"[{name}]", *(f'"{key}" = {text(value)}' for key, value in table.items())]
    return "\n".join(parts) + "\n"


def changed(tables, **changes):
    """A copy with keys of tables changed: table__key = value, None removes it; `_` in keys stands for `-`."""
    copy = {name: dict(table) if isinstance(table, dict) else table for name, table in tables.items()}
    for name, value in changes.items():
        table, _, key = name.partition("__")
        if not key:
            copy[table] = dict(value) if isinstance(value, dict) else value
        elif value is None:
            copy[table].pop(key.replace("_", "-"), None)
        else:
            copy.setdefault(table, {})[key.replace("_", "-")] = value
    return copy


def _rows(good, changes):
    return [{**good, "filename": f"{'abcdefghijklmnopqrstuvwxyz'[k]}.png", **row} for k, row in enumerate(changes or [{}])]


def systems(*rows) -> Files:
    """A table of systems, with changes in each row."""
    return {"data.csv": csv(*_rows(GOOD, rows))}


def old(*rows) -> Files:
    """A table of systems of 2023, with changes in each row."""
    return {"data.csv": csv(*_rows(OLD, rows))}


def amplitude_row(nterms=4, **cells):
    """A row of amplitudes without fault."""
    row = {name: "0.25" for name in roulette_csv.columns(nterms)}
    row |= {"filename": "a.png", "source": "e", "theta": "30", "sigma": "9", "sigma2": "5", "offsetY": "0", "offsetX": "0"}
    return {**row, **cells}


def amplitudes(*rows, nterms=4) -> Files:
    """A table of amplitudes, with changes in each row."""
    return {"data.csv": csv(*_rows(amplitude_row(nterms), rows))}


def dataset(**changes) -> Files:
    """A dataset.toml that draws rows, with changes."""
    return {"dataset.toml": toml(changed(TOML, **changes))}


def one_image(**changes) -> Files:
    """A dataset.toml of one image, with changes."""
    return {"dataset.toml": toml(changed(ONE_IMAGE, **changes))}


def problem(**changes) -> Files:
    """A problem.toml, with changes, beside a dataset.toml of round sources."""
    return {"problem.toml": toml(changed(PROBLEM, **changes)), "round.toml": toml(changed(TOML, source__mode="s", simulator__nterms=6))}


def training(**changes) -> Files:
    """An ml.toml, with changes."""
    return {"ml.toml": toml(changed(TRAINING, **changes)), "here.toml": toml(PROBLEM)}


def cosmo_ml(truth, guess) -> Files:
    """Predictions of x and y as Cosmo-ML writes them."""
    columns = ["Index", *(f"{name} ({kind})" for kind in ("Ground Truth", "Predicted") for name in "xy")]
    rows = (dict(zip(columns, (k, *a, *b), strict=True)) for k, (a, b) in enumerate(zip(truth, guess, strict=True)))
    return {"predictions.csv": csv(*rows)}


def predicted(rows, labels) -> Files:
    """Predictions as droulette writes them, and their labels."""
    return {"predicted.csv": csv(*rows), "labels.csv": csv(*labels)}


def written(folder, files: Files):
    """Writes the files; the first one, and labels.csv where it is among them."""
    for name, text in files.items():
        (folder / name).write_text(text)
    labels = folder / "labels.csv"
    return folder / next(iter(files)), labels if "labels.csv" in files else None
