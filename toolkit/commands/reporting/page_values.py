"""Everything that the page shows of one experiment or ensemble, read from its files and computed from its predictions.

Nothing here runs code that the experiment brings along; where a figure would need it, the page says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from pydantic import TypeAdapter

from toolkit.commands.comparing.recorded_scores import direction_of
from toolkit.commands.reporting.chosen_images import ChosenImages, choose
from toolkit.commands.reporting.compared_values import Subject, compared_values, other_of
from toolkit.commands.reporting.doubts import Known, doubts_of, next_step
from toolkit.commands.reporting.ensemble_values import ensemble_values
from toolkit.commands.reporting.measured import Material, measure
from toolkit.commands.reporting.origin_values import origin_values
from toolkit.commands.reporting.search_values import search_values
from toolkit.commands.reporting.threshold_curves import find_curves, has_curves
from toolkit.commands.scoring.curves import trained_of
from toolkit.commands.session import Session
from toolkit.commands.submitting.masks import chosen_classes
from toolkit.config.data.classes import task_classes
from toolkit.config.metrics import read_metric
from toolkit.config.yaml.file_paths import regular
from toolkit.core.masks.labels import Classes
from toolkit.core.recipe.postprocess import IDENTITY, describe
from toolkit.errors import ChangedError, SubmissionError, ToolkitError
from toolkit.files.datasets.truth import truth_of
from toolkit.files.disk.json_files import read_json
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import Resolved, data_of, read_resolved
from toolkit.files.experiment.score_json import StoredScore, known_score
from toolkit.files.experiment.trained import read_predicted_folds, trained_folds
from toolkit.files.experiment.tuned import TunedRecipe, read_tuned
from toolkit.files.predictions.store import ProbabilityStore, is_made
from toolkit.messages import Silent
from toolkit.report.page.values import DataValues, Gallery, PageValues
from toolkit.report.plots.curve_lines import TrainedFold

_OWN_CODE = "{} is code that the experiment brings along, which this page does not run."
_WIDEST_SAMPLES = 1400


@dataclass(frozen=True, eq=False)
class _Files:
    """What the files of an experiment say."""

    experiment: Experiment
    resolved: Resolved | None
    score: StoredScore | None
    classes: Classes
    tuned: TunedRecipe | None
    stale: str
    data: Mapping[str, Any] | None


def page_values(session: Session, experiment: Experiment, others: Sequence[str] = ()) -> PageValues:
    """Collect the values; `others` are the names of experiments that it is compared with.

    Raises:
        StorageError: a file of the experiment is damaged.
        ToolkitError: the comparison is not possible.
    """
    files = _read(experiment)
    missing: dict[str, str] = {}
    values = _known_from_files(session, files)
    material = _material(session, files, missing)
    if material is not None:
        with _noting(missing, "images"):
            values = _with_predictions(session, experiment, values, material, others)
    if others:
        folds = {} if material is None else dict(zip(material.table.ids, material.table.folds.tolist(), strict=True))
        subject = Subject(experiment, values.metric, values.direction, folds)
        values = replace(
            values, comparison=compared_values(session, [str(experiment.folder.absolute()), *others], subject)
        )
    if experiment.is_ensemble:
        values = replace(values, ensemble=ensemble_values(experiment, files.score, material))
    known = Known(
        session,
        experiment,
        files.resolved,
        files.score,
        files.tuned,
        files.stale,
        values.direction,
        files.data,
        submittable=material is None or _fits_a_submission(files, material),
    )
    return replace(
        values, missing=missing | dict(values.missing), doubts=doubts_of(known, missing), next_step=next_step(known)
    )


def _fits_a_submission(files: _Files, material: Material) -> bool:
    """Whether a submission of the competition can hold the classes."""
    if files.resolved is None:
        return False
    form = data_of(files.experiment, files.resolved).table_format
    try:
        chosen_classes(files.experiment.name, material.truth.classes, material.truth.rules, form, Silent())
    except SubmissionError:
        return False
    return True


@contextmanager
def _noting(missing: dict[str, str], part: str) -> Iterator[None]:
    """Note why a part of the page is missing, instead of raising the error."""
    try:
        yield
    except ToolkitError as error:
        missing[part] = f"Curves and images are not shown: {error.message}"


def _read(experiment: Experiment) -> _Files:
    """The files of the experiment; a recipe of other predictions counts as none, and is told."""
    resolved = read_resolved(experiment) if experiment.resolved.is_file() else None
    classes, tuned, stale = Classes(), None, ""
    if resolved is not None:
        config = resolved.config
        with suppress(ToolkitError):  # the data are needed only to look at them
            classes = task_classes(config["classes"], config["activation"], data_of(experiment, resolved))
    if experiment.tuned.is_file():
        try:
            tuned = read_tuned(experiment, classes.count, classes.activation)
        except ChangedError as error:
            stale = error.message
    data = None
    if experiment.data_findings.is_file():
        with suppress(ToolkitError):
            again = f"Run: tk data {experiment.name}"
            data = read_json(experiment.data_findings, TypeAdapter(dict[str, Any]), again)
    return _Files(experiment, resolved, known_score(experiment), classes, tuned, stale, data)


def _known_from_files(session: Session, files: _Files) -> PageValues:
    """What is known without images and predictions."""
    experiment, resolved, score = files.experiment, files.resolved, files.score
    spec = None if resolved is None else resolved.primary_metric
    direction = "max" if spec is None else direction_of(experiment, spec)
    label = score["metric"] if score is not None else "" if spec is None else spec.label
    trained = _trained(files, direction)
    return PageValues(
        name=experiment.name,
        is_ensemble=experiment.is_ensemble,
        state=_state(files),
        metric=label,
        direction=direction,
        classes=files.classes.names,
        activation=files.classes.activation,
        next_step="",
        score=score,
        tuned=files.tuned,
        images=0,
        trained=trained,
        stage_losses=_stage_losses(files),
        seconds=[
            (one.title, sum(map(len, one.stages)), sum(epoch.seconds for stage in one.stages for epoch in stage))
            for one in trained
        ],
        data=_data(files),
        search=search_values(experiment),
        origin=None if resolved is None else origin_values(session, experiment, resolved),
    )


def _trained(files: _Files, direction: str) -> list[TrainedFold]:
    if files.resolved is None or files.experiment.is_ensemble:
        return []
    config = files.resolved.config
    return trained_of(
        files.experiment,
        config["folds_count"],
        len(config["stages"]),
        seeds=config["num_seeds"],
        is_better=(lambda one, other: one > other) if direction == "max" else (lambda one, other: one < other),
    )


def _stage_losses(files: _Files) -> list[str]:
    """The loss of each stage; nothing for ensembles."""
    if files.resolved is None or files.experiment.is_ensemble:
        return []
    config = files.resolved.config
    return [str(stage.get("loss") or config["loss"]) for stage in config["stages"]]


def _state(files: _Files) -> str:
    experiment, resolved = files.experiment, files.resolved
    if resolved is None:
        return "not fitted yet"
    if experiment.is_ensemble:
        return "finished" if files.score is not None else "not finished"
    config = resolved.config
    counts = {"folds": config["folds_count"], "stages": len(config["stages"]), "seeds": config["num_seeds"]}
    done = len(trained_folds(experiment, **counts))
    return "finished" if done == counts["folds"] else f"{done} of {counts['folds']} folds trained"


def _data(files: _Files) -> DataValues | None:
    if files.data is None and files.experiment.is_ensemble:
        return None
    return DataValues(files.data, _samples(files.experiment))


def _samples(experiment: Experiment) -> Any:
    """The sheet of samples, at most as wide as the page; None if there is none, or one that cannot be read."""
    path = experiment.data_samples
    if not path.is_file():
        return None
    content = np.frombuffer(regular(path).read_bytes(), np.uint8)
    sheet = cv2.imdecode(content, cv2.IMREAD_COLOR_RGB)
    if sheet is None:
        return None
    scale = min(1.0, _WIDEST_SAMPLES / sheet.shape[1])
    size = (round(sheet.shape[1] * scale), round(sheet.shape[0] * scale))
    return sheet if scale == 1 else cv2.resize(sheet, size, interpolation=cv2.INTER_AREA)


def _material(session: Session, files: _Files, missing: dict[str, str]) -> Material | None:
    """The predictions and their truth, if there are any and no code of the experiment is needed to read them."""
    experiment, resolved = files.experiment, files.resolved
    if resolved is None or not is_made(experiment.predictions("oof")):
        return None
    if resolved.primary_metric.is_plugin or resolved.config["data"].get("source"):
        what = "The metric" if resolved.primary_metric.is_plugin else "The source of the data"
        missing["images"] = f"Curves and images are not shown: {_OWN_CODE.format(what.lower())}"
        return None
    recipe = IDENTITY if files.tuned is None else files.tuned.recipe
    source = "untuned recipe" if recipe == IDENTITY else "tuned recipe"
    if any(rule.steps for rule in recipe.classes):
        missing["recipe"] = f"Images are shown with the untuned recipe: {_OWN_CODE.format('a step of the tuned one')}"
        recipe, source = IDENTITY, "untuned recipe"
    with _noting(missing, "images"):
        truth = truth_of(experiment, resolved)
        table = read_predicted_folds(experiment, truth.labelled.images.ids).out_of_fold
        store = ProbabilityStore(experiment.predictions("oof"))
        specs = [read_metric(value) for value in resolved.config.get("metrics", ())]
        further = [spec for spec in specs if not spec.is_plugin]
        return Material(truth.only(table.ids), table, store, recipe, source, further, session.progress)
    return None


def _with_predictions(
    session: Session, experiment: Experiment, values: PageValues, material: Material, others: Sequence[str]
) -> PageValues:
    measured = measure(material, values.name)
    task = material.task()
    other = None
    if others:
        subject = Subject(experiment, values.metric, values.direction, {})
        other = other_of(session, others[0], subject, material.classes, material.table.ids)
    chosen = choose(measured, material.table.ids, other)
    missing: dict[str, str] = {}
    found = None
    if has_curves(task):
        found = find_curves(task, material.classes.names, list(chosen))
    else:
        missing["curves"] = (
            f"{task.metric.label} has no exact curves over thresholds and areas here: each threshold would have to be "
            "applied to every image."
        )
    images, reduced = ChosenImages(material, measured, chosen, {} if found is None else found.of_images, other).read()
    names = material.classes.names
    shown = [(index, names[index]) for index in range(int(material.classes.activation == "softmax"), len(names))]
    recipe = describe(material.recipe, names, material.classes.activation)
    gallery = Gallery(
        images, shown, f"{material.recipe_source}: {recipe}", reduced, "" if other is None else other.name
    )
    data = values.data or DataValues(None)
    return replace(
        values,
        images=len(material.table.ids),
        evaluation=measured.evaluation,
        kept=measured.kept,
        folds_by_class=measured.folds_by_class,
        calibration=measured.calibration,
        curves=None if found is None else found.curves,
        gallery=gallery,
        data=replace(data, shares=measured.shares, sizes=measured.sizes, classes=measured.classes),
        missing=missing,
    )
