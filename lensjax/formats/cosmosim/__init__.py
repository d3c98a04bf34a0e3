"""CosmoSim's files: tables of systems and of amplitudes, and dataset.toml."""
