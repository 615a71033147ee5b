"""Where a submission comes from: the scores that it promises, and NAME.json beside it."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.commands.scoring import score_stores
from toolkit.core.postprocess import IDENTITY, recipe_from_plain, recipe_to_plain
from toolkit.core.recipe import Recipe
from toolkit.errors import StorageError
from toolkit.files.digests import file_digest
from toolkit.files.experiment import Experiment
from toolkit.files.fold_table import read_folds
from toolkit.files.resolved import Resolved
from toolkit.files.store import ProbabilityStore, store_digest
from toolkit.files.truth import Truth
from toolkit.files.writing import finite_or_none, read_json, write_json
from toolkit.messages import Progress


@dataclass(frozen=True)
class Tuned:
    """What tuned.json says: the recipe that was kept, the best one, that for test images, and the scores."""

    recipe: Recipe
    best: Recipe
    test_recipe: Recipe
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Promise:
    """What cross-validation promises of a submission.

    `oof` is the score of the out-of-fold predictions under its recipe, `nested` the honest one where that recipe was
    tuned on them. None where there is no such score.
    """

    metric: str
    oof: float | None
    nested: float | None


def read_tuned(experiment: Experiment) -> Tuned | None:
    """What `tk tune` has written; None where it has not.

    Raises:
        StorageError: the file is damaged.
    """
    if not experiment.tuned.is_file():
        return None
    tree = read_json(experiment.tuned)
    try:
        recipe = recipe_from_plain(tree["recipe"])
        others = {name: recipe_from_plain(tree.get(name, tree["recipe"])) for name in ("best", "test_recipe")}
        scores = {name: float(tree[name]) for name in ("untuned", "tuned", "nested")}
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"{experiment.tuned} is damaged: {error}", f"Run: tk tune {experiment.name}") from error
    return Tuned(recipe, others["best"], others["test_recipe"], scores)


def promise_of(
    experiment: Experiment, truth: Truth, tuned: Tuned | None, recipe: Recipe, progress: Progress
) -> Promise:
    """The scores that a submission with this recipe promises; a recipe that nobody scored yet is scored here."""
    score = read_json(experiment.score)
    if tuned is not None and recipe != IDENTITY and recipe in (tuned.recipe, tuned.test_recipe):
        return Promise(score["metric"], tuned.scores["tuned"], tuned.scores["nested"])
    if recipe == IDENTITY:
        return Promise(score["metric"], score["all"], None)
    if truth.metric.is_own:
        progress.say(f"the out-of-fold score of this recipe is not known: {truth.metric.label} is the user's own")
        return Promise(score["metric"], None, None)
    (scores,) = score_stores(
        [ProbabilityStore(experiment.predictions("oof"))],
        truth.labelled,
        read_folds(experiment.folds, truth.labelled.images.ids),
        [truth.metric],
        recipe=recipe,
        progress=progress,
        benchmark=truth.benchmark,
    )
    return Promise(score["metric"], finite_or_none(scores.all), None)


def write_provenance(
    path: Path, experiment: Experiment, resolved: Resolved, *, recipe: Recipe, tuned: Tuned | None, promise: Promise
) -> None:
    """Write NAME.json beside a submission."""
    config = resolved.config
    # Those of the tuned recipe say nothing of another one.
    tuned_scores: Mapping[str, Any] = {} if tuned is None or promise.nested is None else tuned.scores
    write_json(
        path.with_suffix(".json"),
        {
            "submission": path.name,
            "experiment": experiment.name,
            "members": list(config.get("members", [])),
            "weights": list(config.get("weights", [])),
            "views": config.get("views", "none"),
            "recipe": recipe_to_plain(recipe),
            "scores": {"metric": promise.metric, "oof": promise.oof, **tuned_scores},
            "digests": {
                "submission": file_digest(path),
                "test_predictions": store_digest(experiment.predictions("test")),
                "oof_predictions": store_digest(experiment.predictions("oof")),
            },
            "versions": dict(resolved.versions),
            "git_commit": _git_commit(experiment.folder),
        },
    )


def _git_commit(folder: Path) -> str | None:
    """The commit that the experiment's folder is at, with `-dirty` where files differ; None outside a repository."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=folder, capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None
