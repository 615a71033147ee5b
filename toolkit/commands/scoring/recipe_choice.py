"""The options --recipe and --threshold."""

from dataclasses import replace
from typing import Literal, get_args

from toolkit.core.masks.labels import Classes
from toolkit.core.recipe.postprocess import IDENTITY, check_recipe
from toolkit.core.recipe.recipe import Recipe
from toolkit.errors import ConfigError, not_valid
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.tuned import read_tuned

RecipeChoice = Literal["tuned", "untuned"]


def choose_recipe(experiment: Experiment, classes: Classes, choice: str | None, threshold: float | None) -> Recipe:
    """The recipe of `--recipe` and `--threshold`; by default the tuned recipe if there is one.

    Raises:
        ConfigError: the choice or the threshold is not valid.
        NotReadyError: there is no tuned recipe.
        ChangedError: it was tuned on other predictions.
    """
    if choice is not None and choice not in get_args(RecipeChoice):
        raise ConfigError(f"--recipe: {not_valid(choice, get_args(RecipeChoice))}")
    is_tuned = experiment.tuned.is_file() if choice is None else choice == "tuned"
    recipe = read_tuned(experiment, classes.count, classes.activation).recipe if is_tuned else IDENTITY
    if threshold is None:
        return recipe
    try:
        # The background of exclusive classes has no threshold.
        kept = recipe.classes[:1] if classes.activation == "softmax" and len(recipe.classes) > 1 else ()
        rules = (replace(rule, threshold=threshold) for rule in recipe.classes[len(kept) :])
        changed = replace(recipe, classes=(*kept, *rules))
        check_recipe(changed, classes.count, classes.activation)
    except ValueError as error:
        raise ConfigError(f"--threshold: {error}") from error
    return changed
