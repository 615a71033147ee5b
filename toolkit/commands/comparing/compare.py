"""`tk compare`: the keys that differ between experiments, and whether their scores differ."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.commands.comparing.compare_result import (
    ALL,
    Compared,
    CompareResult,
    PairedDifference,
    TrainingTime,
    table_rows,
)
from toolkit.commands.comparing.differing_keys import differing_keys
from toolkit.commands.scoring.constant_score import ConstantScore, constant_score
from toolkit.commands.scoring.scores import Scores, Scoring, read_holdout, score_stores
from toolkit.commands.session import Session
from toolkit.config.data.classes import task_classes
from toolkit.config.metrics import read_metric
from toolkit.config.yaml.key_differences import written
from toolkit.core.metrics.metric import Direction
from toolkit.core.metrics.registry import build_metric
from toolkit.core.metrics.uncertainty.bootstrap import paired
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.errors import ChangedError, ConfigError, DataError, FoldsError, MissingFileError, NotReadyError, listing
from toolkit.files.datasets.truth import truth_of
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import finite_or_none, read_json, write_text
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.experiment.history import Epoch, read_history
from toolkit.files.experiment.members import Member, members_of
from toolkit.files.experiment.resolved import Resolved, data_of, read_resolved
from toolkit.files.experiment.trained import read_predicted_folds
from toolkit.files.experiment.tuned import TunedRecipe, read_tuned
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.learning.plugins import Plugins
from toolkit.messages import Progress


@dataclass(frozen=True, eq=False)
class _Candidate:
    """An experiment as it is on disk.

    `store` is None if its images cannot be compared with those of the baseline, and `reason` tells why. `tuned` is None
    if it was tuned on earlier predictions, and `stale` tells why. `holdout` is None without a hold-out, and if the
    hold-out differs from that of the baseline, and `holdout_reason` tells why.
    """

    name: str
    experiment: Experiment
    resolved: Resolved | None
    store: ProbabilityStore | None
    tuned: TunedRecipe | None = None
    reason: str = ""
    stale: str = ""
    holdout: ProbabilityStore | None = None
    holdout_reason: str = ""


def compare(
    session: Session,
    names: Sequence[str],
    *,
    baseline: str | None = None,
    sort_by: str | None = None,
    csv: Path | None = None,
) -> CompareResult:
    """Compare experiments and ensembles with the first of them, or with `baseline`.

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
    names, skipped = _experiments_among(session.workspace, names)
    candidates, place = _candidates(session.workspace, names, baseline)
    base = candidates[place]
    candidates = [candidate if candidate is base else _matched(candidate, base) for candidate in candidates]
    scores: dict[str, Scores] = {}
    outside: dict[str, Scores] = {}
    try:
        scores = _scores(base, candidates, "oof", session.progress)
        outside = _scores(base, candidates, "holdout", session.progress)
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
    result = CompareResult(
        base.name, _direction(base, scores), rows, [*skipped, *_notes(candidates, base.name, scores)]
    )
    result = replace(result, constant=_constant_of(scores[base.name]) if base.name in scores else None)
    if sort_by is not None:
        result = replace(result, experiments=result.sorted_by(sort_by, _directions(candidates, sort_by)))
    if csv is not None:
        columns = result.columns()
        write_text(csv, format_table(columns, table_rows(result.experiments, columns)))
        result = replace(result, csv=str(csv))
    return result


def _experiments_among(workspace: Workspace, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of experiments, and a note on each file or folder that is none, as `experiments/*` has them.

    Raises:
        MissingFileError: there is nothing by a name, or nothing is an experiment.
    """
    found, notes = [], []
    for name in names:
        try:
            workspace.find(name)
        except MissingFileError:
            if not (workspace.root / name).exists() or len(names) == 1:
                raise
            notes.append(f"{name} is skipped: it is no experiment, because it holds no config.yaml")
        else:
            found.append(name)
    if not found:
        raise MissingFileError(f"none of these is an experiment: {listing(names)}", "To list experiments: tk ls")
    return found, notes


def _candidates(workspace: Workspace, names: Sequence[str], baseline: str | None) -> tuple[list[_Candidate], int]:
    """All experiments and the index of the baseline among them; a baseline that is not in `names` comes first."""
    given = list(names)
    found = [workspace.find(name) for name in names]
    place = 0
    if baseline is not None:
        first = workspace.find(baseline)
        if first not in found:
            found, given = [first, *found], [baseline, *given]
        place = found.index(first)
    twice = sorted({experiment.name for experiment in found if found.count(experiment) > 1})
    if twice:
        raise ConfigError(f"{', '.join(twice)} is named twice")
    if len(found) < 2:
        raise ConfigError(
            f"there is nothing to compare {found[0].name} with",
            f"Add another experiment: tk compare {found[0].name} EXPERIMENT",
        )
    # Experiments of different folders may have the same name.
    known = [experiment.name for experiment in found]
    labels = [name if known.count(name) == 1 else text for name, text in zip(known, given, strict=True)]
    return [_candidate(label, experiment) for label, experiment in zip(labels, found, strict=True)], place


def _candidate(name: str, experiment: Experiment) -> _Candidate:
    if not experiment.resolved.is_file():
        return _Candidate(name, experiment, None, None, reason="it has not been fitted yet")
    candidate = _Candidate(name, experiment, read_resolved(experiment), None)
    try:
        candidate = replace(candidate, store=ProbabilityStore(experiment.predictions("oof")))
        if experiment.predictions("holdout").is_dir():
            candidate = replace(candidate, holdout=ProbabilityStore(experiment.predictions("holdout")))
    except (NotReadyError, ChangedError) as error:
        candidate = replace(candidate, reason=error.message)
    try:
        return replace(candidate, tuned=_tuned(candidate))
    except ChangedError as error:
        return replace(candidate, stale=error.message)


def _tuned(candidate: _Candidate) -> TunedRecipe | None:
    experiment, resolved = candidate.experiment, candidate.resolved
    if resolved is None or not experiment.tuned.is_file():
        return None
    config = resolved.config
    classes = task_classes(config["classes"], config["activation"], data_of(experiment, resolved))
    return read_tuned(experiment, classes.count, classes.activation)


def _matched(candidate: _Candidate, base: _Candidate) -> _Candidate:
    """The candidate, without stores that hold other images than those of the baseline."""
    unfit = candidate.reason or (base.reason and f"{base.name}: {base.reason}") or _other_task(candidate, base)
    reason = unfit or _other_images(candidate, base, candidate.store, base.store)
    if reason:
        candidate = replace(candidate, store=None, reason=reason)
    if candidate.holdout is None or base.holdout is None:
        return replace(candidate, holdout=None)
    reason = unfit or _other_images(candidate, base, candidate.holdout, base.holdout)
    return replace(candidate, holdout=None, holdout_reason=reason) if reason else candidate


def _other_task(candidate: _Candidate, base: _Candidate) -> str:
    """Why the predictions of two experiments cannot be compared; empty if they can."""
    if candidate.resolved is None or base.resolved is None:
        return "there are no predictions"
    for key in ("classes", "activation"):
        one, other = candidate.resolved.config[key], base.resolved.config[key]
        if one != other:
            return f"{key} is {written(one)}, but {written(other)} in {base.name}"
    return ""


def _other_images(
    candidate: _Candidate, base: _Candidate, ours: ProbabilityStore | None, theirs: ProbabilityStore | None
) -> str:
    """Why the images of two experiments cannot be compared one by one; empty if they can."""
    if ours is None or theirs is None or candidate.resolved is None or base.resolved is None:
        return "there are no predictions"
    differing = sorted(set(ours.ids).symmetric_difference(theirs.ids))
    if differing:
        return f"{len(differing)} images are in only one of {candidate.name} and {base.name}: {listing(differing, 3)}"
    resized = [image_id for image_id in theirs.ids if ours.size(image_id) != theirs.size(image_id)]
    if resized:
        return f"{len(resized)} images have a different size in {base.name}: {listing(resized, 3)}"
    if candidate.resolved.digests.get("training_data") != base.resolved.digests.get("training_data"):
        return f"its images or masks have the names of those of {base.name}, but different content"
    return ""


def _scores(base: _Candidate, candidates: Sequence[_Candidate], split: Split, progress: Progress) -> dict[str, Scores]:
    """The scores, by name, of all experiments that can be compared with the baseline image by image."""
    found = {one.name: one.store if split == "oof" else one.holdout for one in candidates}
    stores = {name: store for name, store in found.items() if store is not None}
    if base.name not in stores or base.resolved is None:
        return {}
    truth = truth_of(base.experiment, base.resolved)
    ids = truth.labelled.images.ids
    tables = {one.name: read_predicted_folds(one.experiment, ids) for one in candidates if one.name in stores}
    parts = {name: table.out_of_fold if split == "oof" else table.holdout for name, table in tables.items()}
    truth = truth.only(parts[base.name].ids)
    scoring = Scoring([truth.metric], IDENTITY, truth.rules, Plugins.of(base.experiment, progress))
    wanted = list(stores.values())
    folds = parts[base.name].folds
    scores = score_stores(wanted, truth.labelled, folds, scoring, progress, with_constant=split == "oof")
    return {
        name: replace(found, folds=parts[name].folds, groups=parts[base.name].group_numbers)
        for name, found in zip(stores, scores, strict=True)
    }


def _direction(base: _Candidate, scores: dict[str, Scores]) -> Direction:
    if base.name in scores:
        return scores[base.name].scored.metrics[0].direction
    if base.resolved is None:
        return "max"
    plugins = Plugins.of(base.experiment)
    return build_metric(base.resolved.primary_metric, 1, "sigmoid", plugins).direction


def _directions(candidates: Sequence[_Candidate], column: str) -> dict[str, Direction]:
    """Whether more is better, for the metrics of all experiments by label; empty if the column is not about them."""
    found: dict[str, Direction] = {}
    for one in candidates if column.startswith(ALL) else ():
        config = {} if one.resolved is None else one.resolved.config
        plugins = Plugins.of(one.experiment)
        for value in (config.get("primary_metric"), *config.get("metrics", ())):
            if value is not None:
                spec = read_metric(value)
                found[spec.label] = build_metric(spec, 1, "sigmoid", plugins).direction
    return found


def _compared(
    candidate: _Candidate,
    baseline: str,
    scores: dict[str, Scores],
    outside: dict[str, Scores],
    keys: dict[str, str],
) -> Compared:
    experiment = candidate.experiment
    tree = read_json(experiment.score) if experiment.score.is_file() else {}
    if candidate.name in scores:
        found = scores[candidate.name]
        metric, folds, everything = (
            found.metric,
            [finite_or_none(score) for score in found.by_fold],
            finite_or_none(found.all),
        )
    else:
        metric, folds, everything = tree.get("metric", ""), tree.get("folds", []), tree.get("all")
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
        metrics=tree.get("metrics", {}),
    )


def _holdout_score(name: str, metric: str, outside: dict[str, Scores], tree: Mapping[str, Any]) -> float | None:
    """The score of the hold-out by a metric, as scored here or when the experiment was finished."""
    if name in outside:
        return finite_or_none(outside[name].all)
    known = read_holdout(tree)
    return known.score if known is not None and tree["metric"] == metric else None


def _tuned_on_holdout(candidate: _Candidate, metric: str) -> float | None:
    tuned = candidate.tuned
    return tuned.holdout.tuned if tuned and tuned.holdout and tuned.metric == metric else None


def _difference(name: str, baseline: str, scores: dict[str, Scores]) -> PairedDifference | None:
    if name == baseline or name not in scores or baseline not in scores:
        return None
    ours, theirs = scores[name].scored, scores[baseline].scored
    found = paired(ours.metrics[0], ours.statistics[0], theirs.statistics[0], groups=scores[baseline].groups)
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


def _notes(candidates: Sequence[_Candidate], baseline: str, scores: dict[str, Scores]) -> list[str]:
    """The limits of the comparison, and their reasons."""
    notes = [f"{one.name} is not compared image by image: {one.reason}" for one in candidates if one.reason]
    notes += [f"{one.name} has no tuned scores: {one.stale}" for one in candidates if one.stale]
    notes += [
        f"the hold-out of {one.name} differs from that of {baseline}: {one.holdout_reason}"
        for one in candidates
        if one.holdout_reason and one.holdout_reason != one.reason
    ]
    for name, one in scores.items():
        constant = _constant_of(one)
        notes += [f"{name}: {advice}" for advice in (constant.advice() if constant else ())]
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
