import itertools
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from toolkit.core.blend import to_stored
from toolkit.core.postprocess import IDENTITY, Recipe, masks_of


def test_pixels_above_the_threshold_are_foreground() -> None:
    stored = np.array([[0, 127, 128], [191, 192, 255]], np.uint8)
    assert IDENTITY.apply(stored).tolist() == [[False, False, True], [True, True, True]]
    assert Recipe(0.75).apply(stored).tolist() == [[False, False, False], [False, True, True]]
    assert Recipe(0).apply(stored).tolist() == [[False, True, True], [True, True, True]]


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.75])
def test_a_pixel_at_the_threshold_is_background(threshold: float) -> None:
    stored = np.array([[threshold, np.nextafter(np.float16(threshold), np.float16(1))]], np.float16)
    assert Recipe(threshold).apply(stored).tolist() == [[False, True]]


@pytest.mark.parametrize(("minimum_area", "kept"), [(0, True), (1, True), (5, True), (6, False), (1000, False)])
def test_a_mask_below_the_minimum_area_is_emptied(minimum_area: int, kept: bool) -> None:
    stored = np.zeros((4, 6), np.uint8)
    stored[0, :3] = stored[3, 4:] = 200
    mask = Recipe(0.5, minimum_area).apply(stored)
    assert np.array_equal(mask, (stored > 0) & kept)


@pytest.mark.parametrize("stored_type", ["uint8", "float16"])
def test_a_higher_threshold_or_area_never_adds_pixels(stored_type: str) -> None:
    stored = to_stored(np.random.default_rng(0).random((20, 30), np.float32), stored_type)
    masks = [Recipe(threshold).apply(stored) for threshold in np.linspace(0, 0.99, 40)]
    for lower, higher in itertools.pairwise(masks):
        assert (higher <= lower).all()
    for area in (0, 100, 300, 600):
        assert (Recipe(0.5, area).apply(stored) <= Recipe(0.5).apply(stored)).all()
    assert masks[0].sum() > masks[-1].sum()


def test_the_map_stays_as_it_was() -> None:
    stored = np.random.default_rng(0).integers(0, 256, (5, 6), np.uint8)
    before = stored.copy()
    mask = Recipe(0.4, 1000).apply(stored)
    assert (mask.shape, mask.dtype) == ((5, 6), np.bool_)
    assert np.array_equal(stored, before)


@pytest.mark.parametrize("threshold", [-0.01, 1, 1.5, float("nan"), float("inf")])
def test_an_impossible_threshold_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match=f"threshold must be at least 0 and below 1, received {threshold}"):
        Recipe(threshold)


def test_a_negative_area_is_refused() -> None:
    with pytest.raises(ValueError, match="minimum_area must be at least 0 pixels, received -1"):
        Recipe(0.5, -1)


def test_a_recipe_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        IDENTITY.threshold = 0.3  # type: ignore[misc]


def test_the_identity_is_one_half_and_no_area() -> None:
    assert (IDENTITY.threshold, IDENTITY.minimum_area) == (0.5, 0)


def test_a_recipe_in_words() -> None:
    assert Recipe(0.25).describe() == "threshold 0.250"
    assert Recipe(0.4375, 12).describe() == "threshold 0.438, minimum area 12"


def test_independent_classes_each_follow_the_recipe() -> None:
    random = np.random.default_rng(0)
    stored = random.integers(0, 256, (6, 7, 3)).astype(np.uint8)
    for recipe in (IDENTITY, Recipe(0.3, 20)):
        masks = masks_of(stored, "sigmoid", recipe)
        assert masks.shape == (6, 7, 3)
        for index in range(3):
            assert np.array_equal(masks[..., index], recipe.apply(stored[..., index]))


@pytest.mark.parametrize("stored_type", ["uint8", "float16"])
def test_of_exclusive_classes_each_pixel_gets_the_most_probable_one(stored_type: str) -> None:
    probability = np.random.default_rng(1).dirichlet(np.ones(4), (5, 6)).astype(np.float32)
    masks = masks_of(to_stored(probability, stored_type), "softmax")
    assert (masks.sum(axis=-1) == 1).all()
    clear = np.ptp(np.sort(probability, axis=-1)[..., -2:], axis=-1) > 1 / 255
    assert clear.mean() > 0.8
    assert np.array_equal(masks.argmax(axis=-1)[clear], probability.argmax(axis=-1)[clear])


def test_of_equally_probable_classes_the_first_is_taken() -> None:
    stored = np.array([[[90, 90, 75], [50, 100, 100], [0, 0, 0]]], np.uint8)
    assert masks_of(stored, "softmax").argmax(axis=-1).tolist() == [[0, 1, 0]]


def test_exclusive_classes_take_no_threshold() -> None:
    with pytest.raises(ValueError, match=r"received threshold 0\.400"):
        masks_of(np.zeros((2, 2, 3), np.uint8), "softmax", Recipe(0.4))
