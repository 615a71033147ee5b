"""Scores of an ensemble and of its members, and whether it beats the best of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.commands.overlays import write_overlays
from toolkit.commands.scoring import Scores, score_stores, write_scores, written
from toolkit.config.models import EnsembleConfig
from toolkit.core.arrays import Floats, Integers
from toolkit.core.measuring import Direction, Metric
from toolkit.core.postprocess import IDENTITY
from toolkit.core.resampling import Verdict as Word
from toolkit.core.resampling import bootstrap, paired
from toolkit.files.experiment import Experiment
from toolkit.files.fold_table import read_folds
from toolkit.files.members import Member
from toolkit.files.resolved import read_resolved
from toolkit.files.store import ProbabilityStore
from toolkit.files.truth import Truth, truth_of
from toolkit.files.writing import finite_or_none
from toolkit.messages import Progress


@dataclass(frozen=True)
class MemberScore:
    """A member's out-of-fold score, plain and with the views of the ensemble; None where the metric skips all.

    `interval` is the 95 % bootstrap interval of the score with views. `images` are those that it has out-of-fold
    predictions of: a single fold only what it never saw.
    """

    name: str
    weight: float
    plain: float | None
    with_views: float | None
    interval: tuple[float | None, float | None]
    images: int


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
        """In a sentence."""
        figures = (
            f"{written(self.ensemble_score)} against {written(self.member_score)}, "
            f"{written(self.difference, signed=True)} ± {written(self.standard_error)}"
        )
        told = {
            "better": f"the ensemble beats its best member, {self.member}: {figures}",
            "worse": f"the ensemble is worse than its best member, {self.member}: {figures}",
            "cannot tell": f"cannot tell whether the ensemble beats its best member, {self.member}: {figures}",
        }
        return told[self.word]


@dataclass(frozen=True)
class EnsembleScores:
    """What the ensemble and its members score out of fold, untuned."""

    metric: str
    direction: Direction
    members: list[MemberScore]
    folds: list[float | None]
    all: float | None
    interval: tuple[float | None, float | None]
    verdict: Verdict | None


def score_members(
    experiment: Experiment,
    members: Sequence[Member],
    config: EnsembleConfig,
    plain: Sequence[Path],
    viewed: Sequence[Path],
    *,
    own: Mapping[str, Any],
    progress: Progress,
) -> EnsembleScores:
    """Score an ensemble and its members, and write score.json, scores.csv and overlays.png.

    Args:
        experiment: the ensemble, whose out-of-fold predictions are there.
        members: of it.
        config: of it.
        plain: the folders of the members' out-of-fold predictions without views.
        viewed: those with the views of the ensemble, the same ones if it has none.
        own: the user's metrics by name.
        progress: to talk to.
    """
    truth = truth_of(experiment, read_resolved(experiment))
    folds = read_folds(experiment.folds, truth.labelled.images.ids)
    scorer = _Scorer(truth, folds, own, progress)
    every = frozenset(truth.labelled.images.ids)
    seen = [member.images(truth.labelled.images.ids) for member in members]
    own_folder = experiment.predictions("oof")
    scorer.score([own_folder, *_of_all(plain, seen, every), *_of_all(viewed, seen, every)], every)
    for folder, ids in zip([*plain, *viewed], [*seen, *seen], strict=True):
        scorer.score([folder], ids)
    blended = scorer.found[own_folder, every]
    write_overlays(experiment, ProbabilityStore(own_folder), truth.labelled, blended, IDENTITY)
    write_scores(experiment, blended)
    metric = blended.judgement.metrics[0]
    pairs = [
        (scorer.found[one, ids], scorer.found[other, ids]) for one, other, ids in zip(plain, viewed, seen, strict=True)
    ]
    found = [
        MemberScore(
            member.name,
            weight,
            finite_or_none(without.all),
            finite_or_none(with_views.all),
            _interval(metric, _statistics(with_views)),
            len(with_views.ids),
        )
        for member, weight, (without, with_views) in zip(members, config.weights, pairs, strict=True)
    ]
    return EnsembleScores(
        blended.metric,
        metric.direction,
        found,
        [finite_or_none(score) for score in blended.by_fold],
        finite_or_none(blended.all),
        _interval(metric, _statistics(blended)),
        _verdict(metric, blended, members, config.weights, pairs),
    )


class _Scorer:
    """Scores stores, each once for a set of images; several over the same images in one pass."""

    def __init__(self, truth: Truth, folds: Integers, own: Mapping[str, Any], progress: Progress) -> None:
        self._truth, self._folds, self._own, self._progress = truth, folds, own, progress
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
            replace(data, images=data.images.only(ids)),
            self._folds[inside],
            [self._truth.metric],
            recipe=IDENTITY,
            benchmark=self._truth.benchmark,
            own=self._own,
            progress=self._progress,
        )
        self.found |= {(folder, ids): found for folder, found in zip(missing, scores, strict=True)}


def _of_all(folders: Sequence[Path], seen: Sequence[frozenset[str]], every: frozenset[str]) -> list[Path]:
    """The predictions of members that have all images."""
    return [folder for folder, ids in zip(folders, seen, strict=True) if ids == every]


def _statistics(scores: Scores) -> Floats:
    return scores.judgement.statistics[0]


def _interval(metric: Metric, statistics: Floats) -> tuple[float | None, float | None]:
    found = bootstrap(metric, statistics)
    return finite_or_none(found.low), finite_or_none(found.high)


def _verdict(
    metric: Metric,
    blended: Scores,
    members: Sequence[Member],
    weights: Sequence[float],
    pairs: Sequence[tuple[Scores, Scores]],
) -> Verdict | None:
    """Against the best member, plain or with views; only those that have all images can be compared.

    A single member with views is the ensemble itself: it is compared as it is without them.
    """
    alone = sum(weight > 0 for weight in weights) == 1
    complete = [
        (member.name, scores)
        for member, weight, both in zip(members, weights, pairs, strict=True)
        for scores in (both[:1] if alone and weight else both)
        if len(scores.ids) == len(blended.ids)
    ]
    if not complete:
        return None
    name, best = complete[0]
    for other, scores in complete[1:]:
        if metric.is_better(scores.all, best.all):
            name, best = other, scores
    found = paired(metric, _statistics(blended), _statistics(best))
    return Verdict(
        name,
        finite_or_none(blended.all),
        finite_or_none(best.all),
        finite_or_none(found.mean),
        finite_or_none(found.standard_error),
        found.verdict,
    )
