"""The options --recipe and --threshold: which recipe masks are made with, and where it comes from, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from toolkit.config.metrics import read_metric
from toolkit.core.masks.labels import Classes
from toolkit.core.metrics.registry import searched_by
from toolkit.core.recipe.plain_recipes import plain_threshold
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.errors import ChangedError, ConfigError, not_valid
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.experiment.score_json import read_score
from toolkit.files.experiment.tuned import TunedRecipe, read_tuned
from toolkit.messages import Progress

RecipeChoice = Literal["tuned", "untuned"]
PLAIN_THRESHOLD, _UNTUNED = "plain threshold", "untuned recipe"


@dataclass(frozen=True)
class ChosenRecipe:
    """A recipe, and in words where it comes from: `tuned recipe`, `untuned recipe`, `plain threshold` and so on."""

    recipe: Recipe
    source: str


def choose_recipe(
    experiment: Experiment,
    classes: Classes,
    choice: str | None,
    threshold: float | None,
    *,
    of_mean: bool,
    progress: Progress,
) -> ChosenRecipe:
    """The recipe of `--recipe` and `--threshold`; by default the tuned recipe if there is one.

    Args:
        experiment: whose recipe is meant.
        classes: that it predicts.
        choice: `tuned`, `untuned`, or None for the default.
        threshold: a plain threshold in place of any recipe; None for none.
        of_mean: whether the mean of the folds predicts, see `TunedRecipe.for_predictions`.
        progress: is told if the recipe was tuned for another metric than that of the experiment.

    Raises:
        ConfigError: the choice or the threshold is not valid.
        NotReadyError: there is no tuned recipe.
        ChangedError: it was tuned on other predictions.
    """
    if choice is not None and choice not in get_args(RecipeChoice):
        raise ConfigError(f"--recipe: {not_valid(choice, get_args(RecipeChoice))}")
    if threshold is not None:
        if choice == "tuned":
            raise ConfigError(
                "--threshold is a plain threshold in place of the tuned recipe", "Give either --threshold or --recipe."
            )
        check_threshold(threshold)
        return ChosenRecipe(plain_threshold(threshold, classes.count, classes.activation), PLAIN_THRESHOLD)
    if choice == "untuned" or (choice is None and not experiment.tuned.is_file()):
        return ChosenRecipe(IDENTITY, _UNTUNED)
    tuned = tuned_recipe(experiment, classes, "use the untuned recipe: --recipe untuned", progress)
    return ChosenRecipe(tuned.for_predictions(of_mean=of_mean), source_of(tuned, of_mean=of_mean))


def check_threshold(threshold: float) -> None:
    """Check the value of `--threshold`.

    Raises:
        ConfigError: it is not valid.
    """
    try:
        ClassRecipe(threshold=threshold)
    except ValueError as error:
        raise ConfigError(f"--{error}") from error


def tuned_recipe(experiment: Experiment, classes: Classes, instead: str, progress: Progress) -> TunedRecipe:
    """The tuned recipe; says so if it was tuned for another metric than that of the experiment.

    Args:
        experiment: that was tuned.
        classes: that it predicts.
        instead: the advice on what to use in its place if it is outdated.
        progress: is told.

    Raises:
        NotReadyError: there is no tuned recipe.
        ChangedError: it was tuned on other predictions.
    """
    try:
        tuned = read_tuned(experiment, classes.count, classes.activation)
    except ChangedError as error:
        raise ChangedError(error.message, f"{error.advice}, or {instead}") from error
    _tell_metric(experiment, tuned, progress)
    return tuned


def source_of(tuned: TunedRecipe, *, of_mean: bool) -> str:
    """What the recipe of tuned.json is, in words."""
    words = f"{_UNTUNED}, which tk tune kept" if tuned.recipe == IDENTITY else "tuned recipe"
    moved = of_mean and tuned.test_recipe != tuned.recipe
    return f"{words}, with thresholds for the mean of the folds" if moved else words


def _tell_metric(experiment: Experiment, tuned: TunedRecipe, progress: Progress) -> None:
    """Say so if a recipe was tuned for another metric than that of the experiment, or the one that searches use."""
    if not experiment.score.is_file():
        return
    metric = read_score(experiment)["metric"]
    spec = read_metric(read_resolved(experiment).config["primary_metric"])
    stand_in = searched_by(spec)
    if tuned.metric == metric or (stand_in != spec and tuned.metric.startswith(stand_in.label)):
        return
    progress.say(
        f"the recipe of {experiment.name} was tuned for {tuned.metric}, but its metric is {metric}. To tune it for "
        f"that: tk tune {experiment.name}"
    )


def recipe_for_images(
    experiment: Experiment,
    classes: Classes,
    choice: str | None,
    threshold: float | None,
    *,
    of_mean: bool,
    others: Sequence[str],
    progress: Progress,
) -> ChosenRecipe:
    """The recipe for predictions of other images; says if there is no tuned one, or if it was tuned on other networks.

    `others` says in which ways the predictions differ from those of the experiment, for example `only fold 0 predicts`.
    Arguments and errors are those of `choose_recipe`.
    """
    chosen = choose_recipe(experiment, classes, choice, threshold, of_mean=of_mean, progress=progress)
    if choice is None and threshold is None and not experiment.tuned.is_file():
        progress.say(
            f"{experiment.name} has no tuned recipe; using the untuned one. To tune it: tk tune {experiment.name}"
        )
    elif others and threshold is None and choice != "untuned":
        progress.warn(
            f"the recipe of {experiment.name} was tuned on predictions as tk fit makes them, but here "
            f"{' and '.join(others)}: it may not suit them"
        )
    return chosen
