"""tuned.json: the recipe that was chosen on out-of-fold predictions, and its scores."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import TypeAdapter

from toolkit.core.masks.labels import Activation
from toolkit.core.recipe.postprocess import check_recipe, recipe_from_plain, recipe_to_plain
from toolkit.core.recipe.recipe import Recipe
from toolkit.errors import ChangedError, NotReadyError, StorageError
from toolkit.files.disk.json_files import finite_or_none, read_json, write_json
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.predictions.store import store_digest

_RECIPES = ("recipe", "best", "test_recipe")
_SCORES = ("untuned", "tuned", "nested", "standard_error", "gap")


@dataclass(frozen=True)
class HoldoutScores:
    """Scores of recipes on the hold-out, which was not used to choose them; scores that do not exist are None.

    Attributes:
        images: how many images the hold-out has.
        untuned: the score without a recipe.
        tuned: with the best recipe that was found.
        submitted: with the recipe for test images.
        gain: the mean difference of `tuned` and `untuned` over images.
        standard_error: of `gain`.
    """

    images: int
    untuned: float | None
    tuned: float | None
    submitted: float | None
    gain: float | None
    standard_error: float | None


@dataclass(frozen=True)
class TestInterval:
    """Where the score of so many other images will lie with a probability of 95 %; None if it is unknown."""

    __test__ = False  # pytest would collect a class with this name

    images: int
    low: float | None
    high: float | None


@dataclass(frozen=True)
class FoldScores:
    """The tuned and the nested score of the images of one fold; None if there is none."""

    tuned: float | None
    nested: float | None


@dataclass(frozen=True)
class TunedRecipe:
    """The content of tuned.json; scores that do not exist are None.

    Attributes:
        metric: the name of the metric.
        recipe: the chosen recipe.
        best: the best recipe of the search, whether it was chosen or not.
        test_recipe: the recipe for test predictions: `recipe`, possibly with shifted thresholds.
        untuned: the score without a recipe.
        tuned: the score of `best` on the images that it was chosen on, which is optimistic.
        nested: the score on images that were not used for the choice.
        interval: the 95 % confidence interval of `nested`.
        standard_error: of the gain of `nested` over `untuned`.
        gap: how much better `tuned` is than `nested`.
        oof_predictions: the digest of the out-of-fold predictions that were tuned on.
        test_predictions: the digest of the predictions that `test_recipe` is for; None if it is for any.
        shift: how test predictions differ from out-of-fold predictions, as plain data.
        holdout: scores on the hold-out, if there is one.
        test_intervals: where the score of all test images will lie, then that of those on the public leaderboard, as
            far as their numbers are known.
        by_fold: for each fold, the recipe found on the others; earlier versions did not write these.
        fold_scores: of the images of each fold in the order of `by_fold`; earlier versions did not write these either.
    """

    metric: str
    recipe: Recipe
    best: Recipe
    test_recipe: Recipe
    untuned: float | None
    tuned: float | None
    nested: float | None
    interval: tuple[float | None, float | None]
    standard_error: float | None
    gap: float | None
    oof_predictions: str
    test_predictions: str | None = None
    shift: Mapping[str, Any] = field(default_factory=dict)
    holdout: HoldoutScores | None = None
    test_intervals: tuple[TestInterval, ...] = ()
    by_fold: tuple[Recipe, ...] = ()
    fold_scores: tuple[FoldScores, ...] = ()

    def for_predictions(self, *, of_mean: bool) -> Recipe:
        """The recipe for predictions that are the mean of the folds, or for those of single folds.

        The recipe was tuned on out-of-fold predictions, which come from single folds. Means have lower peaks: for them,
        whether of the test images or of any others, `test_recipe` may have other thresholds.
        """
        return self.test_recipe if of_mean else self.recipe


def write_tuned(experiment: Experiment, tuned: TunedRecipe) -> None:
    """Write tuned.json."""
    tree: dict[str, Any] = {"metric": tuned.metric}
    tree |= {name: recipe_to_plain(getattr(tuned, name)) for name in _RECIPES}
    tree["by_fold"] = [recipe_to_plain(recipe) for recipe in tuned.by_fold]
    tree["fold_scores"] = [{"tuned": _number(one.tuned), "nested": _number(one.nested)} for one in tuned.fold_scores]
    tree |= {name: _number(getattr(tuned, name)) for name in _SCORES}
    tree["interval"] = [_number(end) for end in tuned.interval]
    tree["test_intervals"] = [asdict(one) for one in tuned.test_intervals]
    tree["shift"] = dict(tuned.shift)
    if tuned.holdout is not None:
        tree["holdout"] = asdict(tuned.holdout)
    tree["oof_predictions"], tree["test_predictions"] = tuned.oof_predictions, tuned.test_predictions
    write_json(experiment.tuned, tree)


def read_tuned(experiment: Experiment, classes: int, activation: Activation) -> TunedRecipe:
    """Read tuned.json and check that it belongs to the present predictions.

    Args:
        experiment: that was tuned.
        classes: the number of classes; the recipes must fit it.
        activation: of the classes.

    Raises:
        NotReadyError: the experiment was not tuned yet.
        StorageError: the file is damaged.
        ChangedError: the predictions have changed since.
    """
    if not experiment.tuned.is_file():
        raise NotReadyError(f"{experiment.name} has no tuned recipe yet", f"Run: tk tune {experiment.name}")
    again = f"Run: tk tune {experiment.name}"
    tree = read_json(experiment.tuned, TypeAdapter(dict[str, Any]), again)
    try:
        tuned = _from_plain(tree)
        for recipe in (tuned.recipe, tuned.best, tuned.test_recipe, *tuned.by_fold):
            check_recipe(recipe, classes, activation)
    except (KeyError, TypeError, ValueError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise StorageError(f"{experiment.tuned} is damaged: {what}", again) from error
    _refuse_stale(experiment, "oof", tuned.oof_predictions)
    if tuned.test_predictions is not None:
        _refuse_stale(experiment, "test", tuned.test_predictions)
    return tuned


def _from_plain(tree: Mapping[str, Any]) -> TunedRecipe:
    low, high = tree["interval"]
    return TunedRecipe(
        metric=_text(tree["metric"]),
        recipe=recipe_from_plain(tree["recipe"]),
        best=recipe_from_plain(tree["best"]),
        test_recipe=recipe_from_plain(tree["test_recipe"]),
        by_fold=tuple(map(recipe_from_plain, tree.get("by_fold", ()))),
        fold_scores=tuple(
            FoldScores(_score(one["tuned"]), _score(one["nested"])) for one in tree.get("fold_scores", ())
        ),
        untuned=_score(tree["untuned"]),
        tuned=_score(tree["tuned"]),
        nested=_score(tree["nested"]),
        interval=(_score(low), _score(high)),
        standard_error=_score(tree["standard_error"]),
        gap=_score(tree["gap"]),
        test_intervals=tuple(TestInterval(**one) for one in tree["test_intervals"]),
        shift=tree["shift"],
        holdout=HoldoutScores(**tree["holdout"]) if "holdout" in tree else None,
        oof_predictions=_text(tree["oof_predictions"]),
        test_predictions=None if tree["test_predictions"] is None else _text(tree["test_predictions"]),
    )


def _refuse_stale(experiment: Experiment, split: Split, expected: str) -> None:
    folder = experiment.predictions(split)
    if folder.is_dir() and store_digest(folder) != expected:
        which = {"oof": "out-of-fold", "test": "test", "holdout": "hold-out"}[split]
        raise ChangedError(
            f"{experiment.tuned} is outdated: the {which} predictions in {folder} have changed since, for "
            "example because a fold was added",
            f"Run: tk tune {experiment.name}",
        )


def _number(value: float | None) -> float | None:
    return None if value is None else finite_or_none(value)


def _score(value: Any) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"expected a number, received {value!r}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a text, received {value!r}")
    return value
