"""Covers toolkit/core/metrics/registry.py and metric.py."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from toolkit.config.data.data import SourceKeys
from toolkit.core.masks.labels import BINARY, IGNORE, Activation, label_count, planes
from toolkit.core.masks.rle import decode
from toolkit.core.metrics.metric import AREAS, Metric, case_of, mean
from toolkit.core.metrics.registry import METRICS, NO_RULES, MetricSpec, ScoringRules, build_metric, build_metrics
from toolkit.core.metrics.scorer import Scorer
from toolkit.errors import ConfigError
from toolkit.files.data.finding import find_source

NAMES = sorted(METRICS)
PER_IMAGE = ["dice", "iou", "precision", "recall", "fbeta", "salt_map", "instance_map", "airbus_f2"]
POOLED = ["global_dice", "global_precision", "global_recall", "miou", "pixel_accuracy"]
ACTIVATIONS = pytest.mark.parametrize("activation", ["sigmoid", "softmax"])


def random_cases(
    count: int, classes: int, activation: Activation, seed: int, size: tuple[int, int] = (7, 9)
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Predictions and label maps with ignored pixels, some without foreground."""
    random = np.random.default_rng(seed)
    values = label_count(classes, activation)
    found = []
    for _ in range(count):
        labels = random.integers(0, values, size) * (random.random() < 0.8)
        guess = np.where(random.random(size) < 0.6, labels, random.integers(0, values, size))
        guess = guess * (random.random() < 0.9)
        prediction = planes(guess.astype(np.uint8), classes, activation) == 1
        labels[random.random(size) < random.choice([0, 0.2])] = IGNORE
        found.append((prediction, labels.astype(np.uint8)))
    return found


def statistics_of(metric: Metric, cases: list[tuple[np.ndarray, np.ndarray]], activation: Activation) -> np.ndarray:
    return np.stack([metric.measure(case_of(prediction, labels, activation)) for prediction, labels in cases])


def build(name: str, classes: int = 1, activation: Activation = "sigmoid", **arguments: object) -> Metric:
    return build_metric(MetricSpec(name, tuple(arguments.items())), classes, activation)


@pytest.mark.parametrize("name", METRICS)
def test_classes_that_are_not_submitted_do_not_count(name: str) -> None:
    random = np.random.default_rng(3)
    prediction, truth = random.integers(0, 4, (2, 12, 9)), random.integers(0, 4, (2, 12, 9)).astype(np.uint8)
    rules = ScoringRules(submitted=(2, 1, 3))
    (metric,) = build_metrics([MetricSpec(name)], 4, "softmax", rules=rules)
    (alone,) = build_metrics([MetricSpec(name)], 3, "sigmoid")
    planes = [one[..., None] == np.arange(4) for one in prediction]
    found = [metric.measure(case_of(one, labels, "softmax")) for one, labels in zip(planes, truth, strict=True)]
    bits = [np.where(labels > 0, 1 << (np.maximum(labels, 1) - 1), 0).astype(np.uint8) for labels in truth]
    other = [alone.measure(case_of(one[..., 1:], labels, "sigmoid")) for one, labels in zip(planes, bits, strict=True)]
    assert metric.label == name
    assert metric.score(np.stack(found)) == pytest.approx(alone.score(np.stack(other)), abs=1e-12)
    assert metric.per_image(np.stack(found)) == pytest.approx(alone.per_image(np.stack(other)), abs=1e-12)
    draws = np.array([[2.0, 1.0], [0.0, 3.0]])
    assert metric.of_draws(np.stack(found), draws) == pytest.approx(alone.of_draws(np.stack(other), draws), abs=1e-12)


def test_names_and_directions() -> None:
    assert set(NAMES) == {*PER_IMAGE, *POOLED, "dice_hausdorff"}
    for name in NAMES:
        assert build(name).label == name
        assert build(name).direction == "max"
        assert build(name).needs_objects == (name in ("instance_map", "airbus_f2"))


@ACTIVATIONS
@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_images_does_not_matter_at_all(name: str, activation: Activation) -> None:
    metric = build(name, 3, activation)
    statistics = statistics_of(metric, random_cases(40, 3, activation, 0), activation)
    order = np.random.default_rng(1).permutation(40)
    assert metric.score(statistics[order]) == metric.score(statistics)
    assert metric.per_class(statistics[order]).tolist() == metric.per_class(statistics).tolist()
    assert metric.per_image(statistics[order]).tolist() == metric.per_image(statistics)[order].tolist()


@pytest.mark.parametrize("name", PER_IMAGE)
def test_the_whole_is_the_mean_of_folds_weighted_by_their_images(name: str) -> None:
    metric = build(name)
    statistics = statistics_of(metric, random_cases(30, 1, "sigmoid", 2), "sigmoid")
    first, second = metric.score(statistics[:8]), metric.score(statistics[8:])
    assert first != second
    assert metric.score(statistics) == pytest.approx((8 * first + 22 * second) / 30, abs=1e-12)
    assert metric.score(statistics) == pytest.approx(metric.per_image(statistics).mean(), abs=1e-12)


@pytest.mark.parametrize("name", POOLED)
def test_a_pooled_metric_scores_all_images_as_one_large_image(name: str) -> None:
    for classes, activation in ((1, "sigmoid"), (3, "sigmoid"), (3, "softmax")):
        cases = random_cases(20, classes, activation, 3)
        metric = build(name, classes, activation)
        large = [(np.concatenate(parts)) for parts in zip(*cases, strict=True)]
        whole = metric.measure(case_of(large[0], large[1], activation))[None]
        statistics = statistics_of(metric, cases, activation)
        assert metric.score(statistics) == metric.score(whole) == pytest.approx(metric.per_image(whole)[0], abs=1e-12)
        assert metric.score(statistics) != pytest.approx(np.nanmean(metric.per_image(statistics)), abs=1e-6)


@ACTIVATIONS
@pytest.mark.parametrize("name", [name for name in NAMES if name != "dice_hausdorff"])  # relative to the image's size
def test_ignored_pixels_count_nowhere(name: str, activation: Activation) -> None:
    metric = build(name, 3, activation)
    random = np.random.default_rng(4)
    ignored = np.full((3, 9), IGNORE, np.uint8)
    noise = random.random((3, 9, 3)) < 0.5
    plain = random_cases(10, 3, activation, 5)
    # A row of background between them: objects of the noise must not connect to those that count.
    gap, off = np.full((1, 9), IGNORE, np.uint8), np.zeros((1, 9, 3), np.bool_)
    longer = [
        (np.concatenate([prediction, off, noise]), np.concatenate([labels, gap, ignored]))
        for prediction, labels in plain
    ]
    expected, found = (metric.score(statistics_of(metric, cases, activation)) for cases in (plain, longer))
    assert found == expected


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dice_hausdorff"])  # which unites classes
def test_a_class_scores_the_same_alone_and_among_others(name: str) -> None:
    cases = random_cases(20, 3, "sigmoid", 6)
    metric = build(name, 3)
    statistics = statistics_of(metric, cases, "sigmoid")
    for index in range(3):
        alone = [
            (prediction[..., index : index + 1], planes(labels, 3, "sigmoid")[..., index])
            for prediction, labels in cases
        ]
        single = build(name)
        expected = single.score(statistics_of(single, alone, "sigmoid"))
        assert metric.per_class(statistics)[index] == expected
        assert metric.for_class(index).score(statistics) == expected
        assert metric.for_class(index).label == f"{name}[{index}]"
    if name != "pixel_accuracy":
        assert metric.score(statistics) == pytest.approx(metric.per_class(statistics).mean(), abs=1e-12)


def test_unknown_classes_are_rejected() -> None:
    for index in (-1, 3):
        with pytest.raises(ValueError, match="choose from 0 to 2"):
            build("dice", 3).for_class(index)


def test_dice_of_pairs_by_hand() -> None:
    """Two images of two classes: four pairs, one of them empty on both sides."""
    labels = np.array([[[1, 1, 2, 0]], [[1, 0, 0, 0]]], np.uint8)
    guess = np.array([[[1, 2, 2, 0]], [[1, 1, 0, 0]]], np.uint8)
    cases = [(planes(one, 2, "sigmoid") == 1, truth) for one, truth in zip(guess, labels, strict=True)]
    metric = build("dice", 2)
    statistics = statistics_of(metric, cases, "sigmoid")
    assert metric.score(statistics) == pytest.approx((2 / 3 + 2 / 3 + 2 / 3 + 1) / 4)
    assert metric.per_image(statistics) == pytest.approx([2 / 3, 5 / 6])
    assert metric.per_class(statistics) == pytest.approx([2 / 3, 5 / 6])
    skipping = build("dice", 2, empty="skip")
    assert skipping.score(statistics) == pytest.approx(2 / 3)
    assert skipping.per_image(statistics) == pytest.approx([2 / 3, 2 / 3])
    zero = build("dice", 2, empty="zero")
    assert zero.per_class(statistics) == pytest.approx([2 / 3, 1 / 3])


def test_pooled_metrics_by_hand() -> None:
    labels = np.array([[[0, 0, 1, IGNORE]], [[1, 1, 1, 1]]], np.uint8)
    guess = np.array([[[0, 1, 1, 1]], [[1, 1, 1, 0]]], np.uint8)
    cases = [(planes(one, 3, "softmax") == 1, truth) for one, truth in zip(guess, labels, strict=True)]
    miou = build("miou", 3, "softmax")
    statistics = statistics_of(miou, cases, "softmax")
    assert miou.per_class(statistics)[:2] == pytest.approx([1 / 3, 4 / 6])
    assert math.isnan(miou.per_class(statistics)[2])  # absent from both: left out
    assert miou.score(statistics) == pytest.approx((1 / 3 + 4 / 6) / 2)
    zero, one = build("miou", 3, "softmax", empty="zero"), build("miou", 3, "softmax", empty="one")
    assert zero.score(statistics) == pytest.approx((1 / 3 + 4 / 6) / 3)
    assert one.score(statistics) == pytest.approx((1 / 3 + 4 / 6 + 1) / 3)
    precision, recall = build("global_precision", 3, "softmax"), build("global_recall", 3, "softmax")
    assert precision.per_class(statistics)[:2] == pytest.approx([1 / 2, 4 / 5])
    assert recall.per_class(statistics)[:2] == pytest.approx([1 / 2, 4 / 5])
    assert math.isnan(precision.per_class(statistics)[2])
    dice = build("global_dice", 3, "softmax")
    assert dice.for_class(1).score(statistics) == pytest.approx(2 * 4 / (5 + 5))
    accuracy = build("pixel_accuracy", 3, "softmax")
    assert accuracy.score(statistics) == pytest.approx(5 / 7)
    assert accuracy.per_image(statistics) == pytest.approx([2 / 3, 3 / 4])
    assert accuracy.per_class(statistics)[:2] == pytest.approx([5 / 7, 5 / 7])
    assert math.isnan(accuracy.per_class(statistics)[2])


def test_a_class_that_is_never_predicted_has_no_precision_left_out() -> None:
    """As in the classification report: 0, so that predicting nothing never pays."""
    nothing, labels = np.zeros((2, 3, 1), np.bool_), np.array([[0, 0, 1], [0, 0, 0]], np.uint8)
    precision, recall = build("global_precision"), build("global_recall")
    statistics = precision.measure(case_of(nothing, labels, "sigmoid"))[None]
    assert precision.score(statistics) == 0
    everything = recall.measure(case_of(~nothing, np.zeros_like(labels), "sigmoid"))[None]
    assert recall.score(everything) == 0
    assert math.isnan(recall.score(recall.measure(case_of(nothing, np.zeros_like(labels), "sigmoid"))[None]))


def test_accuracy_of_independent_classes_counts_each_pixel_for_each_class() -> None:
    labels = np.array([[1, 2, 0]], np.uint8)
    prediction = np.array([[[True, True], [False, True], [False, False]]])
    metric = build("pixel_accuracy", 2)
    statistics = metric.measure(case_of(prediction, labels, "sigmoid"))[None]
    assert metric.score(statistics) == pytest.approx(5 / 6)
    assert metric.per_class(statistics) == pytest.approx([1, 2 / 3])
    all_ignored = metric.measure(case_of(prediction, np.full((1, 3), IGNORE, np.uint8), "sigmoid"))[None]
    assert math.isnan(metric.score(all_ignored))
    assert build("pixel_accuracy", 2, empty="one").score(all_ignored) == 1


def test_statistics_contain_the_areas_of_every_class() -> None:
    """True positives, false positives, false negatives and true negatives of each class add up to all pixels."""
    cases = random_cases(15, 3, "softmax", 7)
    statistics = statistics_of(build("dice", 3, "softmax"), cases, "softmax")
    areas = statistics.reshape(15, 3, AREAS).sum(axis=0)
    for index, (hits, predicted, truth, pixels) in enumerate(areas):
        ours, true, valid = (
            np.concatenate([part.ravel() for part in parts])
            for parts in zip(*((p[..., index], y == index, y != IGNORE) for p, y in cases), strict=True)
        )
        assert hits == (ours & true).sum()
        assert predicted - hits == (ours & ~true & valid).sum()
        assert truth - hits == (~ours & true).sum()
        assert pixels - predicted - truth + hits == (~ours & ~true & valid).sum()


def test_pooling_a_batch_is_not_the_mean_of_its_images() -> None:
    """A perfect full mask, and one false pixel in an empty image."""
    full, empty = np.ones((8, 8), np.uint8), np.zeros((8, 8), np.uint8)
    false = np.zeros((8, 8, 1), np.bool_)
    false[3, 3] = True
    cases = [(np.ones((8, 8, 1), np.bool_), full), (false, empty)]
    assert build("iou").score(statistics_of(build("iou"), cases, "sigmoid")) == 0.5
    assert build("miou").score(statistics_of(build("miou"), cases, "sigmoid")) == 64 / 65


def test_the_score_of_only_skipped_images_is_nan() -> None:
    metric = build("dice", empty="skip")
    nothing = (np.zeros((2, 2, 1), np.bool_), np.zeros((2, 2), np.uint8))
    right = (np.ones((2, 2, 1), np.bool_), np.ones((2, 2), np.uint8))
    assert math.isnan(metric.score(statistics_of(metric, [nothing], "sigmoid")))
    assert metric.score(statistics_of(metric, [nothing, right, nothing], "sigmoid")) == 1
    assert not metric.is_better(math.nan, 0.1)
    assert metric.is_better(0.1, math.nan)
    assert not metric.is_better(math.nan, math.nan)
    assert metric.is_better(0.2, 0.1)


def test_the_mean_is_exact_and_skips_nan() -> None:
    assert mean(np.array([1e16, 1.0, -1e16, np.nan])) == 1 / 3
    assert math.isnan(mean(np.array([np.nan])))
    assert math.isnan(mean(np.array([])))


@pytest.mark.parametrize(("prediction", "labels"), [((3, 4, 1), (4, 3)), ((3, 4, 1), (3, 5))])
def test_different_sizes_are_rejected(prediction: tuple[int, ...], labels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"prediction \(3, 4\) and truth \(., .\) differ in size"):
        case_of(np.zeros(prediction, np.bool_), np.zeros(labels, np.uint8), "sigmoid")
    with pytest.raises(ValueError, match=r"objects \(2, 2\) and truth"):
        case_of(np.zeros((3, 4, 1), np.bool_), np.zeros((3, 4), np.uint8), "sigmoid", np.zeros((2, 2), np.int32))


class TestPluginMetrics:
    @staticmethod
    def errors(prediction: np.ndarray, truth: np.ndarray, valid: np.ndarray, weight: float = 1) -> float:
        return weight * float((prediction != truth).any(axis=-1)[valid].mean())

    def test_it_is_called_with_each_image_and_averaged(self) -> None:
        cases = random_cases(10, 2, "sigmoid", 8)
        metric = build_metric(MetricSpec("errors"), 2, "sigmoid", {"errors": self.errors})
        statistics = statistics_of(metric, cases, "sigmoid")
        expected = [
            ((planes(labels, 2, "sigmoid") != prediction).any(axis=-1)[labels != IGNORE]).mean()
            for prediction, labels in cases
        ]
        assert metric.per_image(statistics) == pytest.approx(expected)
        assert metric.score(statistics) == pytest.approx(np.mean(expected))
        assert np.isnan(metric.per_class(statistics)).all()

    def test_of_a_map_the_mean_without_ignored_pixels_is_taken(self) -> None:
        cases = random_cases(5, 2, "sigmoid", 8)
        plugins = {
            "errors": self.errors,
            "map": lambda prediction, truth, _: (prediction != truth).any(axis=-1),
            "maps": lambda prediction, truth, _: prediction != truth,
        }
        errors, one, several = (build_metric(MetricSpec(name), 2, "sigmoid", plugins) for name in plugins)
        expected = errors.per_image(statistics_of(errors, cases, "sigmoid"))
        assert one.per_image(statistics_of(one, cases, "sigmoid")) == pytest.approx(expected)
        apart = [(planes(labels, 2, "sigmoid") != prediction)[labels != IGNORE].mean() for prediction, labels in cases]
        assert several.per_image(statistics_of(several, cases, "sigmoid")) == pytest.approx(apart)

    def test_its_arguments_are_passed(self) -> None:
        spec = MetricSpec("errors", (("weight", 3),))
        cases = random_cases(5, 1, "sigmoid", 8)
        plugins = {"errors": self.errors}
        plain, tripled = (build_metric(each, 1, "sigmoid", plugins) for each in (MetricSpec("errors"), spec))
        assert tripled.label == "errors(weight=3)"
        found = [metric.score(statistics_of(metric, cases, "sigmoid")) for metric in (plain, tripled)]
        assert found[1] == pytest.approx(3 * found[0])
        assert found[0] > 0

    def test_restricted_to_a_class_it_gets_only_that_plane(self) -> None:
        seen = []

        def remember(prediction: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> float:
            seen.append((prediction, truth, valid))
            return 0.0

        metric = build_metric(MetricSpec("remember"), 3, "sigmoid", {"remember": remember}).for_class(1)
        (prediction, labels), *_ = random_cases(1, 3, "sigmoid", 9)
        metric.measure(case_of(prediction, labels, "sigmoid"))
        assert np.array_equal(seen[0][0], (prediction & (labels != IGNORE)[..., None])[..., 1:2])
        assert np.array_equal(seen[0][1], planes(labels, 3, "sigmoid")[..., 1:2] == 1)
        assert np.array_equal(seen[0][2], labels != IGNORE)

    def test_smaller_can_be_better(self) -> None:
        def distance(prediction: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> float:
            return 0.0

        distance.direction = "min"  # type: ignore[attr-defined]
        metric = build_metric(MetricSpec("distance"), 1, "sigmoid", {"distance": distance})
        assert metric.direction == "min"
        assert metric.is_better(0.1, 0.2)
        assert not metric.is_better(math.nan, 0.2)
        assert metric.is_better(0.2, math.nan)
        distance.direction = "down"  # type: ignore[attr-defined]
        with pytest.raises(ConfigError, match="metric distance: 'down' is not valid; choose from max, min"):
            build_metric(MetricSpec("distance"), 1, "sigmoid", {"distance": distance})

    @pytest.mark.parametrize("value", ["a", None, [1, 2], math.inf])
    def test_results_that_are_not_numbers_are_rejected(self, value: object) -> None:
        metric = build_metric(MetricSpec("mine"), 1, "sigmoid", {"mine": lambda *_: value})
        with pytest.raises(ConfigError, match="the metric mine must return a"):
            metric.measure(case_of(*random_cases(1, 1, "sigmoid", 0)[0], "sigmoid"))

    def test_missing_and_uncallable_metrics_are_rejected(self) -> None:
        with pytest.raises(ConfigError, match="not loaded"):
            build_metric(MetricSpec("mine"), 1, "sigmoid", {})
        with pytest.raises(ConfigError, match="the metric mine is not callable: 3"):
            build_metric(MetricSpec("mine"), 1, "sigmoid", {"mine": 3})


def test_duplicates_are_built_once_and_the_primary_metric_for_its_class() -> None:
    specs = [MetricSpec("iou"), MetricSpec("dice"), MetricSpec("iou"), MetricSpec("dice")]
    assert [metric.label for metric in build_metrics(specs, 3, "softmax")] == ["iou", "dice"]
    with_benchmark = build_metrics(specs, 3, "softmax", rules=ScoringRules(benchmark=2))
    assert [metric.label for metric in with_benchmark] == ["iou[2]", "iou", "dice"]
    named = build_metrics(specs, 3, "softmax", names=("sky", "road", "car"), rules=ScoringRules(benchmark=2))
    assert [metric.label for metric in named] == ["iou[car]", "iou", "dice"]
    assert [metric.label for metric in build_metrics(specs, 1, "sigmoid", rules=ScoringRules(benchmark=0))] == [
        "iou",
        "dice",
    ]


def test_labels_have_no_commas() -> None:
    assert MetricSpec("fbeta", (("beta", 2.0), ("empty", "skip"))).label == "fbeta(beta=2; empty=skip)"
    assert MetricSpec("fbeta", (("beta", 0.5),)).label == "fbeta(beta=0.5)"
    assert "," not in MetricSpec("mine", (("sizes", (1, 2)),)).label


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["salt_map", "dice"])
def test_predicting_nothing_on_salt_scores_the_share_of_empty_masks(name: str, real_data: Path) -> None:
    with (real_data / "salt" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    scorer = Scorer([build(name)], "sigmoid")
    for row in rows:
        scorer.add(np.zeros((101, 101, 1), np.uint8), decode(row["rle_mask"], (101, 101)).astype(np.uint8))
    assert scorer.scores()[name] == sum(not row["rle_mask"] for row in rows) / len(rows)


@pytest.mark.realdata
def test_touching_nuclei_are_separate_objects(real_data: Path) -> None:
    data = find_source(
        SourceKeys(images=real_data / "nuclei" / "train" / "images", masks=real_data / "nuclei" / "train_labels.csv"),
        BINARY,
        3,
        "data",
    )
    touching = 0
    for image_id in data.images.ids[:30]:
        labels, objects = data.read_labels(image_id), data.read_objects(image_id)
        assert objects is not None
        assert np.array_equal(objects > 0, labels == 1)
        scorer = Scorer([build("instance_map")], "sigmoid")
        scorer.add((labels * np.uint8(255))[..., None], labels, objects)
        touching += scorer.scores()["instance_map"] < 1
    assert 0 < touching < 30


NEVER_SHOWN = ("dice", "iou", "salt_map", "miou", "global_dice", "pixel_accuracy", "instance_map")


@pytest.mark.parametrize("name", NEVER_SHOWN)
@pytest.mark.parametrize("guess", [False, True])
def test_a_class_that_no_image_shows_has_no_score_and_lifts_no_mean(name: str, guess: bool) -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, (3, 5, 6, 3)).astype(bool)
    guesses = random.integers(0, 2, (3, 5, 6, 3)).astype(bool)
    truth[..., 1], guesses[..., 1] = False, guess
    labels = np.packbits(truth, axis=-1, bitorder="little")[..., 0]
    three, two = build(name, 3), build(name, 2)
    statistics = np.stack([three.measure(case_of(*one, "sigmoid")) for one in zip(guesses, labels, strict=True)])
    shown = np.packbits(truth[..., [0, 2]], axis=-1, bitorder="little")[..., 0]
    without = np.stack([two.measure(case_of(*one, "sigmoid")) for one in zip(guesses[..., [0, 2]], shown, strict=True)])
    assert three.score(statistics) == pytest.approx(two.score(without))
    assert three.per_image(statistics) == pytest.approx(two.per_image(without))
    assert np.isnan(three.per_class(statistics)).tolist() == [False, True, False]
    counts = random.integers(0, 3, (5, 3)).astype(float) + 1
    assert three.of_draws(statistics, counts) == pytest.approx(two.of_draws(without, counts))


def test_where_no_class_is_shown_empty_masks_have_their_score() -> None:
    nothing = np.zeros((4, 4, 2), np.bool_)
    metric = build("dice", 2)
    empty = metric.measure(case_of(nothing, np.zeros((4, 4), np.uint8), "sigmoid"))[None]
    wrong = metric.measure(case_of(~nothing, np.zeros((4, 4), np.uint8), "sigmoid"))[None]
    assert (metric.score(empty), metric.score(wrong)) == (1, 0)


def test_a_class_counts_in_images_without_it_if_another_image_shows_it() -> None:
    labels = np.zeros((2, 4, 4), np.uint8)
    labels[0, 0, 0] = 3
    labels[1, 0, 0] = 1
    metric = build("dice", 2)
    guesses = [planes(one, 2, "sigmoid") == 1 for one in labels]
    statistics = np.stack([metric.measure(case_of(*one, "sigmoid")) for one in zip(guesses, labels, strict=True)])
    assert metric.per_image(statistics).tolist() == [1, 1]
    guesses[1][..., 1] = True
    statistics = np.stack([metric.measure(case_of(*one, "sigmoid")) for one in zip(guesses, labels, strict=True)])
    assert metric.per_image(statistics).tolist() == [1, 0.5]


def test_a_competition_counts_classes_that_no_image_shows() -> None:
    truth = np.zeros((4, 4), np.uint8)
    truth[:2] = 1  # a bit for each class: the first
    prediction = np.zeros((4, 4, 2), np.bool_)
    prediction[:1, :, 0] = True
    case = case_of(prediction, truth, "sigmoid")
    for rules, expected in ((NO_RULES, 2 / 3), (ScoringRules(all_classes=True), (2 / 3 + 1) / 2)):
        (dice,) = build_metrics([MetricSpec("dice")], 2, "sigmoid", rules=rules)
        assert dice.score(dice.measure(case)[None]) == pytest.approx(expected)
