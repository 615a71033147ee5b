"""`tk compare`: the keys that differ between experiments, and whether their scores differ."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from toolkit.commands.comparing.comparable import NOT_FITTED, Candidate, candidates_of, experiments_among, matched
from toolkit.commands.comparing.compare_result import (
    ALL,
    Compared,
    CompareResult,
    PairedDifference,
    TrainingTime,
    table_rows,
)
from toolkit.commands.comparing.differing_keys import differing_keys
from toolkit.commands.comparing.recorded_scores import direction_of, needs_own_code, recorded_scores
from toolkit.commands.scoring.constant_score import ConstantScore, constant_score
from toolkit.commands.scoring.scores import Scores, Scoring, read_holdout, score_stores
from toolkit.commands.scoring.stage_scores import BetterStage, better_stage
from toolkit.commands.session import Session
from toolkit.config.metrics import read_metric
from toolkit.config.yaml.key_differences import written
from toolkit.core.metrics.metric import Direction
from toolkit.core.metrics.registry import build_metric
from toolkit.core.metrics.uncertainty.bootstrap import Difference, paired
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.errors import ChangedError, DataError, FoldsError, MissingFileError, ToolkitError
from toolkit.files.datasets.truth import truth_of
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.experiment.history import Epoch, read_history
from toolkit.files.experiment.members import Member, members_of
from toolkit.files.experiment.resolved import config_of
from toolkit.files.experiment.score_json import StoredScore, known_score
from toolkit.files.experiment.trained import read_predicted_folds
from toolkit.messages import Progress


def compare(
    session: Session,
    names: Sequence[str],
    *,
    baseline: str | None = None,
    sort_by: str | None = None,
    csv: Path | None = None,
) -> CompareResult:
    """Compare experiments and ensembles with the first of them that was fitted, or with `baseline`.

    Experiments that predict the same images as the baseline are scored by the baseline's metric. The others keep the
    score that they were finished with, and have no paired difference. Files and folders that are no experiments are
    skipped, and a note names them.

    Args:
        session: the folder of all experiments, and what shows progress.
        names: names or paths of at least two experiments, or of one and a baseline.
        baseline: name or path; it need not be one of `names`.
        sort_by: a column of the CSV table.
        csv: a file to write the table of all figures to.

    Raises:
        ConfigError: there are fewer than two experiments, one is named twice, or there is no such column.
        MissingFileError: an experiment does not exist.
        StorageError: a file is damaged.
    """
    names, skipped = experiments_among(session.workspace, names)
    candidates, place, chosen = candidates_of(session.workspace, names, baseline)
    base = candidates[place]
    candidates = [candidate if candidate is base else matched(candidate, base) for candidate in candidates]
    scores: dict[str, Scores] = {}
    outside: dict[str, Scores] = {}
    try:
        scores = scores_of(base, candidates, "oof", session.progress)
        outside = scores_of(base, candidates, "holdout", session.progress)
    except (MissingFileError, DataError, FoldsError, ChangedError) as error:
        candidates = [replace(one, store=None, reason=one.reason or error.message) for one in candidates]
    keys = differing_keys([candidate.experiment for candidate in candidates], session.workspace.root)
    rows = [
        _compared(
            candidate,
            base.name,
            scores,
            outside,
            {difference.key: written(difference.values[index]) for difference in keys},
        )
        for index, candidate in enumerate(candidates)
    ]
    direction = _direction(base, scores)
    notes = [*skipped, *chosen, *_notes(candidates, base.name, scores), *_notes_of_scores(candidates, rows, scores)]
    result = CompareResult(base.name, direction, rows, notes)
    result = replace(result, constant=_constant_of(scores[base.name]) if base.name in scores else None)
    if sort_by is not None:
        result = replace(result, experiments=result.sorted_by(sort_by, _directions(candidates, sort_by)))
    if csv is not None:
        columns = result.columns()
        write_text(csv, format_table(columns, table_rows(result.experiments, columns)))
        result = replace(result, csv=str(csv))
    return result


def scores_of(base: Candidate, candidates: Sequence[Candidate], split: Split, progress: Progress) -> dict[str, Scores]:
    """The scores, by name, of all experiments that can be compared with the baseline image by image."""
    found = {one.name: one.store if split == "oof" else one.holdout for one in candidates}
    stores = {name: store for name, store in found.items() if store is not None}
    if base.name not in stores or base.resolved is None:
        return {}
    own = needs_own_code(base)
    truth = None if own else truth_of(base.experiment, base.resolved)
    ids = None if truth is None else truth.labelled.images.ids
    tables = {one.name: read_predicted_folds(one.experiment, ids) for one in candidates if one.name in stores}
    parts = {name: table.out_of_fold if split == "oof" else table.holdout for name, table in tables.items()}
    if truth is None:
        of = {one.name: (one, parts[one.name]) for one in candidates if one.name in parts}
        return recorded_scores(base, of, split)
    truth = truth.only(parts[base.name].ids)
    scoring = Scoring([truth.metric], IDENTITY, truth.rules)
    wanted = list(stores.values())
    folds = parts[base.name].folds
    scores = score_stores(wanted, truth.labelled, folds, scoring, progress, with_constant=split == "oof")
    return {
        name: replace(found, folds=parts[name].folds, groups=parts[base.name].group_numbers)
        for name, found in zip(stores, scores, strict=True)
    }


def _direction(base: Candidate, scores: dict[str, Scores]) -> Direction:
    if base.name in scores:
        return scores[base.name].scored.metrics[0].direction
    if base.resolved is None:
        return "max"
    return direction_of(base.experiment, base.resolved.primary_metric)


def _directions(candidates: Sequence[Candidate], column: str) -> dict[str, Direction]:
    """Whether more is better, for the metrics of all experiments by label; empty if the column is not about them."""
    found: dict[str, Direction] = {}
    for one in candidates if column.startswith(ALL) else ():
        config = {} if one.resolved is None else one.resolved.config
        for value in (config.get("primary_metric"), *config.get("metrics", ())):
            if value is not None:
                spec = read_metric(value)
                found[spec.label] = direction_of(one.experiment, spec)
    return found


def _compared(
    candidate: Candidate,
    baseline: str,
    scores: dict[str, Scores],
    outside: dict[str, Scores],
    keys: dict[str, str],
) -> Compared:
    experiment = candidate.experiment
    tree = known_score(experiment)
    if candidate.name in scores:
        found = scores[candidate.name]
        metric, folds, everything = (
            found.metric,
            [finite_or_none(score) for score in found.by_fold],
            finite_or_none(found.all),
        )
    else:
        metric, folds, everything = ("", [], None) if tree is None else (tree["metric"], tree["folds"], tree["all"])
    tuned = candidate.tuned if candidate.tuned is not None and candidate.tuned.metric == metric else None
    known = [score for score in folds if score is not None]
    return Compared(
        name=candidate.name,
        kind="ensemble" if experiment.is_ensemble else "experiment",
        metric=metric,
        folds=folds,
        mean=statistics.fmean(known) if known else None,
        spread=statistics.stdev(known) if len(known) > 1 else None,
        all=everything,
        tuned=tuned.tuned if tuned else None,
        nested=tuned.nested if tuned else None,
        difference=_difference(candidate.name, baseline, scores),
        unpaired=candidate.reason,
        time=_time(experiment),
        keys=keys,
        holdout=_holdout_score(candidate.name, metric, outside, tree),
        holdout_tuned=_tuned_on_holdout(
            candidate, outside[candidate.name].metric if candidate.name in outside else metric
        ),
        holdout_difference=_difference(candidate.name, baseline, outside),
        metrics={} if tree is None else tree.get("metrics", {}),
    )


def _holdout_score(name: str, metric: str, outside: dict[str, Scores], tree: StoredScore | None) -> float | None:
    """The score of the hold-out by a metric, as scored here or when the experiment was finished."""
    if name in outside:
        return finite_or_none(outside[name].all)
    known = None if tree is None or tree["metric"] != metric else read_holdout(tree)
    return None if known is None else known.score


def _tuned_on_holdout(candidate: Candidate, metric: str) -> float | None:
    tuned = candidate.tuned
    return tuned.holdout.tuned if tuned and tuned.holdout and tuned.metric == metric else None


def _difference(name: str, baseline: str, scores: dict[str, Scores]) -> PairedDifference | None:
    if name == baseline or name not in scores or baseline not in scores:
        return None
    ours, theirs = scores[name].scored, scores[baseline].scored
    found = paired(ours.metrics[0], ours.statistics[0], theirs.statistics[0], groups=scores[baseline].groups)
    return as_result(found)


def as_result(found: Difference) -> PairedDifference:
    """A difference as results have it."""
    mean, low, high = (finite_or_none(number) for number in (found.mean, found.low, found.high))
    return PairedDifference(mean, low, high, finite_or_none(found.standard_error), found.verdict)


def _constant_of(scores: Scores) -> ConstantScore | None:
    if scores.constant is None:
        return None
    return constant_score(scores.scored.metrics[0], scores.scored.statistics[0], scores.constant, scores.groups)


def _time(experiment: Experiment) -> TrainingTime | None:
    """Epochs and seconds from history.csv of all folds, seeds and stages; for an ensemble, of all its experiments."""
    epochs = [epoch for inner in _fitted(Member(experiment)) for epoch in _history(inner)]
    return TrainingTime(len(epochs), sum(epoch.seconds for epoch in epochs)) if epochs else None


def _history(experiment: Experiment) -> list[Epoch]:
    return [epoch for stage in experiment.begun_stages() for epoch in read_history(stage)]


def _fitted(member: Member) -> list[Experiment]:
    """The experiment itself, or each experiment in an ensemble once, even if only a part of it is a member."""
    if not member.is_ensemble:
        return [member.experiment]
    return list(dict.fromkeys(fitted for inner in members_of(member.experiment)[0] for fitted in _fitted(inner)))


def _notes(candidates: Sequence[Candidate], baseline: str, scores: dict[str, Scores]) -> list[str]:
    """The limits of the comparison, and their reasons."""
    new = [one.name for one in candidates if one.reason == NOT_FITTED]
    notes = [f"not fitted yet, so only keys are compared: {', '.join(new)}"] if new else []
    others = [one for one in candidates if one.reason and one.reason != NOT_FITTED]
    notes += [f"{one.name} is not compared image by image: {one.reason}" for one in others]
    notes += [f"{one.name} has no tuned scores: {one.stale}" for one in candidates if one.stale]
    notes += [
        f"the hold-out of {one.name} differs from that of {baseline}: {one.holdout_reason}"
        for one in candidates
        if one.holdout_reason and one.holdout_reason != one.reason
    ]
    for candidate in candidates:
        found, base = scores.get(candidate.name), scores.get(baseline)
        if found is None or base is None or candidate.resolved is None:
            continue
        if (found.folds != base.folds).any():
            notes.append(f"{candidate.name} has other folds than {baseline}: compare only the scores of all images")
        label = candidate.resolved.primary_metric.label
        if not found.metric.startswith(label):
            notes.append(f"the metric of {candidate.name} is {label}; here it is scored by {found.metric}")
    return notes


def _notes_of_scores(candidates: Sequence[Candidate], rows: Sequence[Compared], scores: dict[str, Scores]) -> list[str]:
    """Which scores are not better than constant masks, and which experiments had a better stage than the last one."""
    notes = []
    for candidate, row in zip(candidates, rows, strict=True):
        found = scores.get(candidate.name)
        if found is not None and (constant := _constant_of(found)) is not None:
            # The best score that the table shows, as long as it is honest.
            direction = found.scored.metrics[0].direction
            shown = constant if row.nested is None else constant.with_score(row.nested, direction)
            better = max(constant, shown, key=lambda one: -math.inf if one.gain is None else one.gain)
            notes += [f"{candidate.name}: {advice}" for advice in better.advice(tuned=row.nested is not None)]
        stage = _better_stage(candidate)
        notes += [] if stage is None else [stage.describe()]
    return notes


def _better_stage(candidate: Candidate) -> BetterStage | None:
    experiment, resolved = candidate.experiment, candidate.resolved
    if resolved is None or experiment.is_ensemble or resolved.primary_metric.is_plugin:
        return None  # the code of others is not run to learn which scores of their own metrics are better
    try:
        config = config_of(experiment, resolved)
    except (ValidationError, ToolkitError):  # written by another version, or with plugins that no longer exist
        return None
    metric = build_metric(config.metric_specs[0], config.class_count, config.activation)
    return better_stage(experiment, config, metric.is_better)
