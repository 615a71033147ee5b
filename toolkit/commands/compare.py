"""`tk compare`: which keys of experiments differ, and whether their scores do."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.commands.comparison import Compared, CompareResult, PairedDifference, TrainingTime, table_rows
from toolkit.commands.scoring import Scores, score_stores
from toolkit.config.loading import is_ensemble, load_config, load_ensemble, plain_config, with_relative_paths
from toolkit.core.differences import ABSENT, KeyDifference, differences
from toolkit.core.differences import written as written_value
from toolkit.core.measuring import Direction
from toolkit.core.postprocess import IDENTITY
from toolkit.core.resampling import Difference, paired
from toolkit.errors import ChangedError, ConfigError, DataError, MissingFileError, NotReadyError
from toolkit.files.experiment import Experiment, Workspace
from toolkit.files.fold_table import read_folds
from toolkit.files.history import read_history
from toolkit.files.resolved import Resolved, read_resolved
from toolkit.files.store import ProbabilityStore
from toolkit.files.tables import format_table
from toolkit.files.truth import truth_of
from toolkit.files.writing import finite_or_none, read_json, write_text
from toolkit.learning.plugins import Own
from toolkit.messages import Progress


@dataclass(frozen=True, eq=False)
class _Candidate:
    """An experiment as it lies on disk; `store` is None, and `reason` says why, where there is nothing to score."""

    name: str
    experiment: Experiment
    resolved: Resolved | None
    store: ProbabilityStore | None
    reason: str = ""

    @property
    def is_ensemble(self) -> bool:
        return is_ensemble(self.experiment.config)


def compare(
    workspace: Workspace,
    names: Sequence[str],
    *,
    baseline: str | None = None,
    sort_by: str | None = None,
    csv: Path | None = None,
    progress: Progress,
) -> CompareResult:
    """Compare experiments and ensembles with the first of them, or with `baseline`.

    All are scored by the baseline's metric where they predict the same images; others keep the scores that they were
    given when they were made, and have no paired difference.

    Args:
        workspace: where they are.
        names: names or paths of at least two, or of one and a baseline.
        baseline: name or path; it need not be one of `names`.
        sort_by: a column of the table of all figures.
        csv: a file to write that table to.
        progress: to talk to.

    Raises:
        ConfigError: fewer than two experiments, one of them twice, or no such column.
        MissingFileError: one is not there.
        StorageError: a file is damaged.
    """
    base, candidates = _candidates(workspace, names, baseline)
    candidates = [_without_what_differs(candidate, base) for candidate in candidates]
    scores, candidates = _scored(base, candidates, progress)
    keys = _keys(workspace, candidates)
    rows = [_compared(candidate, base, scores, keys) for candidate in candidates]
    result = CompareResult(base.name, _direction(base, scores), rows, _notes(base, candidates, rows))
    if sort_by is not None:
        result = replace(result, experiments=result.sorted_by(sort_by))
    if csv is not None:
        columns = result.columns()
        write_text(csv, format_table(columns, table_rows(result.experiments, columns)))
        result = replace(result, csv=str(csv))
    return result


def _candidates(
    workspace: Workspace, names: Sequence[str], baseline: str | None
) -> tuple[_Candidate, list[_Candidate]]:
    """The baseline, and all experiments; a baseline that is not among them becomes the first."""
    found = [workspace.find(name) for name in names]
    first = found[0] if baseline is None else workspace.find(baseline)
    folders = [experiment.folder.resolve() for experiment in found]
    if first.folder.resolve() not in folders:
        found, names = [first, *found], [str(baseline), *names]
    twice = {experiment.name for experiment in found if found.count(experiment) > 1}
    if twice:
        raise ConfigError(f"{', '.join(sorted(twice))} is named twice")
    if len(found) < 2:
        raise ConfigError(
            f"only {found[0].name} is named: there is nothing to compare it with",
            f"Name at least two: tk compare {found[0].name} EXPERIMENT",
        )
    same_name = [experiment.name for experiment in found]
    labels = [
        experiment.name if same_name.count(experiment.name) == 1 else given
        for experiment, given in zip(found, names, strict=True)
    ]
    candidates = [_candidate(label, experiment) for label, experiment in zip(labels, found, strict=True)]
    place = [candidate.experiment.folder.resolve() for candidate in candidates].index(first.folder.resolve())
    return candidates[place], candidates


def _candidate(name: str, experiment: Experiment) -> _Candidate:
    if not experiment.resolved.is_file():
        return _Candidate(name, experiment, None, None, f"it has not been fitted yet: tk fit {experiment.name}")
    resolved = read_resolved(experiment)
    try:
        return _Candidate(name, experiment, resolved, ProbabilityStore(experiment.predictions("oof")))
    except (NotReadyError, ChangedError) as error:
        return _Candidate(name, experiment, resolved, None, error.message)


def _without_what_differs(candidate: _Candidate, base: _Candidate) -> _Candidate:
    """A candidate whose images are not those of the baseline loses its store, and says why."""
    if candidate is base or candidate.store is None:
        return candidate
    reason = f"{base.name} has nothing to be compared with: {base.reason}" if base.store is None else ""
    return replace(candidate, store=None, reason=reason) if (reason := reason or _difference(candidate, base)) else candidate


def _difference(candidate: _Candidate, base: _Candidate) -> str:
    """Why the images of two experiments cannot be compared one by one; nothing if they can."""
    if candidate.store is None or base.store is None or candidate.resolved is None or base.resolved is None:
        return "there is nothing to score"
    for key in ("classes", "activation"):
        one, other = candidate.resolved.config[key], base.resolved.config[key]
        if one != other:
            return f"its {key} are {written_value(one)}, those of {base.name} {written_value(other)}"
    differing = sorted(set(candidate.store.ids).symmetric_difference(base.store.ids))
    if differing:
        listed = ", ".join(differing[:3])
        return f"{len(differing)} images are only in it or only in {base.name}, such as {listed}"
    for image_id in base.store.ids:
        if candidate.store.size(image_id) != base.store.size(image_id):
            return f"the image {image_id} has another size than in {base.name}"
    if candidate.resolved.digests.get("training_data") != base.resolved.digests.get("training_data"):
        return f"its images or masks have the same names as those of {base.name}, but other content"
    return ""


def _scored(
    base: _Candidate, candidates: Sequence[_Candidate], progress: Progress
) -> tuple[dict[str, Scores], list[_Candidate]]:
    """The scores of all that have a store, by name; without any store where the images cannot be read."""
    if base.store is None or base.resolved is None:
        return {}, list(candidates)
    comparable = {candidate.name: candidate for candidate in candidates if candidate.store is not None}
    try:
        truth = truth_of(base.experiment, base.resolved)
        scores = score_stores(
            [candidate.store for candidate in comparable.values() if candidate.store is not None],
            truth.labelled,
            read_folds(base.experiment.folds, truth.labelled.images.ids),
            [truth.metric],
            recipe=IDENTITY,
            benchmark=truth.benchmark,
            own=Own(_fitted(base.experiment)[0].config, progress),
            progress=progress,
        )
    except (MissingFileError, DataError, ChangedError) as error:
        return {}, [
            replace(candidate, store=None, reason=candidate.reason or error.message) for candidate in candidates
        ]
    own_folds = {
        name: read_folds(candidate.experiment.folds, truth.labelled.images.ids)
        for name, candidate in comparable.items()
    }
    found = zip(comparable, scores, strict=True)
    return {name: replace(score, folds=own_folds[name]) for name, score in found}, list(candidates)


def _direction(base: _Candidate, scores: Mapping[str, Scores]) -> Direction:
    return scores[base.name].judgement.metrics[0].direction if base.name in scores else "max"


def _keys(workspace: Workspace, candidates: Sequence[_Candidate]) -> list[KeyDifference]:
    """The keys that differ. What only experiments have is compared between experiments, not with ensembles."""
    trees = [_tree(workspace, candidate) for candidate in candidates]
    experiments = [not candidate.is_ensemble for candidate in candidates]
    ensembles_know = {key for tree, is_one in zip(trees, experiments, strict=True) if not is_one for key in tree}
    everybody = differences([{key: tree[key] for key in tree if key in ensembles_know or not any_ensemble} for tree in trees])
    return everybody


def _fitted(experiment: Experiment) -> list[Experiment]:
    """The experiment itself, or those inside an ensemble."""
    if not is_ensemble(experiment.config):
        return [experiment]
    members = load_ensemble(experiment.config).config.members
    inner = [one for member in members for one in _fitted(Experiment(experiment.folder.parent / member))]
    return list(dict.fromkeys(inner))
