"""What the best trial is worth: its score where it was chosen, and the nested score on folds that did not choose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from toolkit.commands.comparing.comparable import candidate_of, matched
from toolkit.commands.comparing.compare import as_result, scores_of
from toolkit.commands.comparing.compare_result import PairedDifference
from toolkit.commands.scoring.scores import HoldoutScore, Scores, read_holdout, read_optimism
from toolkit.commands.training.trials.study_file import Trial
from toolkit.commands.training.trials.trial_experiments import trial_name
from toolkit.core.arrays import Floats
from toolkit.core.metrics.metric import Direction
from toolkit.core.metrics.uncertainty.bootstrap import bootstrap, paired
from toolkit.core.metrics.uncertainty.trial_choice import NestedChoice, nested_choice
from toolkit.errors import ToolkitError
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import FoldTable
from toolkit.files.experiment.score_json import StoredScore, known_score
from toolkit.messages import Progress


@dataclass(frozen=True)
class Estimate:
    """What is known of the choice among the finished trials; scores that do not exist are None.

    Attributes:
        winner: the number of the best trial.
        chosen: for each fold the number of the trial that is best on the others; empty with a single fold.
        optimistic: the score of the winner, on the images that chose it.
        nested: the score where each fold is predicted by the trial that the others chose.
        interval: the 95 % interval of `nested`.
        itself: the score of the experiment that is searched; None if it has none that can be compared.
        optimistic_gain: the difference of the winner from that experiment.
        nested_gain: the difference of the nested score from it.
        optimism: how much the choice of epochs adds to the score of the winner.
        holdout: the score of the winner on the hold-out, if there is one.
        notes: what could not be computed, and why.
    """

    winner: int
    chosen: tuple[int, ...]
    optimistic: float | None
    nested: float | None
    interval: tuple[float | None, float | None] = (None, None)
    itself: float | None = None
    optimistic_gain: PairedDifference | None = None
    nested_gain: PairedDifference | None = None
    optimism: float = 0.0
    holdout: HoldoutScore | None = None
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Scored:
    """The finished trials that can be chosen, with the scores of their folds, and how many images each fold has."""

    numbers: tuple[int, ...]
    folds: Floats
    images: Floats
    missing: tuple[int, ...] = ()


def scored_trials(experiment: Experiment, trials: Sequence[Trial], table: FoldTable) -> Scored:
    """The scores of all finished trials, from their score.json; `missing` have lost theirs.

    Raises:
        StorageError: a score.json is damaged.
    """
    numbers, scores, missing = [], [], []
    images = np.bincount(table.out_of_fold.folds, minlength=table.folds_count).astype(np.float64)
    for trial in trials:
        if trial.state != "finished":
            continue
        known = known_score(experiment.sibling(trial_name(experiment, trial.number)))
        folds = [] if known is None else [float("nan") if one is None else one for one in known["folds"]]
        if len(folds) != len(images) or np.isnan(folds).all():
            missing.append(trial.number)
            continue
        numbers.append(trial.number)
        scores.append(folds)
    found = np.array(scores, np.float64).reshape(len(scores), len(images))
    return Scored(tuple(numbers), found, images, tuple(missing))


def choose(scored: Scored, direction: Direction) -> NestedChoice | None:
    """The choice among trials by their fold scores; None while none is finished."""
    return nested_choice(scored.folds, scored.images, direction) if scored.numbers else None


def estimate(
    experiment: Experiment,
    scored: Scored,
    direction: Direction,
    progress: Progress,
    *,
    outdated: str = "",
) -> Estimate | None:
    """Judge the choice, with intervals of the paired differences from the experiment that is searched.

    Args:
        experiment: that is searched.
        scored: its finished trials.
        direction: whether more or less is better.
        progress: what shows progress.
        outdated: why the scores of the experiment itself are of no use; empty if they are.

    Returns:
        None while no trial is finished.
    """
    choice = choose(scored, direction)
    if choice is None:
        return None
    winner, chosen = scored.numbers[choice.best], tuple(scored.numbers[place] for place in choice.by_fold)
    own = _score_of(experiment, winner)
    metric = "" if own is None else own["metric"]
    found = Estimate(
        winner,
        chosen,
        choice.optimistic if own is None else own["all"],
        finite_or_none(choice.nested),
        optimism=read_optimism(own, metric),
        holdout=None if own is None else read_holdout(own),
    )
    notes = [outdated] if outdated else []
    if not chosen:
        notes.append(
            "there is a single fold, so nothing can judge the choice: search with folds_count of at least 2, or "
            "compare the scores on a hold-out (testSplit)"
        )
    return _with_images(experiment, found, progress, notes, compares=not outdated)


def _score_of(experiment: Experiment, number: int) -> StoredScore | None:
    return known_score(experiment.sibling(trial_name(experiment, number)))


def _with_images(
    experiment: Experiment, found: Estimate, progress: Progress, notes: list[str], *, compares: bool
) -> Estimate:
    """The estimate with what the scores of single images add: intervals, and the differences from the experiment."""
    wanted = dict.fromkeys([found.winner, *found.chosen])
    of_trials = {number: trial_name(experiment, number) for number in wanted}
    itself = candidate_of(experiment.name, experiment) if compares else None
    candidates = [candidate_of(name, experiment.sibling(name)) for name in of_trials.values()]
    if itself is not None:
        base = matched(itself, candidates[0])
        if base.store is None:
            notes.append(f"{experiment.name} itself is not compared: {base.reason}")
        else:
            candidates.append(base)
    try:
        scores = scores_of(candidates[0], [matched(one, candidates[0]) for one in candidates], "oof", progress)
    except ToolkitError as error:
        return replace(found, notes=(*notes, f"there are no intervals: {error.message}"))
    names = [of_trials[number] for number in wanted]
    if not all(name in scores for name in names):
        return replace(found, notes=(*notes, "there are no intervals: scores of single images are not known"))
    return _compared(experiment.name, replace(found, notes=tuple(notes)), scores, of_trials)


def _compared(name: str, found: Estimate, scores: Mapping[str, Scores], of_trials: Mapping[int, str]) -> Estimate:
    winner = scores[of_trials[found.winner]]
    metric, groups = winner.scored.metrics[0], winner.groups
    base = scores.get(name)
    if base is not None and (base.folds != winner.folds).any():
        base = None
        found = replace(found, notes=(*found.notes, f"{name} was trained with other folds, so it is not compared"))
    gains: dict[str, PairedDifference] = {}
    if base is not None:
        against = base.scored.statistics[0]
        gains["optimistic_gain"] = as_result(paired(metric, winner.scored.statistics[0], against, groups=groups))
    if found.chosen:
        # Each image with what the trial scores that the other folds have chosen.
        nested = winner.scored.statistics[0].copy()
        for fold, number in enumerate(found.chosen):
            of_fold = winner.folds == fold
            nested[of_fold] = scores[of_trials[number]].scored.statistics[0][of_fold]
        interval = bootstrap(metric, nested, groups=groups)
        bounds = (finite_or_none(interval.low), finite_or_none(interval.high))
        found = replace(found, nested=finite_or_none(metric.score(nested)), interval=bounds)
        if base is not None:
            gains["nested_gain"] = as_result(paired(metric, nested, base.scored.statistics[0], groups=groups))
    return replace(
        found,
        itself=None if base is None else finite_or_none(base.all),
        optimistic_gain=gains.get("optimistic_gain"),
        nested_gain=gains.get("nested_gain"),
    )
