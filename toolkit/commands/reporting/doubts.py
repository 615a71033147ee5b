"""The doubts of all checks in one place, and the command to type next."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from toolkit.commands.scoring.constant_score import read_constant
from toolkit.commands.scoring.scores import read_optimism
from toolkit.commands.scoring.stage_scores import better_stage
from toolkit.commands.session import Session
from toolkit.commands.submitting.lb import leaderboard
from toolkit.core.metrics.metric import Direction
from toolkit.core.metrics.registry import build_metric
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.errors import ToolkitError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import Resolved, config_of
from toolkit.files.experiment.score_json import StoredScore
from toolkit.files.experiment.trained import untrained_folds
from toolkit.files.experiment.tuned import TunedRecipe
from toolkit.files.predictions.store import is_made
from toolkit.messages import Silent, score_text
from toolkit.report.page.blocks import Notice
from toolkit.report.result import in_python

_FAR = 0.1
_FEWEST_OTHERS = 2
_OUTLYING, _LEAST_GAP = 4.0, 0.05
"""How far a fold must be from the mean of the others to be told: in their standard deviations, and as a score."""
_ORDER = ("error", "warning", "note")


@dataclass(frozen=True, eq=False)
class Known:
    """What the checks look at; `submittable` says whether a submission can hold the classes."""

    session: Session
    experiment: Experiment
    resolved: Resolved | None
    score: StoredScore | None
    tuned: TunedRecipe | None
    stale: str
    direction: Direction
    data: Mapping[str, Any] | None
    submittable: bool = True


def doubts_of(known: Known, missing: Mapping[str, str]) -> list[Notice]:
    """All doubts, the most serious first; `missing` says why parts of the page are not there."""
    found = [
        *_of_predictions(known),
        *_of_scores(known),
        *_of_data(known.data),
        *_of_leaderboard(known),
        *(Notice("note", reason, f"page: {part}") for part, reason in missing.items()),
    ]
    return sorted(dict.fromkeys(found), key=lambda one: _ORDER.index(one.level))


def next_step(known: Known) -> str:
    """The next command to type; a call where the dataset was given in Python, which commands lack."""
    experiment = known.experiment
    if known.resolved is not None and "dataset" in known.resolved.digests:
        return f"{in_python(str(experiment.folder))}.{'tune' if known.tuned is None else 'submit'}()"
    if known.resolved is None or known.score is None:
        return f"tk fit {experiment.name}" if not experiment.is_ensemble else "tk ensemble MEMBER MEMBER"
    if not experiment.is_ensemble and untrained_folds(experiment, known.resolved.config) is not None:
        return f"tk fit {experiment.name}"
    if known.tuned is None:
        return f"tk tune {experiment.name}"
    if known.submittable and is_made(experiment.predictions("test")):
        return f"tk submit {experiment.name}"
    return f"tk evaluate {experiment.name}"


def _of_predictions(known: Known) -> Iterator[Notice]:
    experiment, resolved = known.experiment, known.resolved
    if known.stale:
        yield Notice("error", known.stale, "tk tune")
    if resolved is None or experiment.is_ensemble:
        return
    untrained = untrained_folds(experiment, resolved.config)
    if untrained is not None:
        yield Notice("warning", untrained.describe(), "tk fit")
    if not resolved.primary_metric.is_plugin:
        with suppress(ToolkitError, ValidationError):
            config = config_of(experiment, resolved)
            metric = build_metric(config.metric_specs[0], config.class_count, config.activation)
            stage = better_stage(experiment, config, metric.is_better)
            if stage is not None:
                yield Notice("warning", stage.describe(), "tk fit")


def _of_scores(known: Known) -> Iterator[Notice]:
    score, tuned = known.score, known.tuned
    if score is None:
        return
    constant = read_constant(score, score["metric"])
    if constant is not None:
        best = None if tuned is None or tuned.metric != score["metric"] else tuned.nested
        shown = max(constant, constant.with_score(best, known.direction), key=lambda one: _or_lowest(one.gain))
        for text in shown.advice(tuned=tuned is not None):
            yield Notice("error", f"The predictions are {text}", "constant masks")
    yield from _of_folds(score, known.direction)
    optimism = read_optimism(score, score["metric"])
    if score_text(optimism) != score_text(0):
        text = f"The untuned score is about {score_text(optimism)} too high: the best epochs were chosen on the images"
        yield Notice("note", f"{text} that score them. The nested score is without it.", "tk fit")
    if tuned is None:
        return
    distance = tuned.shift.get("distance")
    if isinstance(distance, int | float) and distance > _FAR:
        text = (
            f"Probabilities of test images are distributed differently from out-of-fold ones (distance {distance:.2f})"
        )
        yield Notice("warning", f"{text}: the leaderboard may differ from the score.", "tk tune")
    if tuned.gap is not None and tuned.standard_error is not None and tuned.gap > 2 * tuned.standard_error > 0:
        honest = "the untuned recipe was kept: trust its score" if tuned.recipe == IDENTITY else "trust the nested one"
        yield Notice("note", f"The tuned score is {score_text(tuned.gap)} too high; {honest}.", "tk tune")
    yield from _of_holdout(tuned)


def _of_folds(score: StoredScore, direction: Direction) -> Iterator[Notice]:
    """A fold that is far worse than the others: its training may have failed, or its images are of another kind."""
    folds = [(number, one) for number, one in enumerate(score["folds"]) if one is not None]
    if len(folds) <= _FEWEST_OTHERS:
        return
    sign = 1 if direction == "max" else -1
    number, worst = min(folds, key=lambda pair: sign * pair[1])
    others = [one for other, one in folds if other != number]
    gap = sign * (statistics.fmean(others) - worst)
    if gap > max(_OUTLYING * statistics.stdev(others), _LEAST_GAP):
        usual = score_text(statistics.fmean(others))
        text = f"Fold {number} scores {score_text(worst)} untuned, far worse than the others ({usual} on average)"
        yield Notice("warning", f"{text}: look at its training curve, and at what its images have in common.", "folds")


def _of_holdout(tuned: TunedRecipe) -> Iterator[Notice]:
    found, (low, high) = tuned.holdout, tuned.interval
    if found is None or found.tuned is None or low is None or high is None or low <= found.tuned <= high:
        return
    text = f"The hold-out scores {score_text(found.tuned)} with the tuned recipe, outside the interval of the nested"
    yield Notice("warning", f"{text} score ({score_text(low)} – {score_text(high)}).", "hold-out")


def _of_data(data: Mapping[str, Any] | None) -> Iterator[Notice]:
    findings: Sequence[Mapping[str, Any]] = () if data is None else data.get("findings", ())
    for one in findings:
        if one["level"] != "note":
            yield Notice(one["level"], f"{one['message']}.", f"tk data: {one['check']}")


def _of_leaderboard(known: Known) -> Iterator[Notice]:
    if not known.session.workspace.submission_log.is_file():
        return
    with suppress(ToolkitError):
        for warning in leaderboard(Session(known.session.workspace, Silent())).warnings:
            yield Notice("warning", warning, "tk lb")


def _or_lowest(value: float | None) -> float:
    return -math.inf if value is None else value
