"""`tk evaluate`: out-of-fold predictions by class, by size of the foreground, and by image."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from toolkit.commands.comparing.evaluate_result import (
    CLASS_COLUMNS,
    BadImage,
    ConfusionTable,
    EvaluateResult,
    Evaluation,
    SizeScores,
    class_rows,
)
from toolkit.commands.scoring.curves import write_curves
from toolkit.commands.scoring.overlays import write_overlays
from toolkit.commands.scoring.recipe_choice import choose_recipe
from toolkit.commands.scoring.scores import Scores, labels_of
from toolkit.commands.session import Session
from toolkit.config.loading import config_from_plain
from toolkit.core.arrays import Integers
from toolkit.core.masks.labels import Activation
from toolkit.core.metrics.classification_report import BACKGROUND, classification_report
from toolkit.core.metrics.confusion import (
    Confusion,
    area_bins,
    class_scores,
    confusion_of,
    pooled_scores,
    worst_first,
)
from toolkit.core.metrics.scorer import ScoredImages, Scorer
from toolkit.core.recipe.postprocess import describe, recipe_to_plain
from toolkit.core.recipe.recipe import Recipe
from toolkit.files.datasets.truth import Truth, truth_of
from toolkit.files.disk.locks import locked
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import finite_or_none, write_json, write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import read_fold_table
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.predictions.store import ProbabilityStore, store_digest
from toolkit.learning.plugins import Plugins
from toolkit.messages import Progress, score_text
from toolkit.report.confusion_matrix import confusion_picture


def evaluate(
    session: Session,
    name: str | None = None,
    *,
    recipe: str | None = None,
    threshold: float | None = None,
    worst: int = 10,
    csv: Path | None = None,
) -> EvaluateResult:
    """Evaluate the out-of-fold predictions of an experiment or ensemble, one image at a time.

    Args:
        session: the folder of all experiments, and what shows progress.
        name: name or path; by default the experiment finished last.
        recipe: `tuned` or `untuned`; by default the tuned recipe if there is one.
        threshold: replaces the thresholds of the recipe.
        worst: how many of the worst images to list.
        csv: a file to write one row for each class to.

    Raises:
        NotReadyError: there are no predictions, or no tuned recipe.
        ConfigError: the recipe or the threshold is not valid.
        ChangedError, DataError, FoldsError, MissingFileError: the images are not the predicted ones, or the recipe was
            tuned on other predictions.
    """
    experiment = session.workspace.find_or_last(name, session.progress)
    with locked(experiment.lock):
        truth = truth_of(experiment, read_resolved(experiment))
        held_out = read_fold_table(experiment.folds, truth.labelled.images.ids).out_of_fold
        truth = truth.only(held_out.ids)
        store = ProbabilityStore(experiment.predictions("oof"))
        rule = choose_recipe(experiment, truth.classes, recipe, threshold)
        measured = _measure(experiment, truth, held_out.folds, store, recipe=rule, progress=session.progress)
        evaluation = _evaluation(experiment, truth, measured, rule, worst)
        write_json(experiment.evaluation, asdict(evaluation))
        confusion_picture(
            experiment.confusion,
            measured.confusion,
            evaluation.confusion.names,
            f"{experiment.name}: confusion",
            f"out-of-fold pixels in % of each true class; {evaluation.metric} {score_text(evaluation.score)}, "
            f"{evaluation.recipe_text}",
        )
        pictures = _draw(experiment, truth, measured, store, rule)
    if csv is not None:
        write_text(csv, format_table(CLASS_COLUMNS, class_rows(evaluation.classes)))
    table = None if csv is None else str(csv)
    return EvaluateResult(evaluation, str(experiment.evaluation), str(experiment.confusion), table, *pictures)


@dataclass(frozen=True, eq=False)
class _Measured:
    """The measurements of all images, in the order of the sorted ids; `areas` is `int64 (images, classes, 4)`."""

    folds: Integers
    scored: ScoredImages
    areas: Integers
    confusion: Confusion


def _measure(
    experiment: Experiment,
    truth: Truth,
    folds: Integers,
    store: ProbabilityStore,
    *,
    recipe: Recipe,
    progress: Progress,
) -> _Measured:
    data, classes = truth.labelled, truth.classes
    plugins = Plugins.of(experiment, progress)
    scorer = Scorer([truth.build_metric(plugins)], classes.activation, recipe, plugins)
    areas, confusion = [], _no_confusion(classes.count, classes.activation)
    with progress.task("evaluating", len(store.ids)) as task:
        for image_id in data.images.ids:
            stored = store.read(image_id)
            labels = labels_of(data, store, image_id)
            objects = data.read_objects(image_id) if scorer.needs_objects else None
            case = scorer.add(stored, labels, objects, store.presence(image_id), image_id=image_id)
            areas.append(case.areas)
            confusion += confusion_of(case.prediction, labels, classes.activation)
            task.advance()
    return _Measured(folds, scorer.scored(), np.stack(areas), confusion)


def _draw(
    experiment: Experiment, truth: Truth, measured: "_Measured", store: ProbabilityStore, recipe: Recipe
) -> tuple[str, str | None]:
    """Draw the worst and the best images, and the learning curves if they are missing; returns both files.

    An ensemble has no curves.
    """
    classes, metric = truth.classes, measured.scored.metrics[0]
    scores = Scores(truth.labelled.images.ids, measured.folds, measured.scored, classes.names)
    write_overlays(experiment, store, truth.labelled, scores, recipe, plugins=Plugins.of(experiment))
    if not experiment.is_ensemble and not experiment.curves.is_file():
        config = config_from_plain(read_resolved(experiment).config, experiment.folder)
        write_curves(experiment, config, metric.is_better)
    return str(experiment.overlays), str(experiment.curves) if experiment.curves.is_file() else None


def _no_confusion(classes: int, activation: Activation) -> Confusion:
    count = classes + (activation == "sigmoid")
    return Confusion(np.zeros((count, count), np.int64), np.zeros(count, np.int64))


def _evaluation(experiment: Experiment, truth: Truth, measured: _Measured, recipe: Recipe, worst: int) -> Evaluation:
    ids, classes, scored = truth.labelled.images.ids, truth.classes, measured.scored
    metric = scored.metrics[0]
    # The first of exclusive classes is the background.
    foreground = measured.areas[:, 1:] if classes.activation == "softmax" else measured.areas
    true_areas = foreground[:, :, 2].sum(axis=1)
    scores = scored.per_image()[metric.label]
    names = [BACKGROUND, *classes.names] if classes.activation == "sigmoid" else list(classes.names)
    return Evaluation(
        experiment=experiment.name,
        metric=metric.label,
        score=finite_or_none(scored.scores()[metric.label]),
        images=len(ids),
        recipe=recipe_to_plain(recipe),
        recipe_text=describe(recipe, classes.names, classes.activation),
        report=classification_report(measured.areas.sum(axis=0), classes.names, classes.activation),
        classes={name: class_scores(measured.areas[:, index]) for index, name in enumerate(classes.names)},
        confusion=_table(names, measured.confusion),
        sizes=_sizes(scored, foreground),
        worst=[
            BadImage(ids[at], int(measured.folds[at]), float(scores[at]), int(scored.wrong[at]), int(true_areas[at]))
            for at in worst_first(scores, scored.wrong, metric.direction)[:worst]
        ],
        oof_predictions=store_digest(experiment.predictions("oof")),
    )


def _sizes(scored: ScoredImages, foreground: Integers) -> list[SizeScores]:
    """The scores of images by the area of their true foreground; `foreground` holds the areas of its classes."""
    found = []
    for size in area_bins(foreground[:, :, 2].sum(axis=1)):
        areas = foreground[size.positions]
        score = scored.of(size.positions).scores()[scored.metrics[0].label]
        pooled = pooled_scores(areas)
        found.append(
            SizeScores(
                low=size.low,
                high=size.high,
                images=len(size.positions),
                score=finite_or_none(score),
                precision=pooled.precision,
                recall=pooled.recall,
                left_empty=int((areas[:, :, 1].sum(axis=1) == 0).sum()),
            )
        )
    return found


def _table(names: list[str], confusion: Confusion) -> ConfusionTable:
    shares = [[None if math.isnan(share) else share for share in row] for row in confusion.shares.tolist()]
    return ConfusionTable(names, confusion.counts.tolist(), confusion.pixels.tolist(), shares)
