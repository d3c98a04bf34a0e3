"""Training runs, one a file: each `get_config()` gives the fields of `lensjax.train.TrainConfig`."""
