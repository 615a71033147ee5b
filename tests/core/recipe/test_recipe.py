from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import pytest

from toolkit.core.recipe.recipe import (
    AFTER_PLUGINS,
    BEFORE_PLUGINS,
    ClassRecipe,
    Emptiness,
    Recipe,
    Triplet,
    Watershed,
)
from toolkit.core.tuning.candidates import VALUES, Scale


@pytest.mark.parametrize("threshold", [-0.01, 1, 1.5, float("nan"), float("inf"), True, "0.5", None])
def test_invalid_thresholds_are_rejected(threshold: Any) -> None:
    with pytest.raises(ValueError, match=f"threshold must be at least 0 and below 1, received {threshold!r}"):
        ClassRecipe(threshold)
    with pytest.raises(ValueError, match="threshold of the triplet must be at least 0 and below 1"):
        Triplet(threshold, 3)
    with pytest.raises(ValueError, match="threshold of emptiness must be at least 0 and below 1"):
        Emptiness("maximum", threshold)


CLEANING = {**BEFORE_PLUGINS, **AFTER_PLUGINS}


def test_every_field_of_a_class_is_applied_and_searched_or_comes_from_plugins() -> None:
    decided = {"threshold", "emptiness", "triplet"}
    assert {entry.name for entry in fields(ClassRecipe)} == decided | {"steps"} | set(CLEANING)
    assert set(VALUES) == decided | set(CLEANING)


@pytest.mark.parametrize("name", CLEANING)
def test_every_cleaning_step_is_off_by_default_and_takes_the_values_it_is_searched_with(name: str) -> None:
    mask = np.random.default_rng(0).random((12, 17)) > 0.5
    values = VALUES[name](Scale(areas=(5, 50), object_sizes=(2, 20), has_presence=False))
    assert values[0] == getattr(ClassRecipe(), name) == 0
    cleaned = [CLEANING[name](mask, value) for value in values[1:]]
    assert {(each.shape, each.dtype) for each in cleaned} == {(mask.shape, mask.dtype)}
    assert [getattr(ClassRecipe(**{name: value}), name) for value in values] == list(values)


@pytest.mark.parametrize("name", CLEANING)
@pytest.mark.parametrize("value", [-1, 1.5, True, "3", None])
def test_counts_must_be_whole_and_not_negative(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 0, received {value!r}"):
        ClassRecipe(**{name: value})


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Triplet(0.5, -1), "minimum_area of the triplet must be a whole number of at least 0, received -1"),
        (lambda: Emptiness("mean", 0.5), "must be one of maximum, mean_of_top, head, received 'mean'"),  # type: ignore[arg-type]
        (lambda: Emptiness("mean_of_top", 0.5), "pixels of emptiness must be a whole number of at least 1, received 0"),
        (lambda: ClassRecipe(steps=(3,)), r"steps must be names, received \[3\]"),  # type: ignore[arg-type]
        (lambda: Watershed(0), "distance of the split must be a whole number of at least 1, received 0"),
        (lambda: Recipe(()), "needs at least one rule"),
        (lambda: Recipe(between="both"), "between must be one of independent, most_probable, priority"),  # type: ignore[arg-type]
        (lambda: Recipe(between="priority"), r"received between priority and priority \[\]"),
        (lambda: Recipe(priority=(1, 0)), r"received between None and priority \[1, 0\]"),
        (lambda: Recipe(between="priority", priority=(0, -1)), "a class in priority must be a whole number"),
    ],
)
def test_contradictory_values_are_rejected(build: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build()


def test_recipes_are_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        Recipe().split = Watershed(3)  # type: ignore[misc]
