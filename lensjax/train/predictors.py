"""What a run's network says of the test images, and of images trained on: of the stream, or of a data set."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from flax.linen import Module

from lensjax.problems.base import Problem
from lensjax.train import evaluation
from lensjax.train.config import TrainConfig
from lensjax.train.feed import Feed
from lensjax.train.standard import Standard
from lensjax.train.state import Keys
from lensjax.train.step import make_predict, make_predict_given

EVALUATION_BATCH = 64
"""Images of the test set predicted at once."""

Predictor = Callable[[Any, int], tuple[evaluation.Predictions, evaluation.Predictions]]
"""(variables, step) → predictions for the test images, and for images trained on before that step."""


def of_stream(config: TrainConfig, problem: Problem, model: Module, mesh: jax.sharding.Mesh, run_keys: Keys) -> Predictor:
    """Predictions for fresh images, and for the images of the last steps."""
    test_batch = min(EVALUATION_BATCH, config.eval_size)
    test_predict = make_predict(config, problem, model, mesh, batch_size=test_batch)
    training_predict = make_predict(config, problem, model, mesh, batch_size=config.batch_size)
    test_steps = range(-(-config.eval_size // test_batch))
    count = -(-config.eval_size // config.batch_size)

    def predictions(variables: Any, step: int) -> tuple[evaluation.Predictions, evaluation.Predictions]:
        recent = evaluation.recent_steps(step, count)
        test = evaluation.predict(test_predict, variables, run_keys.evaluation, steps=test_steps, size=config.eval_size)
        return test, evaluation.predict(training_predict, variables, run_keys.stream, steps=recent, size=config.eval_size)

    return predictions


def of_data(
    config: TrainConfig,
    problem: Problem,
    model: Module,
    mesh: jax.sharding.Mesh,
    feed: Feed,
    watched: Sequence[int],
    standard: Standard | None,
) -> Predictor:
    """Predictions for the first images of `watched`, and for the training images of the last steps, as they are in the files."""
    predict = make_predict_given(config, problem, model, mesh, standard=standard)
    batch_size, size = min(EVALUATION_BATCH, config.eval_size), config.eval_size
    count = -(-size // config.batch_size)

    def predictions(variables: Any, step: int) -> tuple[evaluation.Predictions, evaluation.Predictions]:
        test = (predict(variables, batch) for batch in feed.images(watched[:size], batch_size=batch_size))
        training = (predict(variables, batch) for batch in feed.again(evaluation.recent_steps(step, count)))
        return evaluation.gathered(test, size=size), evaluation.gathered(training, size=size)

    return predictions
