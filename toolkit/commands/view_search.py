"""`--views auto`: the views that raise the out-of-fold score, and what they honestly gain."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from toolkit.commands.blending import sources_of
from toolkit.commands.members import predict_sets
from toolkit.commands.scoring import written
from toolkit.commands.weight_search import Gain, Material, SearchScores, Setting, score_names, search
from toolkit.core.views import View, parse_views, views_name
from toolkit.core.weighing import Weights
from toolkit.core.weights import by_adding
from toolkit.errors import ConfigError, MembersError
from toolkit.files.members import Member
from toolkit.messages import Table

_AUTO = "auto"
_FROM = "d4"


@dataclass(frozen=True)
class ViewScore:
    """The out-of-fold score of the image as it is averaged with one view, and what that gains over none."""

    view: str
    score: float
    gain: float


@dataclass(frozen=True)
class ViewSearch:
    """What the search for views has found.

    `alone` has every view that was tried, added to the image as it is. `thresholds` says whether sets were judged at
    the best threshold, or at the untuned recipe. `by_fold` are the sets that the other folds chose.
    """

    metric: str
    tried: int
    thresholds: bool
    alone: list[ViewScore]
    chosen: str
    by_fold: list[str]
    scores_of_none: SearchScores
    scores_of_chosen: SearchScores
    gain: Gain

    @property
    def views(self) -> str:
        """Those to predict with."""
        return self.chosen if self.gain.taken else "none"

    def tables(self) -> list[Table]:
        """What each view gains, and the chosen ones against none."""
        best = ", at the best threshold" if self.thresholds else ", untuned"
        views = [(found.view, written(found.score), written(found.gain, signed=True)) for found in self.alone]
        found = zip(
            score_names(self.thresholds),
            self.scores_of_none.rows(self.thresholds),
            self.scores_of_chosen.rows(self.thresholds),
            strict=True,
        )
        return [
            Table(f"one view beside the image itself: out-of-fold {self.metric}{best}", ("", "score", "gain"), views),
            Table(
                f"views by out-of-fold {self.metric}, {self.tried} sets tried", ("", "none", self.chosen), list(found)
            ),
        ]

    def next_steps(self) -> list[str]:
        """What was taken and why."""
        if self.chosen == "none":
            return ["no view helps: none is taken"]
        taken = "they are taken" if self.gain.taken else "none is taken"
        return [f"nested gain of the views {self.chosen}: {self.gain.describe()}; {taken}"]


def is_search(text: str) -> bool:
    """Whether views are to be searched: `auto` or `auto:SET`."""
    return text.partition(":")[0].strip() == _AUTO


def views_to_try(text: str) -> tuple[View, ...]:
    """The views that `auto` or `auto:SET` chooses from, the image as it is first.

    Raises:
        ConfigError: there is no such set, or nothing to choose from in it.
    """
    _, colon, among = text.partition(":")
    try:
        views = parse_views(among if colon else _FROM)
    except ValueError as error:
        raise ConfigError(f"--views {text}: {error}") from error
    identity = parse_views("none")
    others = tuple(view for view in views if view not in identity)
    if not others:
        raise ConfigError(f"--views {text}: there is nothing to choose from but the image as it is")
    return (*identity, *others)


def search_views(
    members: Sequence[Member], weights: Sequence[float], views: Sequence[View], setting: Setting
) -> ViewSearch:
    """Choose the views that help the weighted mean of members, starting from the image as it is.

    Args:
        members: whole experiments or ensembles; their predictions with each view are made where they are missing.
        weights: of the members.
        views: to choose from, the image as it is first.
        setting: what the choice is judged by; its mean is that of probabilities, as views of one network are averaged.

    Raises:
        MembersError: a member is a single fold.
    """
    single = [member.name for member in members if member.part.fold is not None]
    if single:
        raise MembersError(
            f"--views auto: {', '.join(single)} predicted only what they never saw, so that views cannot be compared "
            "on the same images",
            "Name whole experiments, or the views: --views flips",
        )
    names = [views_name([view]) for view in views]
    folders = [predict_sets(member, "oof", names, setting.progress) for member in members]
    each = [member for member in members for _ in views]
    material = Material(sources_of(each, [folder for several in folders for folder in several], "oof"), setting)
    whole = _whole(weights)

    def spread(choice: Weights) -> Weights:
        """Weights of every member with every view."""
        return tuple(weight * chosen for weight in whole for chosen in choice)

    start = (1, *[0] * (len(views) - 1))
    found = search(material, lambda: by_adding(len(views)), start, spread)
    scores = {choice: weighed.best(material.all_folds).score for choice, weighed in found.known.items()}
    alone = []
    for number, view in enumerate(views[1:], start=1):
        score = scores[tuple(int(other in (0, number)) for other in range(len(views)))]
        alone.append(ViewScore(view.name, score, score - scores[start]))

    def name_of(choice: Weights) -> str:
        return views_name([view for view, chosen in zip(views, choice, strict=True) if chosen])

    return ViewSearch(
        setting.metric.label,
        found.tried,
        found.thresholds,
        alone,
        name_of(found.best),
        [name_of(choice) for choice in found.by_fold],
        *found.scores,
        found.gain,
    )


def _whole(weights: Sequence[float]) -> list[int]:
    """The same ratios, to a thousandth of the largest, in whole numbers."""
    ratios = [Fraction(weight / max(weights)).limit_denominator(1000) for weight in weights]
    common = math.lcm(*(ratio.denominator for ratio in ratios))
    return [int(ratio * common) for ratio in ratios]
