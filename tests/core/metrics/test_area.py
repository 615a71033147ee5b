import csv
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from toolkit.core.masks.rle import decode
from toolkit.core.metrics.area import AreaFormula, dice, fbeta, iou, precision, recall, salt_map

METRICS = {
    "dice": dice(),
    "f0.5": fbeta(0.5),
    "f1": fbeta(1),
    "f2": fbeta(2),
    "iou": iou(),
    "precision": precision(),
    "recall": recall(),
    "salt_map": salt_map(),
}
NAMES = sorted(METRICS)
SYMMETRIC = ["dice", "f1", "iou", "salt_map"]


def strip(start: int, length: int) -> np.ndarray:
    """A mask of one row of 200 pixels with one run."""
    mask = np.zeros((1, 200), np.bool_)
    mask[0, start : start + length] = True
    return mask


def pair(intersection: int, predicted: int, truth: int) -> tuple[np.ndarray, np.ndarray]:
    """A prediction and a truth with these areas."""
    return strip(0, predicted), strip(predicted - intersection, truth)


def random_masks(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    density = random.choice([0, 0.1, 0.5, 0.9, 1], count)[:, None, None]
    return random.random((count, 6, 5)) < density


@pytest.mark.parametrize(
    ("name", "intersection", "predicted", "truth", "expected"),
    [
        ("dice", 2, 4, 4, 1 / 2),
        ("dice", 1, 1, 3, 1 / 2),
        ("dice", 3, 5, 4, 2 / 3),
        ("iou", 2, 4, 4, 1 / 3),
        ("iou", 1, 1, 3, 1 / 3),
        ("iou", 3, 5, 4, 1 / 2),
        ("precision", 3, 5, 4, 3 / 5),
        ("recall", 3, 5, 4, 3 / 4),
        ("f1", 3, 5, 4, 2 / 3),
        ("f2", 3, 5, 4, 5 * 3 / (5 * 3 + 4 * 1 + 2)),
        ("f0.5", 3, 5, 4, 1.25 * 3 / (1.25 * 3 + 0.25 * 1 + 2)),
        ("salt_map", 2, 4, 4, 0.0),
        ("salt_map", 51, 51, 100, 0.1),
        ("salt_map", 30, 40, 40, 0.2),  # IoU exactly 0.6
        ("salt_map", 62, 100, 62, 0.3),
        ("salt_map", 96, 100, 96, 1.0),
    ],
)
def test_by_hand(name: str, intersection: int, predicted: int, truth: int, expected: float) -> None:
    assert METRICS[name].of_masks(*pair(intersection, predicted, truth)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("areas", "expected"),
    [((0, 0, 0), 1.0), ((0, 7, 0), 0.0), ((0, 1, 0), 0.0), ((0, 0, 7), 0.0), ((0, 3, 4), 0.0), ((9, 9, 9), 1.0)],
    ids=["both empty", "truth empty", "truth empty by a pixel", "prediction empty", "disjoint", "equal"],
)
def test_extremes(name: str, areas: tuple[int, int, int], expected: float) -> None:
    assert METRICS[name].of_masks(*pair(*areas)) == expected


@pytest.mark.parametrize("twentieths", range(10, 20))
def test_salt_map_counts_thresholds_only_if_exceeded(twentieths: int) -> None:
    salt_map = METRICS["salt_map"]
    exactly = pair(5 * twentieths, 5 * twentieths, 100)
    one_pixel_more = pair(5 * twentieths + 1, 5 * twentieths + 1, 100)
    assert salt_map.of_masks(*exactly) == (twentieths - 10) / 10
    assert salt_map.of_masks(*one_pixel_more) == (twentieths - 9) / 10


def test_salt_map_agrees_with_exact_fractions() -> None:
    random = np.random.default_rng(8)
    for _ in range(400):
        union = int(random.integers(1, 10_201))
        intersection = int(random.integers(union // 2, union + 1))
        exceeded = sum(Fraction(intersection, union) > Fraction(k, 20) for k in range(10, 20))
        areas = (np.array(area) for area in (intersection, intersection, union))
        assert METRICS["salt_map"].score(*areas) == pytest.approx(exceeded / 10, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_many_images_score_the_same_together_and_alone(name: str) -> None:
    predictions, truths = random_masks(120, 1), random_masks(120, 2)
    sums = [masks.sum(axis=(1, 2)) for masks in (predictions & truths, predictions, truths)]
    one_by_one = list(map(METRICS[name].of_masks, predictions, truths))
    assert METRICS[name].score(*sums).tolist() == one_by_one
    folded = METRICS[name].score(*(area.reshape(4, 3, 10) for area in sums))
    assert folded.dtype == np.float64
    assert folded.reshape(-1).tolist() == one_by_one
    assert len(set(one_by_one)) > 3


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_scores_do_not_distinguish_prediction_and_truth(name: str) -> None:
    for first, second in zip(random_masks(60, 3), random_masks(60, 4), strict=True):
        assert METRICS[name].of_masks(first, second) == METRICS[name].of_masks(second, first)


def test_precision_is_recall_with_exchanged_masks() -> None:
    for first, second in zip(random_masks(60, 3), random_masks(60, 4), strict=True):
        assert precision().of_masks(first, second) == recall().of_masks(second, first)


def test_f1_is_dice() -> None:
    for first, second in zip(random_masks(60, 3), random_masks(60, 4), strict=True):
        assert fbeta(1).of_masks(first, second) == pytest.approx(dice().of_masks(first, second), abs=1e-12)


def test_fbeta_is_the_weighted_harmonic_mean_of_precision_and_recall() -> None:
    for first, second in zip(random_masks(60, 3), random_masks(60, 4), strict=True):
        found, asked = precision().of_masks(first, second), recall().of_masks(first, second)
        if found and asked:
            expected = (1 + 0.5**2) * found * asked / (0.5**2 * found + asked)
            assert fbeta(0.5).of_masks(first, second) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("build", [dice, iou, precision, recall, salt_map, lambda empty: fbeta(2, empty)])
def test_two_empty_masks_score_as_configured(build: Callable[[str], AreaFormula]) -> None:
    nothing = np.int64(0)
    assert build("one").score(nothing, nothing, nothing) == 1
    assert build("zero").score(nothing, nothing, nothing) == 0
    assert np.isnan(build("skip").score(nothing, nothing, nothing))


@pytest.mark.parametrize(
    ("build", "areas", "skipped"),
    [
        (precision, (0, 0, 7), True),
        (precision, (0, 7, 0), False),
        (recall, (0, 7, 0), True),
        (recall, (0, 0, 7), False),
        (dice, (0, 7, 0), False),
        (dice, (0, 0, 7), False),
        (iou, (0, 7, 0), False),
        (salt_map, (0, 7, 0), False),
        (salt_map, (0, 0, 7), False),
    ],
)
def test_one_empty_mask_is_skipped_only_if_the_denominator_is_zero(
    build: Callable[[str], AreaFormula], areas: tuple[int, int, int], skipped: bool
) -> None:
    counts = [np.int64(area) for area in areas]
    assert np.isnan(build("skip").score(*counts)) == skipped
    assert build("one").score(*counts) == build("zero").score(*counts) == 0


def test_dice_follows_from_iou() -> None:
    for first, second in zip(random_masks(60, 5), random_masks(60, 6), strict=True):
        iou = METRICS["iou"].of_masks(first, second)
        assert METRICS["dice"].of_masks(first, second) == pytest.approx(2 * iou / (1 + iou), abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_masks_of_different_sizes_are_rejected(name: str) -> None:
    with pytest.raises(ValueError, match=r"\(3, 4\) and truth \(4, 3\) differ in size"):
        METRICS[name].of_masks(np.zeros((3, 4), np.bool_), np.zeros((4, 3), np.bool_))


@pytest.fixture
def real_masks(real_data: Path) -> list[np.ndarray]:
    with (real_data / "salt" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:300]
    return [decode(row["rle_mask"], (101, 101)) for row in rows]


def mean(metric: AreaFormula, predictions: list[np.ndarray], truths: list[np.ndarray]) -> float:
    return float(np.mean(list(map(metric.of_masks, predictions, truths))))


@pytest.mark.realdata
@pytest.mark.parametrize("name", NAMES)
class TestOnRealMasks:
    def test_predicting_nothing_scores_the_share_of_empty_masks(self, name: str, real_masks: list[np.ndarray]) -> None:
        nothing = [np.zeros_like(mask) for mask in real_masks]
        share = sum(not mask.any() for mask in real_masks) / len(real_masks)
        assert 0.3 < share < 0.5
        assert mean(METRICS[name], nothing, real_masks) == share

    def test_the_truth_itself_scores_one(self, name: str, real_masks: list[np.ndarray]) -> None:
        assert mean(METRICS[name], real_masks, real_masks) == 1

    def test_every_error_lowers_the_score(self, name: str, real_masks: list[np.ndarray]) -> None:
        shifted = [np.roll(mask, 1, axis=1) for mask in real_masks]
        wrong_order = [mask.reshape(-1, order="F").reshape(mask.shape) for mask in real_masks]
        everything = [np.ones_like(mask) for mask in real_masks]
        scores = [mean(METRICS[name], masks, real_masks) for masks in (shifted, wrong_order, everything)]
        assert 1 > scores[0] > 0.85
        assert 0.8 > scores[1] > 0.4
        if name != "recall":  # everything finds all there is
            assert 0.6 > scores[2] > 0.05
