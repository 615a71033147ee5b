"""Several experiments on one page: what `tk compare` finds, which images changed, and the leaderboard."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from toolkit.commands.comparing.compare import compare
from toolkit.commands.comparing.compare_result import Compared
from toolkit.commands.comparing.recorded_scores import image_scores
from toolkit.commands.reporting.chosen_images import Other
from toolkit.commands.session import Session
from toolkit.commands.submitting.lb import leaderboard
from toolkit.core.masks.labels import Classes
from toolkit.core.metrics.metric import Direction
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.recipe import Recipe
from toolkit.errors import ToolkitError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.tuned import read_tuned
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.files.submissions.log import SubmissionLog
from toolkit.messages import Silent
from toolkit.report.page.values import ChangedImage, ComparedRow, ComparisonValues

_SHOWN = 20


@dataclass(frozen=True, eq=False)
class Subject:
    """The experiment of the page: its name in the comparison, its metric, its images with their folds."""

    experiment: Experiment
    metric: str
    direction: Direction
    folds: dict[str, int]


def compared_values(session: Session, names: Sequence[str], subject: Subject) -> ComparisonValues:
    """Compare the experiments of these names with the first of them. Raises as `compare`."""
    found = compare(session, names, baseline=names[0])
    boards = {one.experiment: one for one in SubmissionLog(session.workspace.submission_log).read()}
    words = leaderboard(Session(session.workspace, Silent())).words if boards else []
    rows = [_row(one, boards.get(one.name)) for one in found.experiments]
    other = session.workspace.find(names[1])
    changed, counts = _changed(subject, other)
    keys = [(key, [one.keys[key] for one in found.experiments]) for key in found.experiments[0].keys]
    return ComparisonValues(rows, keys, found.notes, other.name if changed else "", changed[:_SHOWN], *counts, words)


def other_of(session: Session, name: str, subject: Subject, classes: Classes, ids: Sequence[str]) -> Other | None:
    """The second experiment with its predictions of the same images; None if it has others."""
    experiment = session.workspace.find(name)
    with suppress(ToolkitError):
        store = ProbabilityStore(experiment.predictions("oof"))
        scores = image_scores(experiment, subject.metric, "oof")
        if scores is None or not set(ids) <= set(store.ids):
            return None
        if store.read(ids[0]).shape[2] != classes.count:
            return None
        return Other(experiment.name, store, _recipe(experiment, classes), scores)
    return None


def _recipe(experiment: Experiment, classes: Classes) -> Recipe:
    """The kept recipe; the untuned one without any, and where it needs the code of the experiment."""
    with suppress(ToolkitError):
        recipe = read_tuned(experiment, classes.count, classes.activation).recipe
        return IDENTITY if any(rule.steps for rule in recipe.classes) else recipe
    return IDENTITY


def _row(one: Compared, board: object) -> ComparedRow:
    difference = one.difference
    known = None
    if difference is not None and None not in (difference.mean, difference.low, difference.high):
        known = (difference.mean or 0.0, difference.low or 0.0, difference.high or 0.0)
    return ComparedRow(
        one.name,
        one.kind,
        one.metric,
        one.mean,
        one.spread,
        one.all,
        one.tuned,
        one.nested,
        getattr(board, "public", None),
        getattr(board, "private", None),
        known,
        "" if difference is None else difference.verdict,
    )


def _changed(subject: Subject, other: Experiment) -> tuple[list[ChangedImage], tuple[int, int, int]]:
    """The images of both by how much their untuned scores differ, and how many are better, worse and equal."""
    ours = image_scores(subject.experiment, subject.metric, "oof")
    theirs = image_scores(other, subject.metric, "oof")
    if ours is None or theirs is None:
        return [], (0, 0, 0)
    found = [
        ChangedImage(image_id, subject.folds.get(image_id, -1), ours[image_id], theirs[image_id])
        for image_id in ours
        if image_id in theirs and not math.isnan(ours[image_id]) and not math.isnan(theirs[image_id])
    ]
    sign = 1 if subject.direction == "max" else -1
    gains = [sign * (one.theirs - one.ours) for one in found]
    better, worse = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    order = sorted(found, key=lambda one: -abs(one.theirs - one.ours))
    return [one for one in order if one.theirs != one.ours], (better, worse, len(found) - better - worse)
