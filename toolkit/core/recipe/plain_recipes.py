"""Recipes of the options `--threshold` and `--min-area`."""

from dataclasses import replace

from toolkit.core.masks.labels import Activation
from toolkit.core.recipe.recipe import ClassRecipe, Recipe


def plain_threshold(threshold: float, classes: int, activation: Activation, *, minimum_area: int = 0) -> Recipe:
    """The same threshold, and the same minimum area, for every class and nothing else.

    With exclusive classes, a pixel belongs to the most probable of the classes above the threshold, and to the
    background if there is none.

    Raises:
        ValueError: the threshold or the area is not valid.
    """
    rule = ClassRecipe(threshold=threshold, minimum_area=minimum_area)
    if activation == "sigmoid":
        return Recipe((rule,))
    return Recipe((ClassRecipe(), *[rule] * (classes - 1)), "most_probable")


def with_minimum_area(recipe: Recipe, minimum_area: int, classes: int, activation: Activation) -> Recipe:
    """The recipe with another minimum area for every class; the background of exclusive classes has none.

    Raises:
        ValueError: the area is not valid.
    """
    if activation == "sigmoid":
        return replace(recipe, classes=tuple(replace(rule, minimum_area=minimum_area) for rule in recipe.classes))
    _, *rules = recipe.classes * classes if len(recipe.classes) == 1 else recipe.classes
    return replace(recipe, classes=(ClassRecipe(), *(replace(rule, minimum_area=minimum_area) for rule in rules)))
