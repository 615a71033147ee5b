"""Scoring out-of-fold predictions: per image, per fold, per class, over all images together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from toolkit.commands.scoring.constant_score import constant_score
from toolkit.core.arrays import Floats, Integers, Labels
from toolkit.core.masks.labels import Classes
from toolkit.core.metrics.constant_masks import ConstantMasks, ConstantScorer
from toolkit.core.metrics.registry import NO_RULES, MetricSpec, PluginMetric, ScoringRules, build_metrics
from toolkit.core.metrics.scorer import ScoredImages, Scorer
from toolkit.core.metrics.stateful import StatefulMetric
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.recipe import Recipe
from toolkit.errors import ChangedError
from toolkit.files.data.sources import LabelledImages
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.score_json import CountedRules, OverAll, StoredConstant, StoredScore, write_score
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.messages import Progress


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of all images by several metrics, the primary one first; images are in the order of `ids`.

    `groups` are the numbers of groups whose images are alike, see `bootstrap`; `constant` is what constant masks score
    on these images, if it was asked for.
    """

    ids: tuple[str, ...]
    folds: Integers
    scored: ScoredImages
    classes: tuple[str, ...]
    groups: Integers | None = None
    constant: ConstantMasks | None = None

    @property
    def metric(self) -> str:
        """The label of the primary metric."""
        return self.scored.metrics[0].label

    @property
    def all(self) -> float:
        """The primary metric over all images together."""
        return self.scored.scores()[self.metric]

    @property
    def by_fold(self) -> list[float]:
        """The primary metric over the images of each fold; NaN if it skips them all, or if the fold has none."""
        places = [np.flatnonzero(self.folds == fold) for fold in range(int(self.folds.max()) + 1)]
        return [self.scored.of(found).scores()[self.metric] if len(found) else math.nan for found in places]

    @property
    def by_metric(self) -> Mapping[str, Floats]:
        """The scores of each image, `float64 (images,)` by label; NaN for skipped images."""
        return self.scored.per_image()

    @property
    def per_class(self) -> dict[str, dict[str, float]]:
        """The scores over all images by class and label; NaN if a metric has none."""
        found = self.scored.per_class()
        return {
            name: {label: float(scores[index]) for label, scores in found.items()}
            for index, name in enumerate(self.classes)
        }


@dataclass(frozen=True)
class HoldoutScore:
    """The primary metric over the images of the hold-out; None if it skips them all."""

    images: int
    score: float | None

    def title(self, folds: int) -> str:
        """Its title in a table."""
        return f"hold-out, {self.images} images{', mean of all folds' if folds > 1 else ''}"


@dataclass(frozen=True)
class Scoring:
    """How predictions are scored: by which metrics, the primary one first, and with which recipe.

    `rules` are what the metrics count. `plugins` are the metrics and recipe steps of plugins by name.
    """

    metrics: Sequence[MetricSpec]
    recipe: Recipe = IDENTITY
    rules: ScoringRules = NO_RULES
    plugins: Mapping[str, Any] | None = None

    def scorer(self, classes: Classes) -> Scorer:
        """A scorer of images with these classes."""
        built = build_metrics(
            self.metrics,
            classes.count,
            classes.activation,
            names=classes.names,
            plugins=self.plugins,
            rules=self.rules,
        )
        return Scorer(built, classes.activation, self.recipe, self.plugins)


def score_stores(
    stores: Sequence[ProbabilityStore],
    data: LabelledImages,
    folds: Integers,
    scoring: Scoring,
    progress: Progress,
    *,
    with_constant: bool = False,
) -> list[Scores]:
    """Score several stores over the same images with one recipe; truth is read once for all.

    Args:
        stores: out-of-fold predictions.
        data: the images and their truth.
        folds: the fold of each image in the order of the sorted ids.
        scoring: metrics and recipe.
        progress: what shows progress.
        with_constant: whether to score constant masks too.

    Raises:
        ChangedError: the size of an image has changed since it was predicted.
        DataError: a mask cannot be read.
    """
    scorers = [scoring.scorer(data.classes) for _ in stores]
    # Metrics from plugins and of Keras may not expect masks without any foreground, or change them.
    with_constant = with_constant and not isinstance(scorers[0].primary, PluginMetric | StatefulMetric)
    constant = ConstantScorer(scorers[0].primary, data.classes.names, data.classes.activation)
    ids = data.images.ids
    with progress.task("scoring", len(ids)) as task:
        for image_id in ids:
            labels = labels_of(data, stores[0], image_id)
            objects = data.read_objects(image_id) if scorers[0].needs_objects else None
            for store, scorer in zip(stores, scorers, strict=True):
                scorer.add(store.read(image_id), labels, objects, store.presence(image_id), image_id=image_id)
            if with_constant:
                constant.add(labels, objects, image_id=image_id)
            task.advance()
    nothing = constant.scored() if with_constant else None
    return [Scores(ids, folds, scorer.scored(), data.classes.names, constant=nothing) for scorer in scorers]


def labels_of(data: LabelledImages, store: ProbabilityStore, image_id: str) -> Labels:
    """The true labels of an image, `uint8 (height, width)`, of the size that was predicted.

    Raises:
        ChangedError: the size of the image has changed since it was predicted.
    """
    labels = data.read_labels(image_id)
    if labels.shape != store.size(image_id):
        raise ChangedError(
            f"{image_id} is {labels.shape[0]}×{labels.shape[1]} now, but {store.folder} predicted it at "
            f"{store.size(image_id)[0]}×{store.size(image_id)[1]}",
            "Restore the image, or fit again with --restart.",
        )
    return labels


def write_scores(
    experiment: Experiment,
    scores: Scores,
    holdout: Scores | None = None,
    *,
    rules: ScoringRules = NO_RULES,
    optimism: float | None = None,
) -> None:
    """Write scores.csv and then score.json, for the out-of-fold images and the hold-out if there is one.

    `rules` are what the metrics count. `optimism` is how much too good the score is because it chose the epochs, see
    `optimism_of_choice`.
    """
    rows = _rows(scores, scores.folds.tolist())
    if holdout is not None:
        rows += _rows(holdout, ["holdout"] * len(holdout.ids))
    write_text(experiment.image_scores, format_table(("image_id", "fold", *scores.by_metric), rows))
    folds = [finite_or_none(score) for score in scores.by_fold]
    tree = cast(StoredScore, {"metric": scores.metric, "folds": folds, **_over_all(scores)})
    minimised = [metric.label for metric in scores.scored.metrics if metric.direction == "min"]
    if minimised:
        tree["minimised"] = minimised
    if rules != NO_RULES:
        tree["rules"] = _plain_rules(rules)
    if optimism is not None:
        tree["optimism"] = optimism
    if scores.constant is not None:
        found = constant_score(scores.scored.metrics[0], scores.scored.statistics[0], scores.constant, scores.groups)
        tree["constant"] = cast(StoredConstant, asdict(found))
    if holdout is not None:
        tree["holdout"] = {"images": len(holdout.ids), **_over_all(holdout)}
    write_score(experiment, tree)


def counts_as(tree: StoredScore, rules: ScoringRules) -> bool:
    """Whether the scores of a score.json count what these rules say."""
    return bool(tree.get("rules", _plain_rules(NO_RULES)) == _plain_rules(rules))


def read_optimism(tree: StoredScore | None, metric: str) -> float:
    """What is to be taken off a score by a metric for the choice of epochs, from score.json; 0 if it is unknown."""
    return 0.0 if tree is None or tree["metric"] != metric else max(0.0, tree.get("optimism") or 0.0)


def read_holdout(tree: StoredScore) -> HoldoutScore | None:
    """The score of the hold-out in score.json, if there is one."""
    found = tree.get("holdout")
    return None if found is None else HoldoutScore(found["images"], found["all"])


def _plain_rules(rules: ScoringRules) -> CountedRules:
    """What metrics count, as in score.json."""
    submitted = None if rules.submitted is None else list(rules.submitted)
    plain: CountedRules = {"submitted": submitted, "benchmark": rules.benchmark, "stack": rules.stack}
    return plain | {"all_classes": True} if rules.all_classes else plain


def _over_all(scores: Scores) -> OverAll:
    tree: OverAll = {"all": finite_or_none(scores.all), "metrics": _numbers(scores.scored.scores())}
    if len(scores.classes) > 1:
        tree["classes"] = {name: _numbers(found) for name, found in scores.per_class.items()}
    return tree


def _rows(scores: Scores, folds: Sequence[int | str]) -> list[tuple[object, ...]]:
    """One row for each image: its id, its fold, and its score by each metric."""
    columns = zip(*scores.by_metric.values(), strict=True)
    return [(image_id, fold, *row) for image_id, fold, row in zip(scores.ids, folds, columns, strict=True)]


def _numbers(scores: Mapping[str, float]) -> dict[str, float | None]:
    return {label: finite_or_none(score) for label, score in scores.items()}


def next_command(name: str) -> str:
    """The next command for a scored experiment or ensemble."""
    return f"next: tk tune {name}"
