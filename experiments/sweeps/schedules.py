"""The thesis's schedule, a tenth of the rate in the second half, against a constant rate, on a small network with three seeds.

python -m experiments.sweep --config schedules.py
python -m experiments.compare runs/schedules --effects effects.png
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """The sweep: the config of its members, and the values that they take."""
    config = ConfigDict()
    config.config = "thesis_small.py"
    config.grid = ConfigDict({"schedule": ("constant", "thesis"), "seed": (0, 1, 2)})
    return config
