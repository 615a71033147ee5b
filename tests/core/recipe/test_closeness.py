import numpy as np

from toolkit.core.recipe.closeness import FLOAT16, FLOAT32, Closeness, Limits, thresholds_alone
from toolkit.core.recipe.recipe import ClassRecipe, Recipe, Triplet, Watershed

RECIPE = Recipe((ClassRecipe(threshold=0.25, minimum_area=100),))


def maps(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, -1, 1)


def test_the_largest_difference_and_the_share_of_changed_pixels() -> None:
    found = Closeness(RECIPE, "sigmoid", "uint8")
    found.add(maps(0.1, 0.2, 0.9, 0.3), maps(0.1, 0.3, 0.9, 0.3))
    found.add(maps(0.5, 0.5, 0.5, 0.5), maps(0.6, 0.6, 0.6, 0.6))
    assert found.changed == 1 / 8
    assert np.isclose(found.largest, 0.1)
    assert found.holds(Limits(0.11, 0.13))
    assert not found.holds(Limits(0.11, 0.1))
    assert not found.holds(Limits(0.09, 0.13))


def test_maps_of_exclusive_classes_change_with_the_most_probable_class() -> None:
    found = Closeness(Recipe(), "softmax", "uint8")
    one = np.array([[[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]]], np.float32)
    found.add(one, np.array([[[0.4, 0.3, 0.3], [0.2, 0.3, 0.5]]], np.float32))
    assert found.changed == 1 / 2


def test_what_is_no_finite_number_is_infinitely_far_away() -> None:
    found = Closeness(Recipe(), "sigmoid", "float16")
    found.add(maps(0.5, 0.5), maps(0.5, np.nan))
    assert (found.largest, found.changed) == (float("inf"), 1)
    assert not found.holds(FLOAT16)


def test_the_presence_counts_for_the_largest_difference() -> None:
    found = Closeness(Recipe(), "sigmoid", "uint8")
    found.add(maps(0.5), maps(0.5))
    assert found.holds(FLOAT32)
    found.add_presence(np.array([0.5], np.float32), np.array([0.75], np.float32))
    assert found.largest == 0.25
    assert not found.holds(FLOAT32)


def test_of_a_recipe_only_what_decides_single_pixels_is_left() -> None:
    rule = ClassRecipe(threshold=0.25, triplet=Triplet(0.5, 9), closing=2, fill_holes=3, keep_largest=1)
    recipe = Recipe((ClassRecipe(), rule), between="most_probable", split=Watershed(3))
    assert thresholds_alone(recipe) == Recipe((ClassRecipe(), ClassRecipe(threshold=0.25)), between="most_probable")
