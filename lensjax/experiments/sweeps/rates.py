"""An example of a sweep: two learning rates and three seeds of the smoke run.

lensjax sweep --config rates.py
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """The sweep: the config of its members, and the values that they take."""
    config = ConfigDict()
    config.config = "smoke.py"
    config.grid = ConfigDict({"learning_rate": (1e-3, 2e-3), "seed": (0, 1, 2)})
    return config
