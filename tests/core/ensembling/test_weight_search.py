from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from toolkit.core.ensembling.candidate_scores import CandidateScores, MemberWeights, searched_folds
from toolkit.core.ensembling.means import Blender
from toolkit.core.ensembling.weight_search import Scores, by_adding, by_selection, indicator, reduced, search_folds
from toolkit.core.metrics.area import AreaMetric, dice
from toolkit.core.recipe.postprocess import IDENTITY


def distances(shares: np.ndarray, goals: np.ndarray, sign: int = -1) -> Scores:
    """Scores that fall with the distance from a goal, another one for each fold."""
    return tuple(sign * float(np.abs(shares - goals[seen].mean(axis=0)).sum()) for seen in searched_folds(len(goals)))


class Evaluating:
    """Scores candidates by their distance from goals, and counts passes and candidates."""

    def __init__(self, goals: Sequence[Sequence[float]]) -> None:
        self.goals = np.array(goals)
        self.passes: list[list[MemberWeights]] = []

    def __call__(self, candidates: Sequence[MemberWeights]) -> Mapping[MemberWeights, Scores]:
        self.passes.append(list(candidates))
        return {weights: distances(shares(weights), self.goals) for weights in candidates}


def shares(weights: MemberWeights) -> np.ndarray:
    return np.array(weights) / sum(weights)


@pytest.mark.parametrize("goal", [(1, 0, 0), (0, 0, 1), (0.5, 0.5, 0), (0.2, 0.3, 0.5), (0.05, 0.9, 0.05)])
def test_the_best_weights_are_found_to_a_few_hundredths(goal: tuple[float, ...]) -> None:
    _, best, by_fold = search_folds(Evaluating([goal] * 3), 3, "max", lambda: by_selection(3))
    assert np.abs(shares(best) - goal).max() < 0.05
    assert by_fold == [best] * 3
    assert reduced(best) == best


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_the_order_of_members_does_not_matter(order: tuple[int, ...]) -> None:
    goal = np.array([0.15, 0.25, 0.6])
    _, best, _ = search_folds(Evaluating([goal] * 2), 2, "max", lambda: by_selection(3))
    _, moved, _ = search_folds(Evaluating([goal[list(order)]] * 2), 2, "max", lambda: by_selection(3))
    assert moved == tuple(best[number] for number in order)


def test_each_fold_gets_what_the_others_choose() -> None:
    goals = np.array([[0.8, 0.2], [0.2, 0.8], [0.5, 0.5]])
    _, best, by_fold = search_folds(Evaluating(goals), 3, "max", lambda: by_selection(2))
    assert np.abs(shares(best) - goals.mean(axis=0)).max() < 0.03
    for fold, weights in enumerate(by_fold):
        others = np.delete(goals, fold, axis=0).mean(axis=0)
        assert np.abs(shares(weights) - others).max() < 0.03
        _, alone, _ = search_folds(Evaluating([others] * 2), 2, "max", lambda: by_selection(2))
        assert alone == weights  # going together changes nothing


def test_a_candidate_is_measured_once() -> None:
    evaluating = Evaluating([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4]])
    known, _, _ = search_folds(evaluating, 3, "max", lambda: by_selection(3), [(2, 2, 2)])
    measured = [weights for several in evaluating.passes for weights in several]
    assert len(set(measured)) == len(measured) == len(known)
    assert (1, 1, 1) in evaluating.passes[0]
    assert all(weights == reduced(weights) for weights in measured)
    assert len(evaluating.passes) < 60


def test_where_less_is_better_the_lowest_is_found() -> None:
    def evaluate(candidates: Sequence[MemberWeights]) -> Mapping[MemberWeights, Scores]:
        return {weights: distances(shares(weights), np.array([[0.3, 0.7]] * 2), sign=1) for weights in candidates}

    _, best, _ = search_folds(evaluate, 2, "min", lambda: by_selection(2))
    assert np.abs(shares(best) - (0.3, 0.7)).max() < 0.03


def test_what_scores_alike_is_left_to_the_fewest_and_the_first() -> None:
    def evaluate(candidates: Sequence[MemberWeights]) -> Mapping[MemberWeights, Scores]:
        return dict.fromkeys(candidates, (0.0, 0.0, 0.0))

    _, best, _ = search_folds(evaluate, 2, "max", lambda: by_selection(4))
    assert best == (1, 0, 0, 0)
    _, order, _ = search_folds(evaluate, 2, "max", lambda: by_adding(4))
    assert order == (0,)


def test_without_any_score_the_first_member_stays() -> None:
    def evaluate(candidates: Sequence[MemberWeights]) -> Mapping[MemberWeights, Scores]:
        return dict.fromkeys(candidates, (np.nan, np.nan, np.nan))

    assert search_folds(evaluate, 2, "max", lambda: by_selection(2))[1] == (1, 0)


def test_sets_grow_by_what_helps_most() -> None:
    gains = {1: 0.1, 2: 0.3, 3: -0.2, 4: 0.05}

    def evaluate(candidates: Sequence[MemberWeights]) -> Mapping[MemberWeights, Scores]:
        return {
            weights: (sum(gains.get(number, 0) for number in np.flatnonzero(weights)),) * 3 for weights in candidates
        }

    known, order, _ = search_folds(evaluate, 2, "max", lambda: by_adding(5))
    assert order == (0, 2, 1, 4)
    assert indicator(order, 5) == (1, 1, 1, 0, 1)
    assert len(known) == 1 + 4 + 3 + 2 + 1


METRIC = AreaMetric("dice", 1, formula=dice())


def search_maps(members: list[list[np.ndarray]], truth: list[np.ndarray]) -> MemberWeights:
    def evaluate(candidates: Sequence[MemberWeights]) -> Mapping[MemberWeights, Scores]:
        scores = CandidateScores(METRIC, Blender(), [IDENTITY] * 3, candidates)
        for number, (*maps, labels) in enumerate(zip(*members, truth, strict=True)):
            scores.add(number % 2, maps, labels, None)
        return scores.finish()

    return search_folds(evaluate, 2, "max", lambda: by_selection(len(members)))[1]


def noisy(truth: list[np.ndarray], amount: float, seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [
        np.clip(128 + 60 * (labels - 0.5) + random.normal(0, amount, labels.shape), 0, 255)[..., None].astype(np.uint8)
        for labels in truth
    ]


def test_noise_has_no_weight_and_a_twin_none_either() -> None:
    truth = [np.random.default_rng(seed).integers(0, 2, (12, 12)).astype(np.uint8) for seed in range(30)]
    good, fair = noisy(truth, 30, 1), noisy(truth, 45, 2)
    noise = [np.random.default_rng(100 + n).integers(0, 256, (12, 12, 1)).astype(np.uint8) for n in range(30)]
    alone = search_maps([good, fair], truth)
    assert all(alone)
    assert alone[0] > alone[1]  # who makes fewer errors counts more
    assert search_maps([good, fair, noise], truth) == (*alone, 0)
    with_twin = search_maps([good, good, fair], truth)
    assert with_twin[1] == 0 or with_twin[0] == 0
    assert shares((with_twin[0] + with_twin[1], with_twin[2])) == pytest.approx(shares(alone), abs=0.05)
