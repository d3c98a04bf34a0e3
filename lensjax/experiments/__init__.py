"""Programs that train and evaluate networks: `lensjax train --help`; from a checkout also `python -m experiments.train --help`."""
