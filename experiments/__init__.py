"""Programs that train and judge networks: `python -m experiments.train --help`."""
