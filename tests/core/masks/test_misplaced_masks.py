from typing import Literal

import cv2
import numpy as np
import pytest

from toolkit.core.masks.misplaced_masks import (
    are_contradicted,
    blurred,
    border_contrast,
    border_length,
    contrast_across,
    contrast_of_any_size,
    count_from_zero,
    in_other_order,
    is_torn,
    line_starts,
    one_pixel_on,
)
from toolkit.core.masks.misplaced_masks import contrast_statistic as statistic_of
from toolkit.core.masks.rle import PixelOrder, decode, encode
from toolkit.core.simulated.salt import simulate_salt

ORDERS = ("column", "row")


@pytest.mark.parametrize("order", ORDERS)
def test_the_other_order_transposes_square_masks(order: str) -> None:
    mask = np.random.default_rng(0).random((7, 7)) < 0.4
    assert np.array_equal(in_other_order(mask, order), mask.T)


@pytest.mark.parametrize(("order", "other"), [ORDERS, ORDERS[::-1]])
def test_the_other_order_reinterprets_the_same_runs(order: str, other: str) -> None:
    mask = np.random.default_rng(1).random((5, 9)) < 0.4
    turned = in_other_order(mask, order)
    assert np.array_equal(turned, decode(encode(mask, order), (5, 9), other))
    assert np.array_equal(in_other_order(turned, other), mask)


@pytest.mark.parametrize("order", ORDERS)
def test_runs_that_count_from_zero_are_one_pixel_on(order: str) -> None:
    """Read as counted from 1, every pixel but the very first is one too early."""
    mask = np.random.default_rng(2).random((5, 9)) < 0.4
    mask[0, 0] = False
    layout = "F" if order == "column" else "C"
    early = np.append(mask.ravel(order=layout)[1:], False).reshape(mask.shape, order=layout)
    assert np.array_equal(one_pixel_on(early, order), mask)


def test_borders_are_counted() -> None:
    mask = np.zeros((6, 8), np.bool_)
    assert border_length(mask) == 0
    mask[2:4, 3:6] = True
    assert border_length(mask) == 2 * (2 + 3)
    mask[:] = True
    assert border_length(mask) == 0


def test_the_wrong_order_tears_masks_that_are_not_square() -> None:
    mask = np.zeros((40, 60), np.bool_)
    mask[10:30, 20:50] = True
    assert border_length(in_other_order(mask, "column")) > 5 * border_length(mask)


def test_contrast_at_the_border() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[:20] = 200
    below = np.zeros((40, 40), np.bool_)
    below[20:] = True
    found, other = border_contrast(image, below), border_contrast(image, in_other_order(below, "column"))
    assert found is not None
    assert other is not None
    assert found > 10 * other
    assert border_contrast(image, np.zeros((40, 40), np.bool_)) is None


def test_masks_in_the_right_order_fit_their_images_better() -> None:
    contrasts = []
    for index in range(60):
        simulated = simulate_salt(index, seed=7)
        mask = simulated.mask
        contrasts.append(
            (border_contrast(simulated.image[..., None], mask), border_contrast(simulated.image[..., None], mask.T))
        )
    assert statistic_of(contrasts) > 4
    assert statistic_of([(other, one) for one, other in contrasts]) == pytest.approx(-statistic_of(contrasts))


def test_without_borders_the_statistic_is_zero() -> None:
    assert statistic_of([]) == statistic_of([(1.0, 2.0)]) == statistic_of([(None, None), (0.0, 1.0)]) == 0


def test_masks_are_torn_if_their_borders_are_much_longer_than_in_the_other_order() -> None:
    assert is_torn(14, 10)
    assert not is_torn(13, 10)
    assert not is_torn(5, 0)  # without borders in the other order nothing can be compared


def test_few_images_say_less_than_many_with_the_same_quotient() -> None:
    few = [(2.0, 1.0), (1.6, 1.0), (2.4, 1.0)]
    many = few * 10
    assert 0 < statistic_of(few) < 4
    assert statistic_of(many) > 8
    assert statistic_of([(1.0, 2.0 + 1e-9), (1.0, 2.0)] * 20) == -37


def test_masks_are_contradicted_far_beyond_chance_or_where_each_fits_twice_as_well_otherwise() -> None:
    assert not are_contradicted([(1.0, 5.0), (1.0, 9.0), (1.0, 30.0)])  # three images are no evidence
    assert are_contradicted([(1.0, 5.0), (1.0, 9.0), (1.0, 30.0), (1.0, 2.1)])
    assert not are_contradicted([(1.0, 5.0), (1.0, 9.0), (1.0, 30.0), (1.0, 1.5)])
    assert are_contradicted([(1.0, 1.1 + 0.01 * number) for number in range(10)])
    assert not are_contradicted([(1.1 + 0.01 * number, 1.0) for number in range(10)])


@pytest.mark.parametrize("order", ["column", "row"])
def test_runs_that_count_from_zero_begin_at_the_end_of_the_line_before(order: PixelOrder) -> None:
    mask = np.zeros((9, 9), np.bool_)
    mask[0:3, 0:3] = True
    mask[5:7, 5:7] = True
    assert line_starts(mask, order) == (3, 0)
    layout: Literal["F", "C"] = "F" if order == "column" else "C"
    early = np.roll(mask.ravel(order=layout), -1).reshape(mask.shape, order=layout)
    assert line_starts(early, order) == (1, 2)  # the first run has no line before it
    assert line_starts(np.zeros((9, 9), np.bool_), order) == (0, 0)
    assert line_starts(np.ones((9, 9), np.bool_), order) == (1, 0)


def test_single_pixels_in_a_corner_are_no_evidence() -> None:
    mask = np.zeros((4, 4), np.bool_)
    mask[3, 0] = mask[3, 3] = True
    assert line_starts(mask, "column") == (0, 0)


@pytest.mark.parametrize(
    ("starts", "zero"),
    [
        ([(0, 4)] * 3, True),
        ([(0, 30), (0, 0), (0, 0)], False),
        ([(0, 3)] * 3, False),
        ([(1, 10)] * 5, True),
        ([(2, 10)] * 5, False),
        ([(5, 0)] * 50, False),
        ([], False),
    ],
)
def test_many_runs_of_several_masks_are_evidence(starts: list[tuple[int, int]], zero: bool) -> None:
    assert count_from_zero(starts) is zero


def test_shapes_of_any_size_do_not_seem_to_count_from_zero() -> None:
    random = np.random.default_rng(0)
    starts = []
    for _ in range(200):
        noise = cv2.GaussianBlur(random.normal(size=(30, 40)), (0, 0), float(random.uniform(1, 8)))
        starts.append(line_starts(noise > np.quantile(noise, random.uniform(0.02, 0.98)), "column"))
    assert sum(first for first, _ in starts) > 200
    assert not count_from_zero(starts)


def test_masks_that_are_drawn_too_large_are_not_taken_for_misplaced() -> None:
    random = np.random.default_rng(0)
    pairs, naive = [], []
    for _ in range(40):
        image = random.normal(70, 12, (64, 72)).astype(np.float32)
        mask = np.zeros((64, 72), np.bool_)
        row, column = random.integers(20, 36), random.integers(10, 50)
        mask[row : row + 8, column : column + 12] = True
        image[mask] += 80
        large = cv2.dilate(mask.astype(np.uint8), np.ones((17, 17), np.uint8)) > 0
        grey = blurred(np.clip(image, 0, 255).astype(np.uint8)[..., None])
        flipped = contrast_across(grey, large[::-1])
        naive.append((contrast_across(grey, large), flipped))
        pairs.append((contrast_of_any_size(grey, large), flipped))
    assert are_contradicted(naive)
    assert statistic_of(pairs) > 0
