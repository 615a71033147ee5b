import numpy as np
import pytest

from toolkit.core.recipe.plain_recipes import plain_threshold, with_minimum_area
from toolkit.core.recipe.postprocess import IDENTITY, check_recipe, masks_of
from toolkit.core.recipe.recipe import ClassRecipe, Recipe

LEVELS = np.array([[[0.2, 0.5, 0.3], [0.1, 0.2, 0.7], [0.4, 0.35, 0.25]]])
"""One row of three pixels, three classes."""
STORED = np.rint(LEVELS * 255).astype(np.uint8)


def test_independent_classes_are_above_the_threshold() -> None:
    found = masks_of(STORED, "sigmoid", plain_threshold(0.3, 3, "sigmoid"))
    assert np.array_equal(found, STORED > 0.3 * 255)
    assert plain_threshold(0.5, 1, "sigmoid") == IDENTITY


def test_the_most_probable_of_exclusive_classes_above_the_threshold_wins() -> None:
    recipe = plain_threshold(0.3, 3, "softmax")
    check_recipe(recipe, 3, "softmax")
    # The last pixel: class 1 is above the threshold and the background, which has no rule, is not compared with it.
    assert masks_of(STORED, "softmax", recipe).argmax(axis=2).tolist() == [[1, 2, 1]]
    assert masks_of(STORED, "softmax", plain_threshold(0.6, 3, "softmax")).argmax(axis=2).tolist() == [[0, 2, 0]]


@pytest.mark.parametrize(
    "recipe", [IDENTITY, Recipe((ClassRecipe(), ClassRecipe(0.4), ClassRecipe(0.6)), "most_probable")]
)
def test_a_minimum_area_fits_exclusive_classes(recipe: Recipe) -> None:
    found = with_minimum_area(recipe, 7, 3, "softmax")
    check_recipe(found, 3, "softmax")
    assert [rule.minimum_area for rule in found.classes] == [0, 7, 7]
    assert found.between == recipe.between


def test_invalid_values_are_rejected() -> None:
    with pytest.raises(ValueError, match="threshold must be at least 0 and below 1"):
        plain_threshold(1.5, 2, "softmax")
    with pytest.raises(ValueError, match="minimum_area must be a whole number"):
        with_minimum_area(IDENTITY, -1, 1, "sigmoid")
