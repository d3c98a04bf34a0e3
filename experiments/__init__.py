"""`python -m experiments.train` from a checkout is the same as `lensjax train`: the modules are those of lensjax/experiments."""

import lensjax.experiments

__path__ = lensjax.experiments.__path__
