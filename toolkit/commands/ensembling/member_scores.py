"""Scores of an ensemble and of its members, and whether it beats the best of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.commands.ensembling.blending import Ensemble
from toolkit.commands.scoring.constant_score import ConstantScore, read_constant
from toolkit.commands.scoring.overlays import write_overlays
from toolkit.commands.scoring.scores import HoldoutScore, Scores, Scoring, read_optimism, score_stores, write_scores
from toolkit.core.arrays import Floats
from toolkit.core.metrics.metric import Direction, Metric
from toolkit.core.metrics.uncertainty.bootstrap import Verdict as Word
from toolkit.core.metrics.uncertainty.bootstrap import bootstrap, paired
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.files.datasets.truth import Truth, only, truth_of
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.experiment.folds_csv import FoldTable
from toolkit.files.experiment.members import Member
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.experiment.score_json import known_score, read_score
from toolkit.files.experiment.trained import read_predicted_folds
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.messages import Progress, score_text


@dataclass(frozen=True)
class MemberScore:
    """A member's out-of-fold score, plain and with the views of the ensemble; None where the metric skips all.

    `interval` is the 95 % bootstrap interval of the score with views. `images` is the number of images with out-of-fold
    predictions: for a single fold, its held-out images. `holdout` is the score of the hold-out with views.
    """

    name: str
    weight: float
    plain: float | None
    with_views: float | None
    interval: tuple[float | None, float | None]
    images: int
    holdout: float | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether an ensemble beats its best member: both scores, their paired difference and its standard error."""

    member: str
    ensemble_score: float | None
    member_score: float | None
    difference: float | None
    standard_error: float | None
    word: Word

    def describe(self) -> str:
        """The verdict as one sentence."""
        figures = (
            f"{score_text(self.ensemble_score)} against {score_text(self.member_score)}, "
            f"{score_text(self.difference, signed=True)} ± {score_text(self.standard_error)}"
        )
        told = {
            "better": f"the ensemble is better than its best member, {self.member}: {figures}",
            "worse": f"the ensemble is worse than its best member, {self.member}: {figures}",
            "cannot tell": f"the ensemble is indistinguishable from its best member, {self.member}: {figures}",
        }
        return told[self.word]


@dataclass(frozen=True)
class EnsembleScores:
    """Out-of-fold scores of the ensemble and its members, untuned.

    `holdout` is the ensemble's score on the hold-out, if there is one; `holdout_verdict` compares it there with the
    member that is best out of fold.
    """

    metric: str
    direction: Direction
    members: list[MemberScore]
    folds: list[float | None]
    all: float | None
    interval: tuple[float | None, float | None]
    verdict: Verdict | None
    holdout: HoldoutScore | None = None
    holdout_verdict: Verdict | None = None
    constant: ConstantScore | None = None


def score_members(
    ensemble: Ensemble,
    plain: Sequence[Path],
    viewed: Sequence[Path],
    *,
    held_out: Sequence[Path] = (),
    plugins: Mapping[str, Any],
    progress: Progress,
) -> EnsembleScores:
    """Score an ensemble and its members, and write score.json, scores.csv and overlays.png.

    Args:
        ensemble: the ensemble, with its out-of-fold predictions.
        plain: the folders of the members' out-of-fold predictions without views.
        viewed: the same with the views of the ensemble; the same folders if it has none.
        held_out: the folders of hold-out predictions with these views; members without weight may have none.
        plugins: metrics from plugins by name.
        progress: shows progress.
    """
    experiment, members, config = ensemble.experiment, ensemble.members, ensemble.config
    truth = truth_of(experiment, read_resolved(experiment))
    labelled = truth.labelled.images.ids
    table = read_predicted_folds(experiment, labelled)
    scorer = _Scorer(truth, table, plugins, progress, own=experiment.predictions("oof"))
    every, outside = frozenset(table.out_of_fold.ids), frozenset(table.holdout.ids)
    seen = [member.images(labelled) for member in members]
    own_folder = experiment.predictions("oof")
    scorer.score([own_folder, *_of_all(plain, seen, every), *_of_all(viewed, seen, every)], every)
    for folder, ids in zip([*plain, *viewed], [*seen, *seen], strict=True):
        scorer.score([folder], ids)
    blended = scorer.found[own_folder, every]
    write_overlays(experiment, ProbabilityStore(own_folder), only(truth.labelled, every), blended, IDENTITY)
    if held_out:
        counted = [folder for folder, weight in zip(held_out, config.weights, strict=True) if weight]
        scorer.score([experiment.predictions("holdout"), *counted], outside)
    theirs = [scorer.found.get((folder, outside)) for folder in held_out] or [None] * len(members)
    ours = scorer.found.get((experiment.predictions("holdout"), outside))
    optimism = _optimism(members, config.weights, blended.metric)
    write_scores(experiment, blended, ours, rules=truth.rules, optimism=optimism)
    metric = blended.scored.metrics[0]
    pairs = [
        (scorer.found[one, ids], scorer.found[other, ids]) for one, other, ids in zip(plain, viewed, seen, strict=True)
    ]
    found = [
        MemberScore(
            member.name,
            weight,
            finite_or_none(without.all),
            finite_or_none(with_views.all),
            _interval(metric, with_views),
            len(with_views.ids),
            None if outside_scores is None else finite_or_none(outside_scores.all),
        )
        for member, weight, (without, with_views), outside_scores in zip(
            members, config.weights, pairs, theirs, strict=True
        )
    ]
    best = _best(metric, len(every), config.weights, pairs)
    verdict, on_holdout = None, None
    if best is not None:
        number, scores = best
        verdict = _verdict(metric, members[number].name, blended, scores)
        on_holdout = _verdict(metric, members[number].name, ours, theirs[number])
    return EnsembleScores(
        blended.metric,
        metric.direction,
        found,
        [finite_or_none(score) for score in blended.by_fold],
        finite_or_none(blended.all),
        _interval(metric, blended),
        verdict,
        None if ours is None else HoldoutScore(len(ours.ids), finite_or_none(ours.all)),
        None if _is_alone(config.weights) else on_holdout,
        read_constant(read_score(experiment), blended.metric),
    )


class _Scorer:
    """Scores stores, each once for a set of images; several over the same images in one pass."""

    def __init__(
        self, truth: Truth, table: FoldTable, plugins: Mapping[str, Any], progress: Progress, *, own: Path
    ) -> None:
        """`own` are the predictions of the ensemble, which are compared with constant masks."""
        self._truth, self._table, self._plugins, self._progress = truth, table, plugins, progress
        self._own = own
        self.found: dict[tuple[Path, frozenset[str]], Scores] = {}

    def score(self, folders: Sequence[Path], ids: frozenset[str]) -> None:
        """Score what is not scored yet."""
        missing = [folder for folder in dict.fromkeys(folders) if (folder, ids) not in self.found]
        if not missing:
            return
        data = self._truth.labelled
        inside = np.array([image_id in ids for image_id in data.images.ids])
        scores = score_stores(
            [ProbabilityStore(folder) for folder in missing],
            only(data, ids),
            self._table.folds[inside],
            Scoring([self._truth.metric], IDENTITY, self._truth.rules, self._plugins),
            self._progress,
            with_constant=self._own in missing,
        )
        groups = self._table.of(np.flatnonzero(inside)).group_numbers
        for folder, found in zip(missing, scores, strict=True):
            self.found[folder, ids] = replace(found, groups=groups)


def _of_all(folders: Sequence[Path], seen: Sequence[frozenset[str]], every: frozenset[str]) -> list[Path]:
    """The predictions of members that have all images."""
    return [folder for folder, ids in zip(folders, seen, strict=True) if ids == every]


def _optimism(members: Sequence[Member], weights: Sequence[float], metric: str) -> float:
    """The mean of what the scores of the members are too good by, because they chose the epochs."""
    trees = [known_score(member.experiment) for member in members]
    return float(np.average([read_optimism(tree, metric) for tree in trees], weights=weights))


def _statistics(scores: Scores) -> Floats:
    return scores.scored.statistics[0]


def _interval(metric: Metric, scores: Scores) -> tuple[float | None, float | None]:
    found = bootstrap(metric, _statistics(scores), groups=scores.groups)
    return finite_or_none(found.low), finite_or_none(found.high)


def _is_alone(weights: Sequence[float]) -> bool:
    return sum(weight > 0 for weight in weights) == 1


def _best(
    metric: Metric, images: int, weights: Sequence[float], pairs: Sequence[tuple[Scores, Scores]]
) -> tuple[int, Scores] | None:
    """The number of the best member with its scores, plain or with views; only those of all images can be compared.

    A single member with views is the ensemble itself: it is compared as it is without them.
    """
    complete = [
        (number, scores)
        for number, (weight, both) in enumerate(zip(weights, pairs, strict=True))
        for scores in (both[:1] if _is_alone(weights) and weight else both)
        if len(scores.ids) == images
    ]
    if not complete:
        return None
    best = complete[0]
    for other in complete[1:]:
        if metric.is_better(other[1].all, best[1].all):
            best = other
    return best


def _verdict(metric: Metric, name: str, ours: Scores | None, theirs: Scores | None) -> Verdict | None:
    """How the ensemble compares with a member, on the images that both were scored on."""
    if ours is None or theirs is None:
        return None
    found = paired(metric, _statistics(ours), _statistics(theirs), groups=ours.groups)
    return Verdict(
        name,
        finite_or_none(ours.all),
        finite_or_none(theirs.all),
        finite_or_none(found.mean),
        finite_or_none(found.standard_error),
        found.verdict,
    )
