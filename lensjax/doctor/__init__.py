"""Checks of files, before a program fails on them.

    examine(path)       the findings of one file, errors first
    Finding             one finding: its code, its place, and its sentences
    sayings()           the sentences of every code, from sayings.toml

Checked are the files of CosmoSim 3.3.0, droulette 0.2.1 and Cosmo-ML: tables of systems (systems.py interprets their rows; cells.py,
cosmosim.py and targets.py check them), tables of amplitudes and of predictions, dataset.toml, problem.toml and ml.toml. Statements
about CosmoSim are observations of version 3.3.0.
"""

from lensjax.doctor.examine import examine
from lensjax.doctor.findings import SEVERITIES, Finding, Saying, counted, sayings

__all__ = ["SEVERITIES", "Finding", "Saying", "counted", "examine", "sayings"]
