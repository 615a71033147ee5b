"""Scoring out-of-fold predictions: per image, per fold, over all images together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Floats, Integers, Mask
from toolkit.core.metrics import METRICS
from toolkit.core.postprocess import Recipe
from toolkit.errors import ChangedError
from toolkit.files.experiment import Experiment
from toolkit.files.sources import LabelledImages
from toolkit.files.store import ProbabilityStore
from toolkit.files.tables import format_table
from toolkit.files.writing import write_json, write_text
from toolkit.messages import Progress


@dataclass(frozen=True)
class Scores:
    """Scores of all images by metric, the primary one first; each `float64 (images,)` in the order of `ids`."""

    ids: tuple[str, ...]
    folds: Integers
    by_metric: Mapping[str, Floats]

    @property
    def metric(self) -> str:
        """The primary metric."""
        return next(iter(self.by_metric))

    @property
    def all(self) -> float:
        """Mean of the primary metric over all images."""
        return float(self.by_metric[self.metric].mean())

    @property
    def by_fold(self) -> list[float]:
        """Mean of the primary metric over the images of each fold."""
        scores = self.by_metric[self.metric]
        return [float(scores[self.folds == fold].mean()) for fold in range(int(self.folds.max()) + 1)]


def score_stores(
    stores: Sequence[ProbabilityStore],
    data: LabelledImages,
    folds: Integers,
    metrics: Sequence[str],
    *,
    recipe: Recipe,
    progress: Progress,
) -> list[Scores]:
    """Score several stores over the same images with one recipe; truth is read once for all."""
    ids = data.images.ids
    rows = {image_id: row for row, image_id in enumerate(ids)}
    values = np.zeros((len(stores), len(metrics), len(ids)))
    with progress.task("scoring", len(ids)) as task:
        for image_id in stores[0].ids:
            truth = truth_of(data, stores[0], image_id)
            for number, store in enumerate(stores):
                mask = recipe.apply(store.read(image_id)[..., 0])
                values[number, :, rows[image_id]] = [METRICS[name].of_masks(mask, truth) for name in metrics]
            task.advance()
    return [Scores(ids, folds, dict(zip(metrics, scores, strict=True))) for scores in values]


def truth_of(data: LabelledImages, store: ProbabilityStore, image_id: str) -> Mask:
    """The mask of an image, `bool (height, width)`, of the size that was predicted.

    Raises:
        ChangedError: the image has another size by now.
    """
    truth = data.read_labels(image_id)
    if truth.shape != store.size(image_id):
        raise ChangedError(
            f"{image_id} is {truth.shape[0]}×{truth.shape[1]} now, but {store.folder} predicted it at "
            f"{store.size(image_id)[0]}×{store.size(image_id)[1]}",
            "Bring the image back, or fit again with --restart.",
        )
    return truth


def write_scores(experiment: Experiment, scores: Scores) -> None:
    """Write scores.csv and, last, score.json."""
    columns = zip(*scores.by_metric.values(), strict=True)
    rows = [(image_id, fold, *row) for image_id, fold, row in zip(scores.ids, scores.folds, columns, strict=True)]
    write_text(experiment.image_scores, format_table(("image_id", "fold", *scores.by_metric), rows))
    write_json(experiment.score, {"metric": scores.metric, "folds": scores.by_fold, "all": scores.all})
