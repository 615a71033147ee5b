"""`--views auto`: the views that raise the out-of-fold score, and their nested gain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from toolkit.cluster.units import Machines
from toolkit.commands.ensembling.blending import sources_of
from toolkit.commands.ensembling.member_predictions import predict_sets
from toolkit.commands.ensembling.weight_search import (
    SCORE_NAMES,
    Gain,
    Material,
    SearchScores,
    Setting,
    gain_of,
    score_folds,
    scores_of,
    search,
)
from toolkit.core.ensembling.candidate_scores import MemberWeights
from toolkit.core.ensembling.weight_search import Scores, by_adding, indicator
from toolkit.core.images.views import View, parse_views, views_name
from toolkit.errors import ConfigError
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.experiment.members import Member
from toolkit.messages import Table, score_text

_AUTO = "auto"
_FROM = "d4"


@dataclass(frozen=True)
class ViewScore:
    """The out-of-fold score of the mean of the unchanged image and one view, and its gain over no view."""

    view: str
    score: float | None
    gain: float | None


@dataclass(frozen=True)
class ViewStep:
    """One more view in the set, with the scores of the set and the nested gain over the set without it."""

    view: str
    scores: SearchScores
    gain: Gain


@dataclass(frozen=True)
class ViewSearch:
    """What the search for views found.

    `alone` has every view that was tried beside the unchanged image; `steps` the views in the order in which they were
    added, of which the first are used as long as the nested gain of each exceeds its standard error. `by_fold` are, for
    each fold, the sets that the other folds chose.
    """

    metric: str
    tried: int
    alone: list[ViewScore]
    scores_of_none: SearchScores
    steps: list[ViewStep]
    by_fold: list[str]
    views: str

    def tables(self) -> list[Table]:
        """The gain of each view, and the views that were added one after the other."""
        views = [(found.view, score_text(found.score), score_text(found.gain, signed=True)) for found in self.alone]
        columns = [
            [*self.scores_of_none.cells(), ""],
            *([*step.scores.cells(), step.gain.describe()] for step in self.steps),
        ]
        rows = list(zip([*SCORE_NAMES, "nested gain of the last view"], *columns, strict=True))
        heads = ("", "none", *(f"and {step.view}" for step in self.steps))
        return [
            Table(f"one view beside the unchanged image: out-of-fold {self.metric}", ("", "score", "gain"), views),
            Table(f"views by out-of-fold {self.metric}, {self.tried} sets tried", heads, rows),
        ]

    def next_steps(self) -> list[str]:
        """Which views are used, and why."""
        if self.views != "none":
            return [f"using the views whose nested gain exceeds its standard error: {self.views}"]
        return ["no view has a nested gain above its standard error; using none"]


def is_search(text: str) -> bool:
    """Whether the text asks for a search: `auto` or `auto:SET`."""
    return text.partition(":")[0].strip() == _AUTO


def views_to_try(text: str) -> tuple[View, ...]:
    """The views that `auto` or `auto:SET` chooses from, the unchanged image first.

    Raises:
        ConfigError: the set is unknown, or has no view but the unchanged image.
    """
    _, colon, among = text.partition(":")
    try:
        views = parse_views(among if colon else _FROM)
    except ValueError as error:
        raise ConfigError(f"--views {text}: {error}") from error
    identity = parse_views("none")
    others = tuple(view for view in views if view not in identity)
    if not others:
        raise ConfigError(f"--views {text}: the set has no view but the unchanged image")
    return (*identity, *others)


def search_views(
    members: Sequence[Member],
    weights: Sequence[float],
    views: Sequence[View],
    setting: Setting,
    machines: Machines | None = None,
) -> ViewSearch:
    """Choose the views that improve the weighted mean of members, starting from the unchanged image.

    Args:
        members: whole experiments, not single folds; missing predictions with a view are made.
        weights: of the members.
        views: to choose from, the unchanged image first.
        setting: images, folds and metric.
        machines: make missing predictions; None for this machine.
    """
    names = [views_name([view]) for view in views]
    folders = [predict_sets(member, "oof", names, setting.progress, machines=machines) for member in members]
    each = [member for member in members for _ in views]
    material = Material(sources_of(each, [folder for several in folders for folder in several], "oof"), setting)
    whole = _whole(weights)

    def spread(choice: MemberWeights) -> MemberWeights:
        """Weights of every member with every view."""
        return tuple(weight * chosen for weight in whole for chosen in choice)

    count = len(views)
    material.tune_thresholds(spread(indicator([0], count)))
    known, order, by_fold = search(material, lambda: by_adding(count), spread)
    sets = [indicator(order[:length], count) for length in range(1, len(order) + 1)]
    plans = [[indicator(path[:length], count) for path in by_fold] for length in range(1, len(order) + 1)]
    nested = score_folds(material, spread, plans)
    scores = [scores_of(material, known[chosen], found) for chosen, found in zip(sets, nested, strict=True)]
    gains = [gain_of(material, found, before) for before, found in pairwise(nested)]
    steps = [
        ViewStep(views[number].name, of_set, gain)
        for number, of_set, gain in zip(order[1:], scores[1:], gains, strict=True)
    ]
    taken = len(list(takewhile(lambda step: step.gain.taken, steps)))

    def name_of(numbers: Sequence[int]) -> str:
        return views_name([views[number] for number in numbers])

    return ViewSearch(
        setting.metric.label,
        len(known),
        _alone(views, known, material),
        scores[0],
        steps,
        [name_of(path) for path in by_fold],
        name_of(order[: 1 + taken]),
    )


def _alone(views: Sequence[View], known: Mapping[MemberWeights, Scores], material: Material) -> list[ViewScore]:
    """The score of each view beside the unchanged image, which every search asks for first."""
    none = known[indicator([0], len(views))][0]
    found = []
    for number in range(1, len(views)):
        score = known[indicator([0, number], len(views))][0]
        gain = score - none if material.metric.direction == "max" else none - score
        found.append(ViewScore(views[number].name, finite_or_none(score), finite_or_none(gain)))
    return found


def _whole(weights: Sequence[float]) -> list[int]:
    """The same ratios, to a thousandth of the largest, in whole numbers."""
    return [max(1, round(1000 * weight / max(weights))) for weight in weights]
