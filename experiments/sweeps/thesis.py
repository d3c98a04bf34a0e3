"""The choices of the 2023 thesis, on a small network: loss, optimizer, coordinates of the source and extra layers, each with two seeds.

    python -m experiments.sweep --config thesis.py
    python -m experiments.compare runs/thesis --effects effects.png

All combinations: 32 runs of the network `compact` at 50×50. The learning rate falls to a tenth in the second half, as the thesis trained
first at 1e-4 and then at 1e-5; the sweep schedules.py compares that with a constant rate.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """The sweep: the config of its members, and the values that they take."""
    config = ConfigDict()
    config.config = "thesis_small.py"
    config.grid = ConfigDict(
        {
            "loss": ("l1", "l2"),
            "optimizer": ("adam", "rmsprop"),
            "targets": ("raw", "polar"),
            "extra_layers": (False, True),
            "seed": (0, 1),
        }
    )
    return config
