"""`tk tune`: the recipe that out-of-fold predictions choose, and how good it honestly is."""

from dataclasses import dataclass

import numpy as np

from toolkit.commands.overlays import write_overlays
from toolkit.commands.scoring import labels_of, score_stores
from toolkit.core.area_metrics import AreaMetric, PixelAccuracy
from toolkit.core.arrays import Integers
from toolkit.core.blend import Stored
from toolkit.core.labels import VOID, Labels
from toolkit.core.measuring import Metric
from toolkit.core.metrics import METRICS, MetricSpec, build_metric
from toolkit.core.postprocess import IDENTITY, describe, recipe_to_plain
from toolkit.core.recipe import Recipe
from toolkit.core.search import AreasByThreshold, areas_by_threshold, surface_of
from toolkit.core.search import tune as search_recipe
from toolkit.errors import ChangedError, ConfigError
from toolkit.files.experiment import Experiment, Workspace
from toolkit.files.fold_table import folds_digest, read_folds
from toolkit.files.locks import locked
from toolkit.files.resolved import read_resolved
from toolkit.files.sources import LabelledImages
from toolkit.files.store import ProbabilityStore
from toolkit.files.truth import truth_of
from toolkit.files.writing import write_json
from toolkit.messages import Progress, Table


@dataclass(frozen=True)
class TuneResult:
    """What `tk tune` has found; `best` is the recipe that scored best, `recipe` the one that is kept."""

    experiment: str
    metric: str
    recipe: Recipe
    best: Recipe
    untuned: float
    tuned: float
    nested: float
    overlays: str

    def tables(self) -> list[Table]:
        """The three scores, each with its recipe."""
        rows = [
            ("untuned", f"{self.untuned:.4f}", describe(IDENTITY)),
            ("tuned, optimistic", f"{self.tuned:.4f}", describe(self.best)),
            ("nested, honest", f"{self.nested:.4f}", "each fold with what the others chose"),
        ]
        return [Table(f"{self.experiment}: tuned on out-of-fold predictions", ("", self.metric, "recipe"), rows)]

    def next_steps(self) -> list[str]:
        """What is kept, and what to type."""
        kept = "the tuned recipe is kept" if self.recipe == self.best else "nested does not beat untuned: 0.5 stays"
        return [
            f"{kept} ({describe(self.recipe)})",
            f"pictures: {self.overlays}",
            f"next: tk submit {self.experiment}",
        ]


def tune(workspace: Workspace, name: str | None, progress: Progress) -> TuneResult:
    """Search threshold and minimum area on the out-of-fold predictions of an experiment or ensemble.

    Raises:
        NotReadyError: it has no out-of-fold predictions yet.
        ChangedError: folds or images are not those that it was trained with.
        ConfigError: it has several classes, or its metric depends on more than areas.
    """
    experiment = workspace.find_or_last(name, progress)
    with locked(experiment.lock):
        resolved = read_resolved(experiment)
        truth = truth_of(experiment, resolved)
        spec, data = truth.metric, truth.labelled
        store = ProbabilityStore(experiment.predictions("oof"))
        metric = _tunable(experiment, spec, store)
        folds = read_folds(experiment.folds, data.images.ids)
        if folds_digest(folds) != resolved.digests.get("folds"):
            raise ChangedError(
                f"{experiment.folds} has changed since it was trained with: the nested score would not be honest",
                f"Bring it back, or make the predictions again: tk fit {experiment.name} --restart",
            )
        tuned = search_recipe(surface_of(_areas(store, data, progress), folds, metric))
        (scores,) = score_stores([store], data, folds, [spec], recipe=tuned.recipe, progress=progress)
        write_overlays(experiment, store, data, scores, tuned.recipe)
        _write(experiment, metric.label, tuned.recipe, (tuned.untuned, tuned.tuned, tuned.nested))
    return TuneResult(
        experiment.name,
        metric.label,
        tuned.recipe,
        tuned.best,
        tuned.untuned,
        tuned.tuned,
        tuned.nested,
        str(experiment.overlays),
    )


def _tunable(experiment: Experiment, spec: MetricSpec, store: ProbabilityStore) -> Metric:
    """The metric, if a threshold and a minimum area can be searched with it.

    Raises:
        ConfigError: they cannot.
    """
    possible = ", ".join(name for name in METRICS if _is_of_areas(build_metric(MetricSpec(name), 1, "sigmoid")))
    advice = f"Recipes are tuned for one class and a metric of areas ({possible}). Its untuned score stands: tk ls"
    classes = store.read(store.ids[0]).shape[2]
    if classes > 1:
        raise ConfigError(f"{experiment.name} predicts {classes} classes: it cannot be tuned yet", advice)
    if spec.is_own:
        raise ConfigError(f"{experiment.name} cannot be tuned: its metric {spec.label} is the user's own", advice)
    metric = build_metric(spec, 1, "sigmoid")
    if not _is_of_areas(metric):
        raise ConfigError(f"{experiment.name} cannot be tuned: its metric {spec.label} scores objects", advice)
    return metric


def _is_of_areas(metric: Metric) -> bool:
    return isinstance(metric, AreaMetric | PixelAccuracy)


def _areas(store: ProbabilityStore, data: LabelledImages, progress: Progress) -> AreasByThreshold:
    """Areas of all images at all thresholds, in the order of the sorted ids."""
    found = {}
    with progress.task("reading out-of-fold predictions", len(store.ids)) as task:
        for image_id, stored in store:
            found[image_id] = _areas_of_image(stored[..., 0], labels_of(data, store, image_id))
            task.advance()
    intersection, predicted, truth, sizes, pixels = zip(*(found[image_id] for image_id in data.images.ids), strict=True)
    return AreasByThreshold(
        np.stack(intersection),
        np.stack(predicted),
        np.array(truth, np.int64),
        np.stack(sizes),
        np.array(pixels, np.int64),
    )


def _areas_of_image(stored: Stored, labels: Labels) -> tuple[Integers, Integers, int, Integers, int]:
    """Areas of the intersection, of the prediction and of the truth without void pixels, with them, and their count."""
    truth, valid = labels == 1, labels != VOID
    areas = areas_by_threshold(stored, truth)
    sizes = areas[1]
    if not valid.all():
        areas = areas_by_threshold(stored[valid], truth[valid])
    return *areas, sizes, int(valid.sum())


def _write(experiment: Experiment, metric: str, recipe: Recipe, scores: tuple[float, float, float]) -> None:
    untuned, tuned, nested = scores
    write_json(
        experiment.tuned,
        {"metric": metric, "recipe": recipe_to_plain(recipe), "untuned": untuned, "tuned": tuned, "nested": nested},
    )
