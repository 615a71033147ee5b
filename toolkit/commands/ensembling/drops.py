"""What an ensemble loses and saves if it predicts with fewer members or without views, by stores that exist."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from toolkit.commands.ensembling.blending import sources_of
from toolkit.commands.ensembling.member_predictions import refuse_single_folds
from toolkit.commands.ensembling.weight_search import Material, Setting, score_folds
from toolkit.core.arrays import Floats
from toolkit.core.ensembling.dropping import Cost, Remaining, cost_of, drop_one_by_one
from toolkit.core.metrics.uncertainty.bootstrap import paired
from toolkit.errors import NotReadyError
from toolkit.files.datasets.truth import truth_of
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.experiment.members import Member, members_of
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.predictions.store import is_made
from toolkit.learning.plugins import Plugins
from toolkit.messages import Progress, Table, duration_text, interval_text, score_text

RESERVE = 0.1
"""The share of the time of `tk submit --minutes` that is kept for averaging, tuning and writing."""
_DEVIATIONS = 1.96


@dataclass(frozen=True)
class Step:
    """What is left after one more drop.

    Attributes:
        dropped: a member or the views; empty for the whole ensemble.
        members: what is left.
        views: with which they predict.
        seconds: for the test images; None if nothing was measured.
        score: the nested score: each fold with the threshold that the other folds choose.
        change: of that score against the whole ensemble.
        low, high: its 95 % interval.
        share: of the work of the whole ensemble.
    """

    dropped: str
    members: list[str]
    views: str
    seconds: float | None
    score: float | None
    change: float | None
    low: float | None
    high: float | None
    share: float


@dataclass(frozen=True)
class Drops:
    """An ensemble and what is left of it after one drop after the other, beginning with the whole."""

    experiment: str
    metric: str
    steps: list[Step]

    def tables(self) -> list[Table]:
        """One row for each drop."""
        whole = self.steps[0]
        rows = [
            (
                step.dropped or "nothing",
                ", ".join(step.members),
                step.views,
                "–" if step.seconds is None else duration_text(step.seconds),
                f"{1 - step.share:.0%}" if step.seconds is None or whole.seconds is None
                else duration_text(whole.seconds - step.seconds),
                score_text(step.score),
                score_text(step.change, signed=True) if step.dropped else "",
                interval_text(step.low, step.high) if step.dropped else "",
            )
            for step in self.steps
        ]  # fmt: skip
        columns = ("dropped", "left", "views", "test images", "saved", self.metric, "change", "95 % interval")
        title = f"{self.experiment}: what it can do without, greedily, by nested out-of-fold {self.metric}"
        return [Table(title, columns, rows)]

    def next_steps(self, seconds: float) -> list[str]:
        """Which step of the chain fits into these seconds."""
        if any(step.seconds is None for step in self.steps):
            return []
        command = f"next: tk submit {self.experiment} --minutes {max(1, seconds / 60):.0f}"
        available = seconds * (1 - RESERVE)
        fitting = [step for step in self.steps if step.seconds is not None and step.seconds <= available]
        if not fitting:
            alone, time = self.steps[-1].members[0], duration_text(seconds)
            return [f"{self.experiment}: not even {alone} alone predicts the test images in {time}"]
        first = fitting[0]
        what = f"{', '.join(first.members)} with views {first.views}" if first.dropped else "the whole ensemble"
        return [f"{self.experiment}: in {duration_text(seconds)} {what} predicts the test images", command]


@dataclass(frozen=True)
class Chain:
    """The members of an ensemble with a weight, what is left of them after each drop, and the table of it."""

    members: list[Member]
    weights: list[float]
    remaining: list[Remaining]
    drops: Drops


def folder_of(member: Member, split: Split, views: str) -> Path:
    """The store of a member with these views: of an ensemble with views of its own, that is its only store."""
    if member.is_ensemble and views in ("none", members_of(member.experiment)[1].views):
        return member.predictions(split)
    return member.predictions(split, views)


def costs_of(members: Sequence[Member], views: str, work: Callable[[Member, str], float]) -> list[Cost]:
    """What each member costs in `tk submit --minutes`, which predicts without views before it predicts with them.

    Args:
        members: of an ensemble.
        views: of the ensemble.
        work: of predicting the test images with a member and views, in any unit.
    """
    found = []
    for one in members:
        plain, is_same = work(one, "none"), folder_of(one, "test", "none") == folder_of(one, "test", views)
        found.append(Cost(plain, plain if is_same else plain + work(one, views)))
    return found


def find_chain(ensemble: Experiment, costs: Sequence[Cost], progress: Progress, *, seconds_known: bool = True) -> Chain:
    """Drop views and members one by one; nothing is predicted.

    Args:
        ensemble: whose members have out-of-fold predictions, without and with its views.
        costs: of the members with a weight, for the test images.
        progress: shows the work.
        seconds_known: whether the costs are seconds.

    Raises:
        NotReadyError: out-of-fold predictions of a member are missing.
        MembersError: a member is a single fold.
    """
    members, given, views = weighted_members(ensemble)
    refuse_single_folds(members, "dropping members")
    has_views = views != "none"
    plain = [folder_of(member, "oof", "none") for member in members]
    viewed = [folder_of(member, "oof", views) for member in members]
    for folder in (*plain, *viewed):
        if not is_made(folder):
            raise NotReadyError(
                f"there are no predictions in {folder}, by which members of {ensemble.name} would be compared",
                f"Run: tk ensemble {' '.join(member.name for member in members)} --views {views} "
                f"--name {ensemble.name}",
            )
    setting = _setting(ensemble, members, progress)
    material = Material(sources_of([*members, *members], [*plain, *viewed], "oof"), setting)
    whole_numbers = [max(1, round(1000 * weight / max(given))) for weight in given]

    @cache
    def statistics(left: Remaining) -> Floats:
        weights = left.weights(whole_numbers)
        material.tune_thresholds(weights)
        (found,) = score_folds(material, lambda choice: choice, [[weights] * material.folds_count])
        return found

    metric = setting.metric
    sign = 1 if metric.direction == "max" else -1
    chain = drop_one_by_one(
        len(members),
        costs,
        statistics,
        lambda before, after: sign * (metric.score(before) - metric.score(after)),
        has_views=has_views,
    )
    whole = chain[0][1]
    total = cost_of(chain[0][0], costs)
    steps = []
    for number, (left, found) in enumerate(chain):
        change = paired(metric, found, whole, groups=setting.groups)
        margin = _DEVIATIONS * change.standard_error
        seconds = cost_of(left, costs)
        steps.append(
            Step(
                _dropped(chain[number - 1][0], left, members, views) if number else "",
                [members[one].name for one in left.members],
                views if left.viewed else "none",
                seconds if seconds_known else None,
                finite_or_none(metric.score(found)),
                finite_or_none(change.mean),
                finite_or_none(change.mean - margin),
                finite_or_none(change.mean + margin),
                seconds / total if total else 1.0,
            )
        )
    return Chain(members, given, [left for left, _ in chain], Drops(ensemble.name, metric.label, steps))


def weighted_members(ensemble: Experiment) -> tuple[list[Member], list[float], str]:
    """The members of an ensemble with a weight, their weights, and the views."""
    members, config = members_of(ensemble)
    chosen = [(one, weight) for one, weight in zip(members, config.weights, strict=True) if weight]
    return [one for one, _ in chosen], [weight for _, weight in chosen], config.views


def _setting(ensemble: Experiment, members: Sequence[Member], progress: Progress) -> Setting:
    first = members[0].experiment
    truth, table, plugins = truth_of(first, read_resolved(first)), members[0].fold_table(), Plugins.of(first, progress)
    labelled = truth.only(table.out_of_fold.ids).labelled
    metric = truth.for_searches(plugins)[0].build_metric(plugins)
    mean = members_of(ensemble)[1].mean
    return Setting(labelled, table.parts("dropping members"), table.out_of_fold.group_numbers, metric, mean, progress)


def _dropped(before: Remaining, after: Remaining, members: Sequence[Member], views: str) -> str:
    """The name of the member that is left out, or the views."""
    gone = set(before.members).difference(after.members)
    return members[gone.pop()].name if gone else f"views {views}"
