"""tuned.json: the recipe that out-of-fold predictions chose, and what it is worth."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from toolkit.core.masks.labels import Activation
from toolkit.core.recipe.postprocess import check_recipe, recipe_from_plain, recipe_to_plain
from toolkit.core.recipe.recipe import Recipe
from toolkit.errors import ChangedError, NotReadyError, StorageError
from toolkit.files.disk.writing import finite_or_none, read_json, write_json
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.predictions.store import store_digest

_RECIPES = ("recipe", "best", "test_recipe")
_SCORES = ("untuned", "tuned", "nested", "standard_error", "gap")


@dataclass(frozen=True)
class HoldoutScores:
    """What recipes score on the hold-out, which had no part in choosing them; scores that do not exist are None.

    `untuned` is without a recipe, `tuned` with the best one that was found, `submitted` with the one for test images.
    `gain` is how much better `tuned` is than `untuned`, image by image.
    """

    images: int
    untuned: float | None
    tuned: float | None
    submitted: float | None
    gain: float | None
    standard_error: float | None


@dataclass(frozen=True)
class TunedRecipe:
    """What tuned.json says; scores that do not exist are None.

    `recipe` is what was chosen, `best` what the search found best whether it was chosen or not, and `test_recipe` what
    test predictions are submitted with: the same, unless thresholds are moved for them. `interval` holds nested with
    95 percent, `standard_error` is that of the gain over untuned, and `gap` how much too good the tuned score looks.
    `shift` tells how test predictions differ, in plain data; `holdout` is None where there is none. `oof_predictions`
    is the digest of the predictions that were tuned on, and `test_predictions` of those that `test_recipe` was made
    for, None where it is for any.
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


def write_tuned(experiment: Experiment, tuned: TunedRecipe) -> None:
    """Write tuned.json."""
    tree: dict[str, Any] = {"metric": tuned.metric}
    tree |= {name: recipe_to_plain(getattr(tuned, name)) for name in _RECIPES}
    tree |= {name: _number(getattr(tuned, name)) for name in _SCORES}
    tree["interval"] = [_number(end) for end in tuned.interval]
    tree["shift"] = dict(tuned.shift)
    if tuned.holdout is not None:
        tree["holdout"] = asdict(tuned.holdout)
    tree["oof_predictions"], tree["test_predictions"] = tuned.oof_predictions, tuned.test_predictions
    write_json(experiment.tuned, tree)


def read_tuned(experiment: Experiment, classes: int, activation: Activation) -> TunedRecipe:
    """Read tuned.json, and check that it belongs to the predictions that are there.

    Args:
        experiment: whose it is.
        classes: how many there are; the recipes must fit them.
        activation: whether they exclude each other.

    Raises:
        NotReadyError: there is none.
        StorageError: it is damaged.
        ChangedError: the experiment was predicted anew since.
    """
    if not experiment.tuned.is_file():
        raise NotReadyError(f"{experiment.name} has no tuned recipe yet", f"Run: tk tune {experiment.name}")
    tree = read_json(experiment.tuned)
    try:
        tuned = _from_plain(tree)
        for recipe in (tuned.recipe, tuned.best, tuned.test_recipe):
            check_recipe(recipe, classes, activation)
    except (KeyError, TypeError, ValueError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise StorageError(f"{experiment.tuned} is damaged: {what}", f"Run: tk tune {experiment.name}") from error
    _refuse_stale(experiment, "oof", tuned.oof_predictions)
    if tuned.test_predictions is not None:
        _refuse_stale(experiment, "test", tuned.test_predictions)
    return tuned


def _from_plain(tree: Any) -> TunedRecipe:
    if not isinstance(tree, dict):
        raise TypeError(f"expected a map, received {tree!r}")
    low, high = tree["interval"]
    return TunedRecipe(
        metric=_text(tree["metric"]),
        recipe=recipe_from_plain(tree["recipe"]),
        best=recipe_from_plain(tree["best"]),
        test_recipe=recipe_from_plain(tree["test_recipe"]),
        untuned=_score(tree["untuned"]),
        tuned=_score(tree["tuned"]),
        nested=_score(tree["nested"]),
        interval=(_score(low), _score(high)),
        standard_error=_score(tree["standard_error"]),
        gap=_score(tree["gap"]),
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
            f"{experiment.tuned} was tuned on other {which} predictions than those in {folder}",
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
