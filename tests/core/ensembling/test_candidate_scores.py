from collections.abc import Sequence

import numpy as np
import pytest

from toolkit.core.ensembling.candidate_scores import CandidateScores, MemberWeights, levels_of_blend, searched_folds
from toolkit.core.ensembling.means import MEANS, Blender, Mean
from toolkit.core.masks.labels import IGNORE, Activation, label_count
from toolkit.core.metrics.metric import Metric
from toolkit.core.metrics.registry import MetricSpec, ScoringRules, build_metric, build_metrics
from toolkit.core.metrics.scorer import Scorer
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.probabilities import quantise
from toolkit.core.recipe.recipe import ClassRecipe, Recipe

FOLDS = np.array([0, 1, 2, 0, 1])
CANDIDATES: list[MemberWeights] = [(1, 0, 0), (1, 1, 0), (2, 1, 4)]


def material(classes: int, activation: Activation = "sigmoid") -> tuple[list[list[np.ndarray]], list[np.ndarray]]:
    """Maps of three members and labels of five images of different sizes; members agree in many pixels."""
    random = np.random.default_rng(0)
    maps, labels = [], []
    for size in ((4, 5), (6, 3), (1, 1), (8, 8), (5, 5)):
        first = random.integers(0, 256, (*size, classes)).astype(np.uint8)
        others = [
            np.where(random.random(first.shape) < 0.5, first, random.integers(0, 256, first.shape)).astype(np.uint8)
            for _ in range(2)
        ]
        maps.append([first, *others])
        truth = random.integers(0, label_count(classes, activation), size).astype(np.uint8)
        truth[random.random(size) < 0.2] = IGNORE
        labels.append(truth)
    labels[1][:] = 0  # an image without foreground
    return maps, labels


def scored(
    metric: Metric, blender: Blender, maps: list, labels: list, recipes: Sequence[Recipe] = [IDENTITY] * 4
) -> dict[MemberWeights, tuple[float, ...]]:
    scores = CandidateScores(metric, blender, recipes, CANDIDATES)
    for fold, images, truth in zip(FOLDS, maps, labels, strict=True):
        scores.add(int(fold), images, truth, None)
    return scores.finish()


def expected(
    metric: Metric, blender: Blender, weights: MemberWeights, images: list, labels: list, *, recipe: Recipe = IDENTITY
) -> float:
    """The score of the blend as it is stored."""
    scorer = Scorer([metric], blender.activation, recipe)
    for maps, truth in zip(images, labels, strict=True):
        scorer.add(quantise(blender.blend(dict(enumerate(maps)), weights, "uint8")), truth)
    return scorer.scores()[metric.label]


@pytest.mark.parametrize(
    ("name", "classes", "activation"),
    [
        ("salt_map", 1, "sigmoid"),
        ("global_dice", 1, "sigmoid"),
        ("dice", 3, "sigmoid"),
        ("instance_map", 1, "sigmoid"),
        ("miou", 3, "softmax"),
    ],
)
@pytest.mark.parametrize("mean", MEANS)
def test_candidates_score_what_their_blends_score_as_stored(
    mean: Mean, name: str, classes: int, activation: Activation
) -> None:
    maps, labels = material(classes, activation)
    metric, blender = build_metric(MetricSpec(name), classes, activation), Blender(mean, activation)
    found = scored(metric, blender, maps, labels)
    assert list(found) == CANDIDATES
    for weights in CANDIDATES:
        for score, seen in zip(found[weights], searched_folds(3), strict=True):
            chosen = np.flatnonzero(seen[FOLDS])
            parts = ([maps[index] for index in chosen], [labels[index] for index in chosen])
            assert score == pytest.approx(expected(metric, blender, weights, *parts), nan_ok=True)


def test_each_search_has_its_recipe() -> None:
    maps, labels = material(1)
    metric, blender = build_metric(MetricSpec("dice"), 1, "sigmoid"), Blender()
    recipes = [Recipe((ClassRecipe(threshold),)) for threshold in (0.2, 0.3, 0.3, 0.8)]
    found = scored(metric, blender, maps, labels, recipes)[2, 1, 4]
    for score, recipe, seen in zip(found, recipes, searched_folds(3), strict=True):
        chosen = np.flatnonzero(seen[FOLDS])
        parts = ([maps[index] for index in chosen], [labels[index] for index in chosen])
        assert score == pytest.approx(expected(metric, blender, (2, 1, 4), *parts, recipe=recipe))


def test_searches_look_at_all_folds_and_at_all_but_each_one() -> None:
    assert [seen.tolist() for seen in searched_folds(2)] == [[True, True], [False, True], [True, False]]


def test_a_benchmark_class_alone_decides() -> None:
    maps, labels = material(2)
    benchmark, _ = build_metrics([MetricSpec("dice")], 2, "sigmoid", rules=ScoringRules(benchmark=1))
    found = scored(benchmark, Blender(), maps, labels)[1, 1, 0]
    assert found[0] == pytest.approx(expected(benchmark, Blender(), (1, 1, 0), maps, labels))


@pytest.mark.parametrize("mean", MEANS)
def test_only_the_ratio_of_weights_matters(mean: Mean) -> None:
    maps, _ = material(2)
    first, second = (levels_of_blend(Blender(mean), maps[0], weights) for weights in ((2, 1, 4), (4, 2, 8)))
    assert np.array_equal(first, second)
