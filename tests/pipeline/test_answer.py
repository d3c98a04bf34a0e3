"""The answer of a galaxy's fit: where arcs are left over, the lens that more shapelets lead to is tried as well."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.infer.fit import Optimum
from lensjax.pipeline import answer
from lensjax.pipeline.answer import Answer
from lensjax.pipeline.options import Options, problem_of
from lensjax.problems.compose import Composition

PROBLEM = problem_of(Options(source="shapelets"))
NOTHING = np.zeros(())


def numbers(theta_e: float) -> np.ndarray:
    at = {"theta_E": theta_e, "q": 0.8, "source_beta": 0.1}
    return np.asarray(PROBLEM.encode(jnp.asarray([at.get(name, 0.0) for name in PROBLEM.names])), np.float64)


def ended(theta_e: float, *, cost: float, explained: bool = False) -> Answer:
    best = Optimum(numbers(theta_e), np.zeros(PROBLEM.linear), np.eye(1), cost, cost, NOTHING, NOTHING, 100, 0)
    return Answer(PROBLEM, best, (), cost, 0.1, explained=explained)


def search_that_leads_to(theta_e: float) -> SimpleNamespace:
    def coarse(problem: Composition, begin: np.ndarray, *, soft: float) -> SimpleNamespace:
        return SimpleNamespace(fit=numbers(theta_e)[None], normal=SimpleNamespace(cost=np.array([10.0])))

    return SimpleNamespace(options=Options(), coarse=coarse)


FIRST = ended(1.0, cost=200.0)
BETTER, WORSE, EXPLAINED = ended(1.2, cost=150.0), ended(1.2, cost=250.0), ended(1.2, cost=250.0, explained=True)


@pytest.mark.parametrize(("second", "taken"), [(BETTER, True), (WORSE, False), (EXPLAINED, True), (None, False)])
def test_the_better_answer_is_taken(monkeypatch: pytest.MonkeyPatch, second: Answer | None, taken: bool) -> None:
    def answer_of(problem: Composition, search: object, kept: list[np.ndarray], model: np.ndarray, rivals: answer.Rivals) -> Answer | None:
        assert answer.theta_e(problem, kept[0]) == pytest.approx(1.2, rel=1e-3)
        assert rivals == ((0.9, 25.0),)  # the second search ended 20 lower
        return second

    monkeypatch.setattr(answer, "answer_of", answer_of)
    found = answer.restarted(PROBLEM, search_that_leads_to(1.2), FIRST, NOTHING, ((0.9, 5.0),), least=30.0)
    assert found is (second if taken else FIRST)


@pytest.mark.parametrize(("theta_e", "least"), [(1.02, 30.0), (1.2, 11.0)])
def test_the_same_lens_and_a_worse_one_are_not_tried_again(monkeypatch: pytest.MonkeyPatch, theta_e: float, least: float) -> None:
    monkeypatch.setattr(answer, "answer_of", lambda *_: pytest.fail("tried again"))
    assert answer.restarted(PROBLEM, search_that_leads_to(theta_e), FIRST, NOTHING, (), least=least) is FIRST
