"""The recipe that --recipe and --threshold choose."""

from dataclasses import replace
from typing import Literal, get_args

from toolkit.core.masks.labels import Classes
from toolkit.core.recipe.postprocess import IDENTITY, check_recipe
from toolkit.core.recipe.recipe import Recipe
from toolkit.errors import ConfigError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.tuned import read_tuned

RecipeChoice = Literal["tuned", "untuned"]


def choose_recipe(experiment: Experiment, classes: Classes, choice: str | None, threshold: float | None) -> Recipe:
    """The recipe that `--recipe` and `--threshold` name; without either the tuned one, where there is one.

    Raises:
        ConfigError: there is no such recipe, or the threshold cannot be.
        NotReadyError: no recipe was tuned.
        ChangedError: it was tuned on other predictions.
    """
    if choice not in (None, *get_args(RecipeChoice)):
        raise ConfigError(f"--recipe: {choice!r} is none; allowed: {', '.join(get_args(RecipeChoice))}")
    is_tuned = experiment.tuned.is_file() if choice is None else choice == "tuned"
    recipe = read_tuned(experiment, classes.count, classes.activation).recipe if is_tuned else IDENTITY
    if threshold is None:
        return recipe
    try:
        # Of exclusive classes the background has no rule.
        kept = recipe.classes[:1] if classes.activation == "softmax" and len(recipe.classes) > 1 else ()
        rules = (replace(rule, threshold=threshold) for rule in recipe.classes[len(kept) :])
        changed = replace(recipe, classes=(*kept, *rules))
        check_recipe(changed, classes.count, classes.activation)
    except ValueError as error:
        raise ConfigError(f"--threshold: {error}") from error
    return changed
