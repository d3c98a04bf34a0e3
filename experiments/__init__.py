"""`python -m experiments.train` from a checkout, the same as `lensjax train`: the programs and configs of lensjax/experiments, under a short name."""

import lensjax.experiments

__path__ = lensjax.experiments.__path__
