import numpy as np
import pytest

from toolkit.core.ensembling import candidate_scores as weighing
from toolkit.core.ensembling.candidate_scores import (
    UNTUNED,
    AreaWeighing,
    JudgedWeighing,
    MemberWeights,
    predicted,
    weigh,
)
from toolkit.core.ensembling.means import MEANS, Blender, Mean, count_levels
from toolkit.core.masks.labels import IGNORE, Activation, label_count
from toolkit.core.metrics.metric import Metric, case_of
from toolkit.core.metrics.registry import MetricSpec, build_metric, build_metrics
from toolkit.core.metrics.scorer import Scorer
from toolkit.core.recipe.probabilities import quantise

FOLDS = np.array([0, 1, 2, 0, 1])
CANDIDATES: list[MemberWeights] = [(1, 0, 0), (1, 1, 0), (2, 1, 4)]
EVERY = np.ones(3, np.bool_)


def material(
    classes: int, activation: Activation = "sigmoid", ignored: bool = False
) -> tuple[list[list[np.ndarray]], list[np.ndarray]]:
    """Maps of three members and labels of five images of different sizes; members agree in many pixels.

    Independent classes share pixels.
    """
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
        if ignored:
            truth[random.random(size) < 0.2] = IGNORE
        labels.append(truth)
    labels[1][:] = 0  # an image without foreground
    return maps, labels


def blender_of(mean: Mean, maps: list[list[np.ndarray]], activation: Activation = "sigmoid") -> Blender:
    counts = np.stack([sum(count_levels(image[member]) for image in maps) for member in range(3)])
    return Blender(mean, activation, counts)


def weighed(metric: Metric, blender: Blender, maps: list, labels: list) -> dict:
    found = weigh(metric, blender, 3, CANDIDATES)
    for fold, images, truth in zip(FOLDS, maps, labels, strict=True):
        found.add(int(fold), images, truth, None)
    return found.finish()


def brute_force(metric: Metric, blender: Blender, weights: MemberWeights, maps: list, labels: list) -> np.ndarray:
    """The score at each threshold, the same one for every class, over all images: (255,)."""
    blended = [quantise(blender.blend(dict(enumerate(images)), weights, "uint8")) for images in maps]
    scores = []
    for position in range(255):
        cases = [
            case_of(levels / 255 > (position + 0.5) / 255, truth, "sigmoid")
            for levels, truth in zip(blended, labels, strict=True)
        ]
        scores.append(metric.score(np.stack([metric.measure(case) for case in cases])))
    return np.array(scores)


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("name", ["salt_map", "dice", "global_dice", "pixel_accuracy"])
def test_every_threshold_is_scored_as_it_would_be_alone(mean: Mean, name: str) -> None:
    maps, labels = material(1, ignored=True)
    metric, blender = build_metric(MetricSpec(name), 1, "sigmoid"), blender_of(mean, maps)
    found = weighed(metric, blender, maps, labels)
    assert list(found) == CANDIDATES
    for weights in CANDIDATES:
        expected = brute_force(metric, blender, weights, maps, labels)
        best = found[weights].best(EVERY)
        assert best.score == pytest.approx(np.nanmax(expected))
        assert best.thresholds is not None
        assert expected[best.thresholds[0]] == pytest.approx(best.score)
        assert found[weights].untuned() == pytest.approx(expected[UNTUNED])
        equal = np.flatnonzero(expected >= np.nanmax(expected) - 1e-12)
        assert abs(best.thresholds[0] - UNTUNED) == np.abs(equal - UNTUNED).min()


@pytest.mark.parametrize("spec", [MetricSpec("dice"), MetricSpec("miou"), MetricSpec("iou", (("empty", "skip"),))])
@pytest.mark.parametrize("classes", [2, 3, 9])
def test_each_class_has_its_own_threshold(spec: MetricSpec, classes: int) -> None:
    maps, labels = material(classes)
    metric, blender = build_metric(spec, classes, "sigmoid"), blender_of("probability", maps)
    found = weighed(metric, blender, maps, labels)[2, 1, 4]
    best = found.best(EVERY)
    assert best.thresholds is not None
    statistics = [
        metric.measure(case_of(predicted(blender, images, (2, 1, 4), best.thresholds), truth, "sigmoid"))
        for images, truth in zip(maps, labels, strict=True)
    ]
    assert metric.score(np.stack(statistics)) == pytest.approx(best.score)
    assert best.score >= np.nanmax(brute_force(metric, blender, (2, 1, 4), maps, labels)) - 1e-12


def test_a_benchmark_class_alone_decides() -> None:
    maps, labels = material(2)
    benchmark, _ = build_metrics([MetricSpec("dice")], 2, "sigmoid", benchmark=1)
    blender = blender_of("probability", maps)
    found = weighed(benchmark, blender, maps, labels)[1, 1, 0].best(EVERY)
    assert found.score == pytest.approx(brute_force(benchmark, blender, (1, 1, 0), maps, labels).max())


def test_folds_are_chosen_by_their_images_only() -> None:
    maps, labels = material(1)
    metric, blender = build_metric(MetricSpec("dice"), 1, "sigmoid"), blender_of("probability", maps)
    found = weighed(metric, blender, maps, labels)[1, 1, 0]
    part = [0, 3]  # the images of fold 0
    expected = brute_force(metric, blender, (1, 1, 0), [maps[i] for i in part], [labels[i] for i in part])
    assert found.best(np.array([True, False, False])).score == pytest.approx(expected.max())


@pytest.mark.parametrize("pixels", [1, 30])
@pytest.mark.parametrize("name", ["salt_map", "global_dice"])
def test_how_many_images_are_taken_at_once_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, pixels: int, name: str
) -> None:
    maps, labels = material(1)
    metric, blender = build_metric(MetricSpec(name), 1, "sigmoid"), blender_of("logit", maps)
    expected = {weights: one.best(EVERY) for weights, one in weighed(metric, blender, maps, labels).items()}
    monkeypatch.setattr(weighing, "_PIXELS_AT_ONCE", pixels)
    found = {weights: one.best(EVERY) for weights, one in weighed(metric, blender, maps, labels).items()}
    for weights, choice in expected.items():
        assert found[weights].score == pytest.approx(choice.score)
        assert found[weights].thresholds == choice.thresholds


@pytest.mark.parametrize(("name", "classes", "activation"), [("instance_map", 1, "sigmoid"), ("miou", 3, "softmax")])
@pytest.mark.parametrize("mean", MEANS)
def test_other_metrics_are_judged_at_the_untuned_recipe(
    mean: Mean, name: str, classes: int, activation: Activation
) -> None:
    maps, labels = material(classes, activation)
    metric = build_metric(MetricSpec(name), classes, activation)
    blender = blender_of(mean, maps, activation)
    found = weighed(metric, blender, maps, labels)
    for weights in CANDIDATES:
        judge = Scorer([metric], activation)
        for images, truth in zip(maps, labels, strict=True):
            judge.add(quantise(blender.blend(dict(enumerate(images)), weights, "uint8")), truth)
        choice = found[weights].best(EVERY)
        assert choice.thresholds is None
        assert choice.score == found[weights].untuned() == pytest.approx(judge.scores()[metric.label], nan_ok=True)
        assert np.array_equal(
            predicted(blender, maps[0], weights, None),
            predicted(blender, maps[0], [weight / 7 for weight in weights], None),
        )


def test_the_way_of_judging_follows_metric_and_classes() -> None:
    dice, instances = (build_metric(MetricSpec(name), 1, "sigmoid") for name in ("dice", "instance_map"))
    assert isinstance(weigh(dice, Blender(), 2, CANDIDATES), AreaWeighing)
    assert isinstance(weigh(dice, Blender(activation="softmax"), 2, CANDIDATES), JudgedWeighing)
    assert isinstance(weigh(instances, Blender(), 2, CANDIDATES), JudgedWeighing)
