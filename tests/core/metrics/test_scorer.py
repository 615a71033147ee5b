import numpy as np
import pytest

from toolkit.core.metrics.registry import ALWAYS_RECORDED, MetricSpec, ScoringRules, build_metrics
from toolkit.core.metrics.scorer import Scorer, recorded_scores
from toolkit.core.recipe.recipe import ClassRecipe, Emptiness, Recipe, Watershed

SPECS = [MetricSpec("dice"), MetricSpec("miou"), MetricSpec("instance_map")]


def images(count: int, classes: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Stored maps and label maps."""
    random = np.random.default_rng(seed)
    sizes = random.integers(5, 9, (count, 2)).tolist()
    return [
        (random.integers(0, 256, (*size, classes)).astype(np.uint8), random.integers(0, classes, size, np.uint8))
        for size in sizes
    ]


def scorer_of(some: list[tuple[np.ndarray, np.ndarray]]) -> Scorer:
    scorer = Scorer(build_metrics(SPECS, 3, "softmax"), "softmax")
    for stored, labels in some:
        scorer.add(stored, labels)
    return scorer


def test_scores_are_named_by_label_with_the_primary_metric_first() -> None:
    scores = scorer_of(images(4, 3)).scores()
    assert list(scores) == ["dice", "miou", "instance_map"]
    assert all(0 <= score <= 1 for score in scores.values())
    assert len(set(scores.values())) == 3


def test_a_subset_of_scored_images_equals_scoring_the_subset() -> None:
    some = images(9, 3)
    whole = scorer_of(some).scored()
    part = whole.of(np.array([7, 2, 4]))
    alone = scorer_of([some[7], some[2], some[4]]).scored()
    assert part.scores() == alone.scores() != whole.scores()
    for label, values in alone.per_image().items():
        assert part.per_image()[label].tolist() == values.tolist()
        assert whole.per_image()[label][[7, 2, 4]].tolist() == values.tolist()
        assert np.array_equal(part.per_class()[label], alone.per_class()[label], equal_nan=True)


def test_an_epoch_records_every_metric_of_every_class_under_its_name() -> None:
    names, specs = ("sky", "road", "car"), (*SPECS, *ALWAYS_RECORDED, MetricSpec("mine"))
    rules, plugins = ScoringRules(benchmark=1), {"mine": lambda *_: 0.25}
    scorer = Scorer(build_metrics(specs, 3, "softmax", names=names, rules=rules, plugins=plugins), "softmax")
    for stored, labels in images(4, 3):
        scorer.add(stored, labels)
    scored = scorer.scored()
    found = recorded_scores(scored.metrics, scored.statistics, names)
    labels = ["dice", "miou", "instance_map", "global_precision", "global_recall"]
    assert list(found)[:7] == ["dice[road]", *labels, "mine"]
    assert set(found) == {*list(found)[:7], *(f"{label}[{name}]" for label in labels for name in names)}
    assert {label: found[label] for label in scored.scores()} == scored.scores()
    for metric in scored.metrics[1:-1]:
        for index, name in enumerate(names):
            alone = metric.for_class(index, name)
            assert found[alone.label] == alone.score(scored.statistics[list(scored.metrics).index(metric)])


def test_of_a_single_class_each_metric_is_recorded_once() -> None:
    scorer = Scorer(build_metrics([MetricSpec("dice"), *ALWAYS_RECORDED], 1, "sigmoid"), "sigmoid")
    scorer.add(np.full((2, 2, 1), 255, np.uint8), np.array([[1, 0], [0, 0]], np.uint8))
    scored = scorer.scored()
    found = recorded_scores(scored.metrics, scored.statistics, ["salt"])
    assert found == {"dice": 0.4, "miou": 0.25, "global_precision": 0.25, "global_recall": 1}


def test_masks_are_made_by_the_recipe() -> None:
    stored = np.array([[[100], [200], [0]]], np.uint8)
    labels = np.array([[1, 1, 0]], np.uint8)
    metrics = build_metrics([MetricSpec("dice")], 1, "sigmoid")
    found = []
    for rule in (ClassRecipe(), ClassRecipe(0.3), ClassRecipe(0.3, minimum_area=3)):
        scorer = Scorer(metrics, "sigmoid", Recipe((rule,)))
        scorer.add(stored, labels)
        found.append(scorer.scores()["dice"])
    assert found == [2 / 3, 1, 0]


def test_it_knows_whether_metrics_need_objects() -> None:
    assert scorer_of([]).needs_objects
    assert not Scorer(build_metrics([MetricSpec("dice"), MetricSpec("miou")], 1, "sigmoid"), "sigmoid").needs_objects


def test_objects_reach_the_metrics() -> None:
    mask = np.full((4, 8, 1), 255, np.uint8)
    objects = np.repeat([[1, 1, 1, 1, 2, 2, 2, 2]], 4, axis=0).astype(np.int32)
    scores = []
    for known in (None, objects):
        scorer = Scorer(build_metrics([MetricSpec("instance_map")], 1, "sigmoid"), "sigmoid")
        scorer.add(mask, np.ones((4, 8), np.uint8), known)
        scores.append(scorer.scores()["instance_map"])
    assert scores == [1, 0]


def test_objects_are_split_by_the_recipe() -> None:
    left, right = np.zeros((2, 20, 40), np.bool_)
    left[2:18, 2:18] = right[4:16, 20:38] = True
    right[9:11, 18:20] = True
    stored = np.where(left | right, 255, 0).astype(np.uint8)[..., None]
    objects = (left + 2 * right).astype(np.int32)
    labels = (left | right).astype(np.uint8)
    ignored = labels.copy()
    ignored[:, 19] = 255
    for split, expected in ((None, 0), (Watershed(4), 1)):
        for truth in (labels, ignored):
            scorer = Scorer(build_metrics([MetricSpec("instance_map")], 1, "sigmoid"), "sigmoid", Recipe(split=split))
            scorer.add(stored, truth, objects)
            score = scorer.scores()["instance_map"]
            assert score == pytest.approx(expected, abs=0.1) if split else score < 0.5


def test_the_recipe_gets_steps_from_plugins_and_the_presence_head() -> None:
    metrics = build_metrics([MetricSpec("dice")], 1, "sigmoid")
    rule = ClassRecipe(emptiness=Emptiness("head", 0.5), steps=("all",))
    scorer = Scorer(metrics, "sigmoid", Recipe((rule,)), {"all": lambda mask, probability: np.ones_like(mask)})
    for presence in (0.4, 0.6):
        scorer.add(np.zeros((2, 3, 1), np.uint8), np.ones((2, 3), np.uint8), presence=np.array([presence], np.float32))
    assert scorer.scored().per_image()["dice"].tolist() == [0, 1]


def test_duplicate_metrics_are_computed_once() -> None:
    metrics = build_metrics([MetricSpec("dice")], 1, "sigmoid")
    scorer = Scorer([*metrics, *metrics], "sigmoid")
    scorer.add(np.zeros((2, 2, 1), np.uint8), np.zeros((2, 2), np.uint8))
    assert len(scorer.scored().metrics) == len(scorer.scored().statistics) == 1


def test_scores_without_images_are_an_error() -> None:
    with pytest.raises(ValueError, match="no image was added"):
        scorer_of([]).scores()


def test_wrong_pixels_count_once_and_ignored_pixels_never() -> None:
    scorer = Scorer(build_metrics([MetricSpec("dice")], 3, "softmax"), "softmax")
    best = np.eye(3, dtype=np.uint8)
    for predicted, true in (([0, 1, 2], [0, 1, 255]), ([0, 1, 2], [1, 1, 255]), ([2, 2, 2], [0, 1, 0])):
        case = scorer.add(255 * best[[predicted]], np.array([true], np.uint8))
        assert case.wrong == scorer.scored().wrong[-1]
    assert scorer.scored().wrong.tolist() == [0, 1, 3]
    assert scorer.scored().of(np.array([2, 0])).wrong.tolist() == [3, 0]
