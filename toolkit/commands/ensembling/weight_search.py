"""`--weights search`: the weights that out-of-fold predictions choose, and their nested gain."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from toolkit.commands.ensembling.blending import Source
from toolkit.commands.scoring.scores import labels_of
from toolkit.core.arrays import Floats, Integers, Labels, Objects
from toolkit.core.ensembling.candidate_scores import CandidateScores, MemberWeights, levels_of_blend
from toolkit.core.ensembling.means import Blender, Mean
from toolkit.core.ensembling.packed_truth import Packed, pack
from toolkit.core.ensembling.weight_search import Result, Scores, Search, by_selection, reduced, search_folds
from toolkit.core.metrics.metric import Metric, case_of
from toolkit.core.metrics.uncertainty.bootstrap import bootstrap, exceeds_noise, paired
from toolkit.core.recipe.postprocess import IDENTITY, masks_of
from toolkit.core.recipe.probabilities import Stored
from toolkit.core.recipe.recipe import Recipe
from toolkit.core.tuning.area_histograms import is_of_areas
from toolkit.core.tuning.recipe_scores import Example
from toolkit.core.tuning.recipe_search import tune
from toolkit.core.tuning.task import RecipeTask
from toolkit.files.data.sources import LabelledImages
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.experiment.members import Member
from toolkit.messages import Progress, Table, interval_text, score_text


@dataclass(frozen=True)
class SearchScores:
    """Out-of-fold scores of one choice, at the thresholds tuned for the baseline.

    `chosen` is the score on the images that it was chosen on, which is optimistic. `nested` is the honest one: each
    fold is scored with the choice of the other folds; `low` and `high` are its 95 % bootstrap interval.
    """

    chosen: float | None
    nested: float | None
    low: float | None
    high: float | None

    def cells(self) -> list[str]:
        """Cells of a table, in the order of `SCORE_NAMES`."""
        return [score_text(self.chosen), score_text(self.nested), interval_text(self.low, self.high)]


SCORE_NAMES = ("optimistic", "nested, honest", "95 % interval")


@dataclass(frozen=True)
class Gain:
    """The nested gain of a choice over the baseline, more being better; `taken` if it exceeds its standard error."""

    gain: float | None
    standard_error: float | None
    taken: bool

    def describe(self) -> str:
        """The gain with its standard error."""
        return f"{score_text(self.gain, signed=True)} ± {score_text(self.standard_error)}"


@dataclass(frozen=True)
class WeightSearch:
    """What the search for weights found.

    `by_fold` are, for each fold, the weights that the other folds chose; `duplicates` the members whose predictions
    equal those of another member.
    """

    metric: str
    members: list[str]
    mean: Mean
    tried: int
    equal: list[float]
    searched: list[float]
    by_fold: list[list[float]]
    scores_of_equal: SearchScores
    scores_of_searched: SearchScores
    gain: Gain
    duplicates: dict[str, str]

    @property
    def weights(self) -> list[float]:
        """The weights to blend with."""
        return self.searched if self.gain.taken else [float(weight > 0) for weight in self.equal]

    def tables(self) -> list[Table]:
        """Equal and searched weights with their scores."""
        columns = [
            [*(f"{weight:g}" for weight in weights), *scores.cells()]
            for weights, scores in ((self.equal, self.scores_of_equal), (self.searched, self.scores_of_searched))
        ]
        names = [*self.members, *SCORE_NAMES]
        rows = list(zip(names, *columns, strict=True))
        title = f"weights by out-of-fold {self.metric}, {self.tried} tried"
        return [Table(title, ("", "equal", "searched"), rows)]

    def next_steps(self) -> list[str]:
        """Which weights are used, and why."""
        same = [
            f"{name} gets weight 0: its predictions equal those of {other}" for name, other in self.duplicates.items()
        ]
        taken = (
            "exceeds its standard error; using them" if self.gain.taken else "is within noise; keeping equal weights"
        )
        return [*same, f"nested gain of the searched weights: {self.gain.describe()}, which {taken}"]


@dataclass(frozen=True, eq=False)
class Setting:
    """What a search needs: the images with their truth, folds and groups (None without), the metric, and the mean."""

    data: LabelledImages
    folds: Integers
    groups: Integers | None
    metric: Metric
    mean: Mean
    progress: Progress


def search_weights(members: Sequence[Member], sources: Sequence[Source], setting: Setting) -> WeightSearch:
    """Search the weights of members, which have predictions of all images, on these out-of-fold predictions."""
    names = [member.name for member in members]
    material = Material(sources, setting)
    distinct, duplicates = _distinct(material.digests, names)

    def spread(weights: MemberWeights) -> MemberWeights:
        """Weights of all members from those of the distinct ones."""
        given = dict(zip(distinct, weights, strict=True))
        return tuple(given.get(number, 0) for number in range(len(names)))

    equal = reduced((1,) * len(distinct))
    material.tune_thresholds(spread(equal))
    known, best, by_fold = search(material, lambda: by_selection(len(distinct)), spread, [equal])
    nested = score_folds(material, spread, [[equal] * material.folds_count, by_fold])
    return WeightSearch(
        setting.metric.label,
        names,
        setting.mean,
        len(known),
        shares(spread(equal)),
        shares(spread(best)),
        [shares(spread(weights)) for weights in by_fold],
        scores_of(material, known[equal], nested[0]),
        scores_of(material, known[best], nested[1]),
        gain_of(material, nested[1], nested[0]),
        duplicates,
    )


Spread = Callable[[MemberWeights], MemberWeights]
"""From a choice of the search to the weights of all maps."""


def search(
    material: "Material",
    begin: Callable[[], Search[Result]],
    spread: Spread,
    further: Sequence[MemberWeights] = (),
) -> tuple[dict[MemberWeights, Scores], Result, list[Result]]:
    """Run a search on all images, and for each fold on those of the others, see `search_folds`."""

    def evaluate(candidates: Sequence[MemberWeights]) -> Mapping[MemberWeights, Scores]:
        wanted = [spread(choice) for choice in candidates]
        scores = CandidateScores(material.metric, material.blender, material.recipes, wanted)
        for image in material.images(f"trying {len(candidates)} blends"):
            scores.add(*image)
        found = scores.finish()
        return {choice: found[spread(choice)] for choice in candidates}

    return search_folds(evaluate, material.folds_count, material.metric.direction, begin, further)


class Material:
    """Maps and truth of all images, for many passes; the truth is held in memory, packed."""

    def __init__(self, sources: Sequence[Source], setting: Setting) -> None:
        data, self.metric, self._progress = setting.data, setting.metric, setting.progress
        self.blender = Blender(setting.mean, data.classes.activation)
        self.groups = setting.groups
        self.folds_count = int(setting.folds.max()) + 1
        self.recipes: Sequence[Recipe] = [IDENTITY] * (1 + self.folds_count)
        self._sources = sources
        self._folds = dict(zip(data.images.ids, setting.folds.tolist(), strict=True))
        self._truth: dict[str, tuple[Packed, Packed | None]] = {}
        digests = [blake2b() for _ in sources]
        with setting.progress.task("reading predictions and truth", len(data.images.ids)) as bar:
            for image_id in data.images.ids:
                labels = labels_of(data, sources[0].store, image_id)
                objects = data.read_objects(image_id) if setting.metric.needs_objects else None
                self._truth[image_id] = (pack(labels), None if objects is None else pack(objects))
                for source, digest in zip(sources, digests, strict=True):
                    digest.update(source.store.read(image_id).tobytes())
                bar.advance()
        self.digests = [digest.hexdigest() for digest in digests]

    def tune_thresholds(self, weights: MemberWeights) -> None:
        """Score with the thresholds that suit the blend with these weights; each fold with those of the other folds.

        A blend is less confident than its members: at 0.5, members would be chosen for their confidence. Thresholds are
        tuned for metrics of areas and independent classes only; other metrics score the untuned recipe.
        """
        if not is_of_areas(self.metric) or self.blender.activation != "sigmoid":
            return
        folds = np.array(list(self._folds.values()), np.int64)

        def examples(title: str) -> Iterator[Example]:
            for position, (_, maps, labels, objects) in enumerate(self.images(title)):
                yield Example(position, levels_of_blend(self.blender, maps, weights), labels, objects)

        classes = self._sources[0].store.read(next(iter(self._folds))).shape[2]
        tuned = tune(RecipeTask(examples, folds, classes, "sigmoid", self.metric), ("threshold",))
        self.recipes = [tuned.best, *tuned.by_fold]

    def images(self, title: str) -> Iterator[tuple[int, list[Stored], Labels, Objects | None]]:
        """Fold, maps of all sources, labels and objects of each image, in the order of the sorted ids."""
        with self._progress.task(title, len(self._truth)) as bar:
            for image_id, (labels, objects) in self._truth.items():
                maps = [source.store.read(image_id) for source in self._sources]
                yield self._folds[image_id], maps, labels.unpack(), None if objects is None else objects.unpack()
                bar.advance()


def _distinct(digests: Sequence[str], names: Sequence[str]) -> tuple[list[int], dict[str, str]]:
    """The numbers of the members that differ, and the name of each other member with the one that it equals."""
    first: dict[str, int] = {}
    for number, digest in enumerate(digests):
        first.setdefault(digest, number)
    same = {names[number]: names[first[digest]] for number, digest in enumerate(digests) if first[digest] != number}
    return list(first.values()), same


def score_folds(material: Material, spread: Spread, plans: Sequence[Sequence[MemberWeights]]) -> list[Floats]:
    """The statistics of all images for several plans, each of which has a choice for every fold."""
    metric, blender = material.metric, material.blender
    found: list[list[Floats]] = [[] for _ in plans]
    for fold, maps, labels, objects in material.images("scoring each fold with the choice of the others"):
        for plan, statistics in zip(plans, found, strict=True):
            levels = levels_of_blend(blender, maps, spread(plan[fold]))
            masks = masks_of(levels, blender.activation, material.recipes[1 + fold])
            statistics.append(metric.measure(case_of(masks, labels, blender.activation, objects)))
    return [np.stack(statistics) for statistics in found]


def scores_of(material: Material, known: Scores, nested: Floats) -> SearchScores:
    """The scores of one choice; `nested` are the statistics of `score_folds`."""
    interval = bootstrap(material.metric, nested, groups=material.groups)
    return SearchScores(*map(finite_or_none, (known[0], material.metric.score(nested), interval.low, interval.high)))


def gain_of(material: Material, nested: Floats, baseline: Floats) -> Gain:
    """The nested gain of a choice over another, from their statistics of `score_folds`."""
    difference = paired(material.metric, nested, baseline, groups=material.groups)
    gain = difference.mean if material.metric.direction == "max" else -difference.mean
    error = difference.standard_error
    return Gain(finite_or_none(gain), finite_or_none(error), exceeds_noise(gain, error))


def shares(weights: MemberWeights) -> list[float]:
    """Weights that add up to 1, as tables show them and files keep them."""
    return [round(weight / math.fsum(weights), 4) for weight in weights]
