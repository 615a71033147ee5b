"""`tk evaluate`: out-of-fold predictions by class, by size of the foreground, and by image."""

from dataclasses import asdict, replace
from pathlib import Path

from toolkit.commands.comparing.evaluate_result import CLASS_COLUMNS, EvaluateResult, OutOfFold, class_rows
from toolkit.commands.comparing.image_measurements import Measurements
from toolkit.commands.scoring.curves import write_curves
from toolkit.commands.scoring.overlays import write_overlays
from toolkit.commands.scoring.recipe_choice import choose_recipe
from toolkit.commands.scoring.scores import Scores, Scoring, labels_of
from toolkit.commands.session import Session
from toolkit.config.loading import config_from_plain
from toolkit.config.metrics import read_metric
from toolkit.core.recipe.recipe import Recipe
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.truth import Truth, truth_of
from toolkit.files.disk.json_files import write_json
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.experiment.trained import read_predicted_folds, tell_untrained
from toolkit.files.predictions.store import ProbabilityStore, store_digest
from toolkit.learning.plugins import Plugins
from toolkit.messages import Progress, score_text
from toolkit.report.plots.confusion_matrix import confusion_picture


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
        threshold: a plain threshold in place of any recipe.
        worst: how many of the worst images to list.
        csv: a file to write one row for each class to.

    Raises:
        NotReadyError: there are no predictions, or no tuned recipe.
        ConfigError: the recipe or the threshold is not valid.
        ChangedError, DataError, FoldsError, MissingFileError: the images are not the predicted ones, or the recipe was
            tuned on other predictions.
    """
    experiment = session.workspace.find_or_last(name, session.progress)
    with experiment.locked():
        resolved = read_resolved(experiment)
        tell_untrained(experiment, resolved.config, session.progress, "score")
        truth = truth_of(experiment, resolved)
        held_out = read_predicted_folds(experiment, truth.labelled.images.ids).out_of_fold
        truth = truth.only(held_out.ids)
        store = ProbabilityStore(experiment.predictions("oof"))
        chosen = choose_recipe(experiment, truth.classes, recipe, threshold, of_mean=False, progress=session.progress)
        rule = chosen.recipe
        specs = [read_metric(value) for value in resolved.config.get("metrics", ())]
        measured = _measure(
            experiment, truth, store, Scoring([truth.metric, *specs], rule, truth.rules), session.progress
        )
        evaluation = OutOfFold(
            **vars(measured.evaluation(experiment.name, worst, chosen.source, held_out.folds.tolist())),
            oof_predictions=store_digest(store.folder),
        )
        write_json(experiment.evaluation, asdict(evaluation))
        confusion_picture(
            experiment.confusion,
            measured.confusion,
            measured.names,
            f"{experiment.name}: confusion",
            f"out-of-fold pixels in % of each true class; {evaluation.metric} {score_text(evaluation.score)}, "
            f"{evaluation.recipe_text}",
        )
        scores = Scores(held_out.ids, held_out.folds, measured.scored(), truth.classes.names)
        pictures = _draw(experiment, truth.labelled, scores, rule)
    if csv is not None:
        write_text(csv, format_table(CLASS_COLUMNS, class_rows(evaluation.classes)))
    table = None if csv is None else str(csv)
    others = [one.name for one in session.workspace.all() if one.folder != experiment.folder and one.score.is_file()]
    return EvaluateResult(
        evaluation,
        str(experiment.evaluation),
        str(experiment.confusion),
        table,
        *pictures,
        other=min(others, default=""),
    )


def _measure(
    experiment: Experiment, truth: Truth, store: ProbabilityStore, scoring: Scoring, progress: Progress
) -> Measurements:
    data, scoring = truth.labelled, replace(scoring, plugins=Plugins.of(experiment, progress))
    measured = Measurements(truth.classes, scoring.recipe, scoring.scorer(truth.classes))
    with progress.task("evaluating", len(store.ids)) as task:
        for image_id in data.images.ids:
            labels = labels_of(data, store, image_id)
            objects = data.read_objects(image_id) if measured.needs_objects else None
            measured.add(image_id, store.read(image_id), labels, objects, store.presence(image_id))
            task.advance()
    return measured


def _draw(experiment: Experiment, data: LabelledImages, scores: Scores, recipe: Recipe) -> tuple[str, str | None]:
    """Draw the worst and the best images, and the learning curves if they are missing; returns both files.

    An ensemble has no curves.
    """
    store, scored = ProbabilityStore(experiment.predictions("oof")), scores.scored
    write_overlays(experiment, store, data, scores, recipe, plugins=Plugins.of(experiment))
    if not experiment.is_ensemble and not experiment.curves.is_file():
        config = config_from_plain(read_resolved(experiment).config, experiment.folder)
        write_curves(experiment, config, scored.metrics[0].is_better)
    return str(experiment.overlays), str(experiment.curves) if experiment.curves.is_file() else None
