"""droulette's files: problem.toml, ml.toml and experimentbatch.toml."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lensjax._internal import words
from lensjax.doctor.dataset_toml import source_kinds
from lensjax.doctor.findings import Finding
from lensjax.doctor.keys import is_number, table_of, unknown_keys, unknown_tables, values_of
from lensjax.errors import BadInput
from lensjax.files.read import read_toml
from lensjax.formats.cosmosim.amplitudes import columns
from lensjax.formats.cosmosim.names import ELLIPTICAL, SERSIC

PROBLEM_TABLES: Mapping[str, Sequence[str]] = {
    "problem": ("filename", "dataset", "variables", "nterms"),
    "dataset": ("roulette", "training", "validation", "testing", "directory"),
}
"""Tables and keys of problem.toml."""
RATES = ("learning-rate", "batch-size", "weight-decay")
TRAINING_TABLES: Mapping[str, Sequence[str]] = {
    "settings": ("device", "model", "models", "problem"),
    "hyperparameters": (*RATES, "array"),
    "training": ("num-epochs", "patience"),
    "dataset": ("directory", "training", "validation", "testing"),
    "output": ("directory", "dirbase"),
}
"""Tables and keys of ml.toml and experimentbatch.toml."""
_PARTS = ("training", "validation", "testing")
_NETWORKS = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "mnasnet1_0", "mobilenet_v2",
    "mobilenet_v3_small", "regnet_y_32gf", "resnet50", "resnext50_32x4d", "shufflenet_v2_x1_0", "squeezenet1_0", "swin_t", "vgg16",
    "wide_resnet50_2",
)  # fmt: skip
_OF_LENSES = ("einsteinradius", "ellipseratio", "orientation", "cluster", "lens", "einsteinR", "chi")
_HIGHEST_ORDER = 50  # of CosmoSim's amplitudes
_HIGHEST_RATE = 1e-3
_DEFAULT_NTERMS = 16  # of a dataset.toml that does not say


def check_problem(path: Path, loaded: Mapping[str, Any]) -> Iterator[Finding]:
    """problem.toml: which columns of a table of amplitudes are learnt."""
    yield from unknown_tables(str(path), loaded, PROBLEM_TABLES, "droulette")
    problem, file, key = loaded["problem"], str(path), "[problem] variables"
    if isinstance(problem.get("nterms"), list):
        yield Finding("nterms-list", file, key="[problem] nterms")
    variables = [name for name in values_of(problem.get("variables")) if isinstance(name, str)]
    known = [name for name in columns(_HIGHEST_ORDER) if name not in ("filename", "source")]
    for name in variables:
        value = {"value": words.name(name)}
        if name in _OF_LENSES:
            yield Finding("variable-of-lens", file, key=key, values=value)
        elif name not in known:
            yield Finding("variable-unknown", file, key=key, values=value, hint=words.did_you_mean(name, known))
        elif name.startswith("beta[") and name.endswith("[0]"):
            yield Finding("variable-zero", file, key=key, values=value)
        elif name in ("offsetX", "offsetY"):
            yield Finding("variable-offset", file, key=key, values=value)
    yield from _check_against_dataset(path, problem, variables)
    yield from _check_parts(file, table_of(loaded, "dataset"))


def check_training(path: Path, loaded: Mapping[str, Any]) -> Iterator[Finding]:
    """ml.toml and experimentbatch.toml: how networks are trained."""
    file = str(path)
    yield from unknown_tables(file, loaded, TRAINING_TABLES, "droulette")
    settings, hyperparameters = table_of(loaded, "settings"), table_of(loaded, "hyperparameters")
    array = table_of(hyperparameters, "array")
    yield from unknown_keys(file, "hyperparameters.array", array, RATES, "droulette")
    for key in RATES:
        if key in array and not isinstance(array[key], list):
            yield Finding("rates-not-a-list", file, key=f"[hyperparameters.array] {key}")
    rates = [rate for rate in values_of(array.get("learning-rate", hyperparameters.get("learning-rate"))) if is_number(rate)]
    if not rates:
        yield Finding("learning-rate-missing", file, key="[hyperparameters] learning-rate")
    elif max(rates) > _HIGHEST_RATE:
        yield Finding("learning-rate-high", file, key="[hyperparameters] learning-rate", values={"value": f"{max(rates):g}"})
    for name in values_of(settings.get("models", settings.get("model"))):
        if name == "squeezenet1_0":
            yield Finding("network-squeezenet", file, key="[settings] model")
        elif isinstance(name, str) and name not in _NETWORKS:
            values = {"value": words.shown(name), "known": ", ".join(_NETWORKS)}
            yield Finding("network-unknown", file, key="[settings] model", values=values, hint=words.did_you_mean(name, _NETWORKS))
    for name in values_of(settings.get("problem")):
        if isinstance(name, str) and not (path.parent / name).is_file():
            yield Finding("file-missing", file, key="[settings] problem", values={"value": words.shown(name)})
    if "dataset" in loaded or "output" in loaded:
        yield Finding("labels-written", file, key="[output]")


def _check_against_dataset(path: Path, problem: Mapping[str, Any], variables: Sequence[str]) -> Iterator[Finding]:
    """Variables against the dataset.toml that the problem names."""
    name = problem.get("dataset")
    if not isinstance(name, str):
        return
    shown = words.shown(name)
    try:
        dataset = read_toml(path.parent / name)
    except BadInput:
        yield Finding("file-missing", str(path), key="[problem] dataset", values={"value": shown})
        return
    kinds = source_kinds(table_of(dataset, "source"))
    not_shown: set[str] = set()
    if kinds and not kinds & set(ELLIPTICAL):
        not_shown |= {"sigma2"} if "Triangle" in kinds else {"sigma2", "theta"}
    if kinds and not kinds & set(SERSIC):
        not_shown |= {"n_sersic", "luminosity"}
    for variable in variables:
        if variable in not_shown:
            yield Finding("variable-unseen", str(path), key="[problem] variables", values={"value": variable, "file": shown})
    most, nterms = table_of(dataset, "simulator").get("nterms", _DEFAULT_NTERMS), problem.get("nterms")
    if is_number(nterms) and is_number(most) and nterms > most:
        yield Finding("nterms-above-dataset", str(path), key="[problem] nterms", values={"most": most, "file": shown})


def _check_parts(path: str, dataset: Mapping[str, Any]) -> Iterator[Finding]:
    """Sizes of the parts for training, validation and testing."""
    parts = {name: table_of(dataset, name) for name in _PARTS if isinstance(dataset.get(name), dict)}
    without = [name for name, part in parts.items() if "size" not in part]
    if len(without) > 1:
        yield Finding("part-size-missing", path, key=f"[dataset.{without[1]}] size", values={"value": without[0]})
    fractions = sum(part["size"] for part in parts.values() if isinstance(part.get("size"), float) and part["size"] < 1)
    if fractions > 1 + 1e-9:
        yield Finding("part-fractions", path, key="[dataset]", values={"value": f"{fractions:g}"})
    if parts:
        yield Finding("rows-not-shuffled", path, key="[dataset]")
