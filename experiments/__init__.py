"""Programs that train and evaluate networks: `python -m experiments.train --help`."""
