"""Training runs, one in each file: each `get_config()` gives the fields of `lensjax.train.TrainConfig`."""
