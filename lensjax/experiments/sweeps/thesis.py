"""The choices of the 2023 thesis on a quick network: loss, optimizer, coordinates, schedule and extra layers, each with two seeds.

    lensjax sweep --config thesis.py
    lensjax compare-runs runs/thesis --effects effects.png

12 runs, each choice changed alone. The schedule "thesis" trains as it did, first at a rate and then at a tenth of it.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """The sweep: the config of its members, and the values that they take."""
    config = ConfigDict()
    config.config = "thesis_small.py"
    config.vary = ConfigDict(
        {
            "loss": ("l1", "l2"),
            "optimizer": ("adam", "rmsprop"),
            "targets": ("raw", "polar"),
            "schedule": ("thesis", "constant"),
            "extra_layers": (False, True),
        }
    )
    config.grid = ConfigDict({"seed": (0, 1)})
    return config
