"""droulette's experimentbatch.toml, ml.toml and problem.toml as the members of a sweep.

    [settings]                 model, or models of a batch   → model
    [hyperparameters]          learning-rate, batch-size, weight-decay, or lists of them in [hyperparameters.array] of a batch
                               → learning_rate, batch_size, weight_decay
    [training]                 num-epochs → steps and eval_every, where [dataset.training] size is known
    [dataset.testing]          size → eval_size (that of [dataset.validation] without one)
    dataset.toml of [problem]  [lens], [cluster] → problem; [simulator] model → method; cropsize or imagesize → image_size; size → the
                               number of rows, of which parts may be fractions

A file's [settings] problem names problem.toml, whose [problem] dataset names CosmoSim's dataset.toml; both are looked for beside the file
that names them, and in the current folder. As in droulette the optimizer is Adam and the loss is quadratic. What has no field here is
named in a notice.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lensjax._internal.words import name, shown
from lensjax.doctor.droulette import PROBLEM_TABLES, RATES, TRAINING_TABLES
from lensjax.doctor.keys import is_number, table_of, unknown_keys, unknown_tables, values_of
from lensjax.errors import BadInput, at
from lensjax.experiments.members import Member
from lensjax.files.read import read_toml
from lensjax.train import TrainConfig
from lensjax.train import config as configs

_FIELDS = {"model": "model", "learning-rate": "learning_rate", "batch-size": "batch_size", "weight-decay": "weight_decay"}
_PARTS = ("training", "validation", "testing")
_PART_KEYS = ("filename", "predictionfile", "size")
_UNUSED = {
    ("settings", "device"): "JAX takes the accelerator that it finds; JAX_PLATFORMS=cpu names another",
    ("training", "patience"): "no image comes twice, and a run ends at its last step",
    ("output", "directory"): "--workdir is the sweep's folder",
    ("output", "dirbase"): "members' folders are named after what varies",
    ("problem", "filename"): "images are rendered when they are needed",
    ("problem", "variables"): "the network learns all parameters of its problem",
    ("problem", "nterms"): "the network learns all parameters of its problem",
    ("dataset", "directory"): "images are rendered when they are needed",
    ("dataset", "roulette"): "images are rendered when they are needed",
}
"""Why a key has no effect, by table and key."""

_PROBLEMS = {
    ("SIS", 1): "sis2023",
    ("PM", 1): "pm2022",
    ("PointMass", 1): "pm2022",
    ("SIE", 1): "sie2026",
    ("SIE", 2): "cluster2sie2026",
    ("SIS", 4): "cluster4sis2026",
}
"""Problems by the kind of the lenses and their number."""


@dataclass(frozen=True)
class Files:
    """The content of a file and of those that it names.

    Attributes:
        path: the file.
        training: ml.toml or experimentbatch.toml; empty where the file is a problem.toml.
        problem: problem.toml; empty without one.
        dataset: dataset.toml; empty without one.
        notices: files that were not found.
    """

    path: Path
    training: Mapping[str, Any]
    problem: Mapping[str, Any]
    dataset: Mapping[str, Any]
    notices: tuple[str, ...]

    def size(self, part: str) -> int | None:
        """Images of the part "training", "validation" or "testing"; None where the files do not say."""
        sizes = {each: self._said(each) for each in _PARTS}
        total = table_of(self.dataset, "simulator").get("size")
        if sizes[part] is None and is_number(total) and sum(size is None for size in sizes.values()) == 1:
            return max(int(total - sum(_count(size, total) for size in sizes.values() if size is not None)), 0) or None
        if sizes[part] is None or (sizes[part] < 1 and not is_number(total)):
            return None
        return _count(sizes[part], total) or None

    def _said(self, part: str) -> Any:
        for file in (self.training, self.problem):
            size = table_of(table_of(file, "dataset"), part).get("size")
            if size is None:
                continue
            if not is_number(size) or size <= 0:
                expected = "a number of images, or a fraction of them"
                raise BadInput(path=self.path, column=f"[dataset.{part}] size", value=size, expected=expected)
            return size
        return None


def members(path: Path, base: TrainConfig) -> tuple[list[Member], list[str]]:
    """The members of a sweep, in the order of droulette's experiments, and notices: a line for each key without effect.

    Args:
        path: experimentbatch.toml, ml.toml or problem.toml.
        base: the config that the members begin with.

    Raises:
        BadInput: a file cannot be read, a value cannot be used, or no member is left.
    """
    files = _read(path)
    with at(path=path):
        common, notices = _common(files, base)
    values = {field: _values(files, key) for key, field in _FIELDS.items()}
    given = {field: found for field, found in values.items() if found}
    for key, field in _FIELDS.items() if files.training else ():
        if field not in given:
            notices.append(f"{_place(key)}: missing; {getattr(base, field)}, as in the base config, is used")
    varied = {field for field, found in given.items() if len(found) > 1}
    made = []
    with at(path=path):
        for combination in itertools.product(*given.values()):
            own = dict(zip(given, combination, strict=True))
            settings = own | common | _length(files, batch_size=own.get("batch_size", base.batch_size))
            configs.make_problem(configs.from_mapping(asdict(base) | settings))
            parts = ({field: value for field, value in settings.items() if (field in varied) == of_name} for of_name in (True, False))
            made.append(Member(*parts))
    if "num-epochs" in table_of(files.training, "training") and files.size("training") is None:
        notices.append(f"[training] num-epochs: not used: no [dataset.training] size is given; {base.steps} steps, as in the base config")
    return made, [*_unknown(files), *files.notices, *_unused(files), *notices]


def _read(path: Path) -> Files:
    loaded = read_toml(path)
    notices: list[str] = []
    of_problem: Path | None = path
    if isinstance(loaded.get("problem"), dict):
        training, problem = {}, loaded
    else:
        training = loaded
        if not set(training) & set(TRAINING_TABLES):
            expected = "droulette's experimentbatch.toml, ml.toml or problem.toml, or config and [grid]"
            raise BadInput("the file is of no known kind", path=path, expected=expected)
        of_problem, notices = _beside(path, table_of(training, "settings").get("problem"), "[settings] problem")
        problem = {} if of_problem is None else read_toml(of_problem)
    dataset: dict[str, Any] = {}
    if of_problem is not None:
        of_dataset, more = _beside(of_problem, table_of(problem, "problem").get("dataset"), "[problem] dataset")
        notices = [*notices, *more]
        dataset = {} if of_dataset is None else read_toml(of_dataset)
    return Files(path, training, problem, dataset, tuple(notices))


def _beside(path: Path, named: object, key: str) -> tuple[Path | None, list[str]]:
    """The file that `path` names under `key`, and a notice where there is none."""
    if named is None:
        return None, []
    if not isinstance(named, str):
        raise BadInput(path=path, column=key, value=named, expected="the name of a file")
    found = next((each for each in (path.parent / named, Path(named)) if each.is_file()), None)
    return found, [] if found else [f"{key}: no file {shown(named)} beside {path.name}; what it says is not used"]


def _values(files: Files, key: str) -> list[Any]:
    """The values of a key, those of a batch first; none where the file has none."""
    settings, hyperparameters = table_of(files.training, "settings"), table_of(files.training, "hyperparameters")
    if key == "model":
        found = values_of(settings.get("models", settings.get("model")))
        good = all(isinstance(value, str) for value in found)
        expected = "the names of networks"
    else:
        found = values_of(table_of(hyperparameters, "array").get(key, hyperparameters.get(key)))
        good = all(is_number(value) for value in found)
        expected = "numbers"
    if not good:
        raise BadInput(path=files.path, column=_place(key), value=found, expected=expected)
    return list(dict.fromkeys(found))


def _place(key: str) -> str:
    return "[settings] model" if key == "model" else f"[hyperparameters] {key}"


def _common(files: Files, base: TrainConfig) -> tuple[dict[str, Any], list[str]]:
    """Fields that are the same for all members, and notices."""
    fields: dict[str, Any] = {"optimizer": "adam", "loss": "l2"}
    notices = []
    images = files.size("testing") or files.size("validation")
    if images is not None:
        fields["eval_size"] = images
    simulator = table_of(files.dataset, "simulator")
    side = simulator.get("cropsize") or simulator.get("imagesize")
    if isinstance(side, int):
        fields["image_size"] = side
    kinds = values_of(simulator.get("models", simulator.get("model")))
    if len(kinds) == 1 and kinds[0] in ("Roulette", "Raytrace"):
        fields["method"] = kinds[0].lower()
    if not files.dataset:
        return fields, [f"problem: {base.problem}, as in the base config, since no dataset.toml says which"]
    lens = table_of(files.dataset, "lens")
    kinds = values_of(lens.get("modes", lens.get("mode")))
    count = table_of(files.dataset, "cluster").get("count", 1)
    found = _PROBLEMS.get((kinds[0], count)) if len(kinds) == 1 and isinstance(kinds[0], str) and isinstance(count, int) else None
    if found is None:
        notices.append(f"[lens] mode: no problem has such lenses; {base.problem}, as in the base config, is used")
    else:
        fields["problem"] = found
        notices.append(f"[lens], [source], [position]: problem {found} has its own prior; the file's ranges are not used")
    own = ("size", "imagesize", "cropsize", "model", "models")
    notices += [f"[simulator] {name(key)}: not used: how images are taken is the problem's own" for key in simulator if key not in own]
    return fields, notices


def _length(files: Files, *, batch_size: int) -> dict[str, int]:
    """Steps of a run, and those of an epoch."""
    epochs, images = table_of(files.training, "training").get("num-epochs"), files.size("training")
    if images is None or batch_size < 1:
        return {}
    epoch = -(-images // batch_size)
    if epochs is None:
        return {"eval_every": epoch}
    if not isinstance(epochs, int) or epochs < 1:
        raise BadInput(column="[training] num-epochs", value=epochs, expected="a whole number from 1")
    return {"steps": epochs * epoch, "eval_every": epoch}


def _unused(files: Files) -> Iterator[str]:
    """A line for each key of droulette's that has no field here."""
    for file in (files.training, files.problem):
        for (table, key), why in _UNUSED.items():
            if key in table_of(file, table):
                yield f"[{table}] {key}: not used: {why}"
        for part in _PARTS:
            for key in ("filename", "predictionfile"):
                if key in table_of(table_of(file, "dataset"), part):
                    yield f"[dataset.{part}] {key}: not used: images are rendered when they are needed"


def _unknown(files: Files) -> Iterator[str]:
    """A line for each key that droulette does not know either, with the nearest that it does."""
    for file, known in ((files.training, TRAINING_TABLES), (files.problem, PROBLEM_TABLES)):
        path = str(files.path)
        findings = [*unknown_tables(path, file, known, "droulette")]
        array = table_of(table_of(file, "hyperparameters"), "array")
        findings += unknown_keys(path, "hyperparameters.array", array, RATES, "droulette")
        for part in _PARTS:
            findings += unknown_keys(path, f"dataset.{part}", table_of(table_of(file, "dataset"), part), _PART_KEYS, "droulette")
        for finding in findings:
            yield f"{finding.key}: unknown, and not used{f'; {finding.hint}' if finding.hint else ''}"


def _count(size: float, total: Any) -> int:
    """Images of a size, which is a number of them or a fraction of the total."""
    return int(size if size >= 1 else size * total) if size >= 1 or is_number(total) else 0
