"""Which fields of a config about targets and losses fit each other."""

import re
from typing import TYPE_CHECKING

from lensjax import problems
from lensjax._internal.words import shown
from lensjax.errors import BadInput

if TYPE_CHECKING:
    from lensjax.train.config import TrainConfig

CLUSTER_LABELS = ("lens", "cosmosim")


def check(config: "TrainConfig") -> None:
    """Raises BadInput where the fields of targets and losses do not fit each other."""
    number = r"[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?"
    if config.weights and not re.fullmatch(f"{number}(,{number})*", config.weights):
        raise BadInput(column="weights", value=config.weights, expected='numbers of 0 or more, such as "1,1,2,1,1,0.5"')
    if config.head != "point" and (config.weights or config.by_ellipticity):
        name = "weights" if config.weights else "by_ellipticity"
        raise BadInput(column=name, value=getattr(config, name), expected=f"none with head {config.head}, trained by its likelihood")
    if config.by_ellipticity and config.targets not in ("raw", "polar"):
        raise BadInput(column="by_ellipticity", value=True, expected=f"False with targets {config.targets}")
    if config.with_source and config.targets == "amplitudes" and config.problem not in problems.composed_names():
        raise BadInput(column="with_source", value=True, expected=f"False with problem {config.problem}")
    if config.cluster_labels == "cosmosim":
        for name, wanted in (("problem", problems.cluster_names()), ("targets", ("amplitudes",)), ("data", ("",))):
            if getattr(config, name) not in wanted:
                expected = f"{' or '.join(shown(value) for value in wanted)} with cluster_labels cosmosim"
                raise BadInput(column=name, value=getattr(config, name), expected=expected)
    if config.targets == "amplitudes" and config.frame == "canonical" and config.amplitude_scale != "scaled":
        raise BadInput(column="amplitude_scale", value=config.amplitude_scale, expected="scaled with frame canonical")
