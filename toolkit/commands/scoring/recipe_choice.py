"""The options --recipe and --threshold, and what is said of the recipe that other images get."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from toolkit.core.masks.labels import Classes
from toolkit.core.recipe.postprocess import IDENTITY, check_recipe
from toolkit.core.recipe.recipe import Recipe
from toolkit.errors import ConfigError, not_valid
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.tuned import read_tuned
from toolkit.messages import Progress

RecipeChoice = Literal["tuned", "untuned"]


def chosen(experiment: Experiment, choice: str | None) -> RecipeChoice:
    """Which recipe `--recipe` means; by default the tuned recipe if there is one.

    Raises:
        ConfigError: the choice is not valid.
    """
    if choice is None:
        return "tuned" if experiment.tuned.is_file() else "untuned"
    for word in get_args(RecipeChoice):
        if choice == word:
            return word  # type: ignore[no-any-return] # mypy does not know what get_args gives
    raise ConfigError(f"--recipe: {not_valid(choice, get_args(RecipeChoice))}")


def choose_recipe(experiment: Experiment, classes: Classes, choice: str | None, threshold: float | None) -> Recipe:
    """The recipe of `--recipe` and `--threshold`; by default the tuned recipe if there is one.

    Raises:
        ConfigError: the choice or the threshold is not valid.
        NotReadyError: there is no tuned recipe.
        ChangedError: it was tuned on other predictions.
    """
    is_tuned = chosen(experiment, choice) == "tuned"
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


def recipe_for_images(
    experiment: Experiment,
    classes: Classes,
    choice: str | None,
    threshold: float | None,
    *,
    others: Sequence[str],
    progress: Progress,
) -> Recipe:
    """The recipe for predictions of other images; says if there is no tuned one, or if it was tuned on other networks.

    `others` are the ways in which the predictions differ from those of the experiment. Raises as `choose_recipe`.
    """
    recipe = choose_recipe(experiment, classes, choice, threshold)
    if choice is None and threshold is None and not experiment.tuned.is_file():
        progress.say(
            f"{experiment.name} has no tuned recipe; using the untuned one. To tune it: tk tune {experiment.name}"
        )
    elif others and experiment.tuned.is_file() and choice != "untuned":
        progress.warn(
            f"the recipe of {experiment.name} was tuned on other predictions than those of {' with '.join(others)}"
        )
    return recipe
