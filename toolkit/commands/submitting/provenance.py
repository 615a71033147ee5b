"""The scores that cross-validation promises for a submission, and NAME.json beside it."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from toolkit.commands.scoring.scores import Scoring, read_holdout, score_stores
from toolkit.commands.submitting.masks import Maker
from toolkit.core.recipe.postprocess import IDENTITY, recipe_to_plain
from toolkit.core.recipe.recipe import Recipe
from toolkit.files.datasets.truth import Truth
from toolkit.files.disk.digests import file_digest
from toolkit.files.disk.json_files import finite_or_none, write_json
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import Resolved
from toolkit.files.experiment.score_json import read_score
from toolkit.files.experiment.trained import read_predicted_folds
from toolkit.files.experiment.tuned import TunedRecipe
from toolkit.files.predictions.store import ProbabilityStore, store_digest
from toolkit.messages import Progress


@dataclass(frozen=True)
class Promise:
    """The scores that cross-validation promises for a submission.

    `oof` is the score of the out-of-fold predictions with its recipe, `nested` the nested score if that recipe was
    tuned on them, and `holdout` the score of the hold-out. A score that does not exist is None.
    """

    metric: str
    oof: float | None
    nested: float | None
    holdout: float | None = None


def promise_of(
    experiment: Experiment, truth: Truth, tuned: TunedRecipe | None, maker: Maker, progress: Progress
) -> Promise:
    """The scores that are promised for a submission; a recipe that was not scored before is scored here."""
    recipe = maker.recipe
    if tuned is not None and recipe == tuned.test_recipe:
        outside = None if tuned.holdout is None else tuned.holdout.submitted
        if tuned.recipe == tuned.best:
            return Promise(tuned.metric, tuned.tuned, tuned.nested, outside)
        return Promise(tuned.metric, tuned.untuned, None, outside)
    score = read_score(experiment)
    if recipe == IDENTITY:
        known = read_holdout(score)
        return Promise(score["metric"], score["all"], None, None if known is None else known.score)
    table = read_predicted_folds(experiment, truth.labelled.images.ids).out_of_fold
    (scores,) = score_stores(
        [ProbabilityStore(experiment.predictions("oof"))],
        truth.only(table.ids).labelled,
        table.folds,
        Scoring([truth.metric], recipe, truth.rules, maker.plugins),
        progress,
    )
    return Promise(score["metric"], finite_or_none(scores.all), None)


def write_provenance(
    path: Path,
    experiment: Experiment,
    resolved: Resolved,
    *,
    workspace: Path,
    recipe: Recipe,
    tuned: TunedRecipe | None,
    promise: Promise,
) -> None:
    """Write NAME.json beside a submission; `workspace` is the folder whose commit is recorded."""
    config = resolved.config
    # The scores of the tuned recipe do not hold for another one.
    is_tuned = tuned is not None and recipe == tuned.test_recipe
    tuned_scores = {name: getattr(tuned, name) for name in ("untuned", "tuned", "nested")} if is_tuned else {}
    holdout = {} if promise.holdout is None else {"holdout": promise.holdout}
    write_json(
        path.with_suffix(".json"),
        {
            "submission": path.name,
            "experiment": experiment.name,
            "members": list(config.get("members", [])),
            "weights": list(config.get("weights", [])),
            "views": config.get("views", "none"),
            "recipe": recipe_to_plain(recipe),
            "scores": {"metric": promise.metric, "oof": promise.oof, **holdout, **tuned_scores},
            "digests": {
                "submission": file_digest(path),
                "test_predictions": store_digest(experiment.predictions("test")),
                "oof_predictions": store_digest(experiment.predictions("oof")),
            },
            "versions": dict(resolved.versions),
            "git_commit": commit_of(workspace),
        },
    )


def commit_of(workspace: Path) -> str | None:
    """The commit of a folder, with `-dirty` if files differ; None outside a repository.

    An experiment may come from elsewhere, with a repository whose configuration names programs that git runs. So git is
    asked about the workspace only. Programs that watch its files are switched off, and files are not compared if the
    repository itself names programs that convert them.
    """
    if not (commit := _git(workspace, "rev-parse", "HEAD")):
        return None
    converters = _git(workspace, "config", "--local", "--get-regexp", r"^filter\.")
    changed = "" if converters else _git(workspace, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}-dirty" if changed else commit


def _git(folder: Path, *words: str) -> str:
    """What git answers; nothing if it fails or is missing."""
    off = ("core.fsmonitor=false", f"core.hooksPath={os.devnull}", "diff.ignoreSubmodules=all")
    command = ["git", "--no-optional-locks", *(word for setting in off for word in ("-c", setting)), *words]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
