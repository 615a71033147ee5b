"""`--weights search`: what out-of-fold predictions choose, and what that honestly gains."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from toolkit.commands.ensembling.blending import Source, blender_of
from toolkit.commands.scoring.scores import labels_of
from toolkit.core.arrays import Floats, Integers, Labels, Objects
from toolkit.core.ensembling.candidate_scores import MemberWeights, Weighed, has_thresholds, predicted, weigh
from toolkit.core.ensembling.means import Mean
from toolkit.core.ensembling.packed_truth import Packed, pack
from toolkit.core.ensembling.weight_search import Result, Search, by_selection, reduced, search_folds
from toolkit.core.metrics.bootstrap import bootstrap, paired
from toolkit.core.metrics.metric import Metric, case_of
from toolkit.core.recipe.probabilities import Stored
from toolkit.files.data.sources import LabelledImages
from toolkit.files.disk.writing import finite_or_none
from toolkit.files.experiment.members import Member
from toolkit.messages import Progress, Table, interval_text, score_text


@dataclass(frozen=True)
class SearchScores:
    """What one choice scores out of fold.

    `untuned` and `best`, the latter at the best threshold, are those of the images that it was chosen on. `nested` is
    the honest one: each fold scored with what the others chose, threshold included; `low` and `high` are its 95 %
    bootstrap interval.
    """

    untuned: float | None
    best: float | None
    nested: float | None
    low: float | None
    high: float | None

    def cells(self, thresholds: bool) -> list[str]:
        """For a table, under or beside `score_names`; the best threshold only where there are thresholds."""
        best = [score_text(self.best)] if thresholds else []
        return [score_text(self.untuned), *best, score_text(self.nested), interval_text(self.low, self.high)]


def score_names(thresholds: bool) -> list[str]:
    """What the `SearchScores.cells` are."""
    return ["untuned", *(["at the best threshold"] if thresholds else []), "nested, honest", "95 % interval"]


@dataclass(frozen=True)
class Gain:
    """What a choice gains over the baseline, nested, more being better; `taken` if it exceeds its standard error."""

    gain: float | None
    standard_error: float | None
    taken: bool

    def describe(self) -> str:
        """In figures."""
        return f"{score_text(self.gain, signed=True)} ± {score_text(self.standard_error)}"


@dataclass(frozen=True)
class WeightSearch:
    """What the search for weights has found.

    `thresholds` says whether every candidate was judged at its best threshold, or at the untuned recipe. `by_fold` are
    the weights that the other folds chose, `duplicates` the members that predict the very same as another.
    """

    metric: str
    members: list[str]
    mean: Mean
    tried: int
    thresholds: bool
    equal: list[float]
    searched: list[float]
    by_fold: list[list[float]]
    scores_of_equal: SearchScores
    scores_of_searched: SearchScores
    gain: Gain
    duplicates: dict[str, str]

    @property
    def weights(self) -> list[float]:
        """Those to blend with."""
        return self.searched if self.gain.taken else [float(weight > 0) for weight in self.equal]

    def tables(self) -> list[Table]:
        """Equal and searched weights with their scores."""
        columns = [
            [*(f"{weight:g}" for weight in weights), *scores.cells(self.thresholds)]
            for weights, scores in ((self.equal, self.scores_of_equal), (self.searched, self.scores_of_searched))
        ]
        names = [*self.members, *score_names(self.thresholds)]
        rows = list(zip(names, *columns, strict=True))
        title = f"weights by out-of-fold {self.metric}, {self.tried} tried"
        return [Table(title, ("", "equal", "searched"), rows)]

    def next_steps(self) -> list[str]:
        """What was taken and why."""
        same = [f"{name} has weight 0: it predicts the very same as {other}" for name, other in self.duplicates.items()]
        taken = "they are taken" if self.gain.taken else "equal weights stay"
        return [*same, f"nested gain of the searched weights: {self.gain.describe()}; {taken}"]


@dataclass(frozen=True, eq=False)
class Setting:
    """What a search is judged by: the images with their truth and folds, the metric, and the mean."""

    data: LabelledImages
    folds: Integers
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
    known, best, by_fold = search(material, lambda: by_selection(len(distinct)), spread, [equal])
    nested = score_folds(material, known, spread, [[equal] * material.folds_count, by_fold])
    return WeightSearch(
        setting.metric.label,
        names,
        setting.mean,
        len(known),
        has_thresholds(setting.metric, material.blender),
        shares(spread(equal)),
        shares(spread(best)),
        [shares(spread(weights)) for weights in by_fold],
        scores_of(material, known[equal], nested[0]),
        scores_of(material, known[best], nested[1]),
        gain_of(setting.metric, nested[1], nested[0]),
        duplicates,
    )


Spread = Callable[[MemberWeights], MemberWeights]
"""Makes weights of all maps of what a search chooses among."""


def search(
    material: "Material",
    begin: Callable[[], Search[Result]],
    spread: Spread,
    further: Sequence[MemberWeights] = (),
) -> tuple[dict[MemberWeights, Weighed], Result, list[Result]]:
    """Run a search on all images, and for each fold on those of the others, see `search_folds`."""

    def evaluate(candidates: Sequence[MemberWeights]) -> Mapping[MemberWeights, Weighed]:
        metric, blender = material.metric, material.blender
        weighing = weigh(metric, blender, material.folds_count, [spread(choice) for choice in candidates])
        for image in material.images(f"trying {len(candidates)} blends"):
            weighing.add(*image)
        found = weighing.finish()
        return {choice: found[spread(choice)] for choice in candidates}

    return search_folds(evaluate, material.folds_count, material.metric.direction, begin, further)


class Material:
    """Maps and truth of all images, to be gone through again and again; the truth is held in memory, packed."""

    def __init__(self, sources: Sequence[Source], setting: Setting) -> None:
        data, self.metric, self._progress = setting.data, setting.metric, setting.progress
        self.blender = blender_of(
            setting.mean, data.classes.activation, dict(enumerate(sources)), len(sources), setting.progress
        )
        self.folds_count = int(setting.folds.max()) + 1
        self.all_folds = np.ones(self.folds_count, np.bool_)
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

    def images(self, title: str) -> Iterator[tuple[int, list[Stored], Labels, Objects | None]]:
        """Fold, maps of all sources, labels and objects of each image, in the order of the sorted ids."""
        with self._progress.task(title, len(self._truth)) as bar:
            for image_id, (labels, objects) in self._truth.items():
                maps = [source.store.read(image_id) for source in self._sources]
                yield self._folds[image_id], maps, labels.unpack(), None if objects is None else objects.unpack()
                bar.advance()


def _distinct(digests: Sequence[str], names: Sequence[str]) -> tuple[list[int], dict[str, str]]:
    """The members that predict differently, by number, and for each other one the member that it equals."""
    first: dict[str, int] = {}
    for number, digest in enumerate(digests):
        first.setdefault(digest, number)
    same = {names[number]: names[first[digest]] for number, digest in enumerate(digests) if first[digest] != number}
    return list(first.values()), same


def score_folds(
    material: Material, known: Mapping[MemberWeights, Weighed], spread: Spread, plans: Sequence[Sequence[MemberWeights]]
) -> list[Floats]:
    """The statistics of all images for plans, each of which has a choice for every fold, at the others' thresholds."""
    metric, blender = material.metric, material.blender
    folds = np.arange(material.folds_count)
    thresholds = [[known[choice].best(folds != fold).thresholds for fold, choice in enumerate(plan)] for plan in plans]
    found: list[list[Floats]] = [[] for _ in plans]
    for fold, maps, labels, objects in material.images("scoring each fold with what the others chose"):
        for plan, chosen, statistics in zip(plans, thresholds, found, strict=True):
            masks = predicted(blender, maps, spread(plan[fold]), chosen[fold])
            statistics.append(metric.measure(case_of(masks, labels, blender.activation, objects)))
    return [np.stack(statistics) for statistics in found]


def scores_of(material: Material, known: Weighed, nested: Floats) -> SearchScores:
    """The scores of one choice; `nested` are the statistics of `score_folds`."""
    interval = bootstrap(material.metric, nested)
    numbers = (known.untuned(), known.best(material.all_folds).score, material.metric.score(nested))
    return SearchScores(*map(finite_or_none, (*numbers, interval.low, interval.high)))


def gain_of(metric: Metric, nested: Floats, baseline: Floats) -> Gain:
    """What a choice gains over another, both by the statistics of `score_folds`."""
    difference = paired(metric, nested, baseline)
    gain = difference.mean if metric.direction == "max" else -difference.mean
    taken = bool(gain > difference.standard_error)
    return Gain(finite_or_none(gain), finite_or_none(difference.standard_error), taken)


def shares(weights: MemberWeights) -> list[float]:
    """Weights that add up to 1, as they are shown and kept."""
    return [round(weight / math.fsum(weights), 4) for weight in weights]
