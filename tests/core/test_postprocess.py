import itertools

import numpy as np
import pytest

from toolkit.core.blend import to_probability, to_stored
from toolkit.core.postprocess import IDENTITY, describe, mask_of, masks_of
from toolkit.core.recipe import ClassRecipe, Recipe

STORED = pytest.mark.parametrize("stored_type", ["uint8", "float16"])


def test_pixels_above_the_threshold_are_foreground() -> None:
    stored = np.array([[0, 127, 128], [191, 192, 255]], np.uint8)
    assert mask_of(stored).tolist() == [[False, False, True], [True, True, True]]
    assert mask_of(stored, ClassRecipe(0.75)).tolist() == [[False, False, False], [False, True, True]]
    assert mask_of(stored, ClassRecipe(0)).tolist() == [[False, True, True], [True, True, True]]


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.75])
def test_a_pixel_at_the_threshold_is_background(threshold: float) -> None:
    stored = np.array([[threshold, np.nextafter(np.float16(threshold), np.float16(1))]], np.float16)
    assert mask_of(stored, ClassRecipe(threshold)).tolist() == [[False, True]]


def test_levels_are_compared_as_their_probabilities_are() -> None:
    levels = np.arange(256, dtype=np.uint8)[None]
    probability = to_probability(levels)
    thresholds = [*np.linspace(0, 0.999, 77), *probability[0, :-1].astype(float), *(np.arange(255) / 255)]
    for threshold in map(float, thresholds):
        expected = probability > np.float64(threshold)
        assert np.array_equal(mask_of(levels, ClassRecipe(threshold)), expected), threshold


@pytest.mark.parametrize(("minimum_area", "kept"), [(0, True), (1, True), (5, True), (6, False), (1000, False)])
def test_a_mask_below_the_minimum_area_is_emptied(minimum_area: int, kept: bool) -> None:
    stored = np.zeros((4, 6), np.uint8)
    stored[0, :3] = stored[3, 4:] = 200
    mask = mask_of(stored, ClassRecipe(minimum_area=minimum_area))
    assert np.array_equal(mask, (stored > 0) & kept)


@STORED
def test_a_higher_threshold_or_area_never_adds_pixels(stored_type: str) -> None:
    stored = to_stored(np.random.default_rng(0).random((20, 30), np.float32), stored_type)
    masks = [mask_of(stored, ClassRecipe(threshold)) for threshold in np.linspace(0, 0.99, 40).tolist()]
    for lower, higher in itertools.pairwise(masks):
        assert (higher <= lower).all()
    for area in (0, 100, 300, 600):
        assert (mask_of(stored, ClassRecipe(minimum_area=area)) <= mask_of(stored)).all()
    assert masks[0].sum() > masks[-1].sum()


def test_the_map_stays_as_it_was() -> None:
    stored = np.random.default_rng(0).integers(0, 256, (5, 6), np.uint8)
    before = stored.copy()
    mask = mask_of(stored, ClassRecipe(0.4, minimum_area=1000))
    assert (mask.shape, mask.dtype) == ((5, 6), np.bool_)
    assert np.array_equal(stored, before)


def test_the_identity_is_one_half_and_nothing_else() -> None:
    assert Recipe((ClassRecipe(threshold=0.5),)) == IDENTITY


def test_a_recipe_in_words() -> None:
    assert describe(Recipe((ClassRecipe(0.25),))) == "threshold 0.250"
    assert describe(Recipe((ClassRecipe(0.4375, minimum_area=12),))) == "threshold 0.438, minimum area 12"


def test_independent_classes_each_follow_the_recipe() -> None:
    random = np.random.default_rng(0)
    stored = random.integers(0, 256, (6, 7, 3)).astype(np.uint8)
    for recipe in (IDENTITY, Recipe((ClassRecipe(0.3, minimum_area=20),))):
        masks = masks_of(stored, "sigmoid", recipe)
        assert masks.shape == (6, 7, 3)
        for index in range(3):
            assert np.array_equal(masks[..., index], mask_of(stored[..., index], recipe.classes[0]))


@STORED
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
    with pytest.raises(ValueError, match=r"received 0\.400"):
        masks_of(np.zeros((2, 2, 3), np.uint8), "softmax", Recipe((ClassRecipe(0.4),)))
