"""`tk evaluate --images`: other labelled images than those of the folds, predicted and scored."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.commands.comparing.evaluate_result import CLASS_COLUMNS, ImagesResult, OfImages, class_rows
from toolkit.commands.comparing.image_measurements import Measurements
from toolkit.commands.comparing.label_checks import warn_of_background
from toolkit.commands.comparing.trained_images import find_trained
from toolkit.commands.predicting.forecaster import Failure, Forecaster
from toolkit.commands.predicting.shards.map_units import MapsMade, maps_made_on
from toolkit.commands.predicting.shards.unit_inputs import COMPARED
from toolkit.commands.scoring.recipe_choice import recipe_for_images
from toolkit.commands.session import Session
from toolkit.config.models import Config
from toolkit.core.arrays import Image, Presence
from toolkit.core.metrics.metric import Case
from toolkit.core.metrics.registry import build_metrics
from toolkit.core.metrics.scorer import ScoredImages, Scorer
from toolkit.core.recipe.postprocess import describe
from toolkit.core.recipe.probabilities import Stored, to_levels
from toolkit.core.recipe.recipe import Recipe
from toolkit.errors import ChangedError, ConfigError, DataError, counted, listing
from toolkit.files.data.finding import find_labelled_folder
from toolkit.files.data.neighbours import own_pixels
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.images_to_predict import refuse_other_channels
from toolkit.files.datasets.scored_size import at_scored_size
from toolkit.files.disk.json_files import finite_or_none, write_json
from toolkit.files.disk.png import write_png
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.fitted import Fitted, find_fitted, first_networks
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import find_member
from toolkit.files.inspection.checking import DataIndex, check_training_data
from toolkit.files.predictions.output_folder import PredictionFolder
from toolkit.learning.plugins import Plugins
from toolkit.messages import Progress, Silent, score_text
from toolkit.report.drawing import Picture
from toolkit.report.plots.confusion_matrix import confusion_picture
from toolkit.report.prediction_picture import Truth, prediction_picture

_AS_IN_EXPERIMENTS = Experiment(Path())
_FIGURES, _CONFUSION = _AS_IN_EXPERIMENTS.evaluation.name, _AS_IN_EXPERIMENTS.confusion.name
_IMAGES, _CLASSES = "images.csv", "classes.csv"


@dataclass(frozen=True)
class ImagesOptions:
    """The labels, the recipe and the output.

    `masks` is a folder or a file; None if the experiment makes its labels from the images. `recipe` and `threshold` are
    as for `evaluate`. `out` is the folder to write to; by default one in `evaluations/`. `worst` is how many of the
    worst images to list. `csv` is a further file to write one row for each class to.
    """

    masks: Path | None = None
    recipe: str | None = None
    threshold: float | None = None
    out: Path | None = None
    worst: int = 10
    csv: Path | None = None


def evaluate_images(
    session: Session, name: str | None, images: Sequence[Path], *, options: ImagesOptions = ImagesOptions()
) -> ImagesResult:
    """Predict labelled images with an experiment or ensemble as `tk predict` does, and score the predictions.

    Labels are read as those of the experiment are. All files are checked before anything is predicted. Images that the
    experiment was trained on are reported.

    Args:
        session: the folder of all experiments, what shows progress, and other machines that predict, if there are any.
        name: name or path of an experiment, an ensemble or a part of an experiment; by default the one finished last.
        images: the folder of the images; several if the channels of images are in several folders.
        options: labels, recipe and output.

    Raises:
        NotReadyError: the experiment is not fitted, or has no tuned recipe.
        ConfigError: an option is not valid.
        MissingFileError: there is no such experiment, folder or file.
        DataError: images and labels do not fit each other, or some cannot be read; the message lists them.
        ChangedError: the default folder has an evaluation of other images, or the output folder has other files.
        ClusterError: other machines could not finish; what they have predicted is kept for the next time.
        LockedError: other machines would predict, and another run works on the experiment.
    """
    if not images:
        raise ConfigError(
            "--masks, --out, --engine, --on and --files are for other images than those of the folds",
            "Add --images FOLDER.",
        )
    workspace, progress = session.workspace, session.progress
    member = find_member(workspace, name or workspace.find_or_last(None, progress).name)
    fitted = find_fitted(member)
    networks = first_networks(fitted)
    config, experiment = networks.config, member.experiment
    refuse_other_channels(networks, len(images))
    labelled = _find(config, images, options.masks)
    if options.out is not None:
        workspace.refuse_inside_experiment(options.out)
    recipe = recipe_for_images(
        experiment,
        config.task_classes,
        options.recipe,
        options.threshold,
        of_mean=fitted.is_mean_of_folds,
        others=[f"only {member.name} predicts"] if member.is_part else [],
        progress=progress,
    )
    index = _check(labelled, progress)
    warn_of_background(labelled, index, config.data, progress)
    trained = find_trained(fitted, labelled.images, index.constant, progress)
    for warning in trained.warnings(member.name, len(index.ids)):
        progress.warn(warning)
    folder = _folder(workspace.root / "evaluations", member.name, images, options)
    forecaster = Forecaster(fitted, progress, spill=folder.folder)
    with folder.locked():
        files = [_FIGURES, _IMAGES, _CLASSES, _CONFUSION, *map(_overlay, index.ids)]
        folder.announce(files, _made_from(images, options))
        job = _Job(member.name, folder.folder, fitted, labelled, recipe.recipe, progress)
        with maps_made_on(session.cluster, member, fitted, labelled.images, progress) as made:
            measured = job.run(Plugins.of(experiment, progress), forecaster, made)
        scored = measured.scored()
        unseen = np.flatnonzero([image_id not in trained.ids for image_id in index.ids])
        evaluation = OfImages(
            **vars(measured.evaluation(member.name, options.worst, recipe.source)),
            folders=[str(one) for one in images],
            masks=None if options.masks is None else str(options.masks),
            networks=fitted.count,
            engine=job.engine(forecaster, made),
            unseen=len(unseen),
            unseen_scores=_numbers(scored.of(unseen)) if len(unseen) else dict.fromkeys(_numbers(scored)),
            same_as_training=trained.same,
            named_as_training=trained.named,
        )
        job.write(evaluation, measured)
    if options.csv is not None:
        write_text(options.csv, format_table(CLASS_COLUMNS, class_rows(evaluation.classes)))
    paths = (folder.folder / file for file in (_FIGURES, _CONFUSION, _IMAGES, _CLASSES, "overlay"))
    return ImagesResult(evaluation, str(folder.folder), *map(str, paths))


def _find(config: Config, images: Sequence[Path], masks: Path | None) -> LabelledImages:
    if masks is None and (config.data.masks is not None or config.data.value_ranges is None):
        raise ConfigError("--masks is missing", "Add the folder or the file of the labels: --masks FOLDER_OR_FILE")
    found = find_labelled_folder(config.data, config.task_classes, config.shape[2], images, masks)
    ids, labels = found.images.ids, sorted(found.masks.ids)
    if not set(ids).intersection(labels):
        raise DataError(
            f"no image of {found.images.origin} has a label in {masks}: the images are called {listing(ids)}, the "
            f"labels {listing(labels)}",
            "The ids of images and labels are their file names without extension, or what data.image_name and "
            "data.mask_name of the experiment make of them.",
        )
    return found


def _check(labelled: LabelledImages, progress: Progress) -> DataIndex:
    """Read all images and labels once; problems are raised before anything is predicted."""
    index = check_training_data(labelled, progress, "checking images and labels", extra=True)
    if all(one.ignored == 1 for one in index.facts):
        raise DataError(f"nothing is labelled: all pixels of all {len(index.ids)} labels are ignored")
    return index


def _folder(evaluations: Path, name: str, images: Sequence[Path], options: ImagesOptions) -> PredictionFolder:
    """The folder to write to; the default one is named after the experiment and the folder of the images."""
    if options.out is not None:
        return PredictionFolder(options.out)
    named = [part for part in images[0].parts if part not in ("..", images[0].anchor)] or [images[0].absolute().name]
    folder = PredictionFolder(evaluations / "-".join([name.replace(":", "."), *named[-2:]]))
    if folder.record.is_file() and folder.made_from != _made_from(images, options):
        raise ChangedError(
            f"{folder.folder} holds an evaluation of other images or labels: {folder.made_from}",
            "Choose another folder: --out FOLDER",
        )
    return folder


def _made_from(images: Sequence[Path], options: ImagesOptions) -> dict[str, Any]:
    masks = None if options.masks is None else str(options.masks.absolute())
    return {"images": [str(folder.absolute()) for folder in images], "masks": masks}


@dataclass(frozen=True, eq=False)
class _Job:
    """Predicts and measures the images, draws an overlay of each, and writes the results."""

    name: str
    folder: Path
    fitted: Fitted
    labelled: LabelledImages
    recipe: Recipe
    progress: Progress

    @property
    def config(self) -> Config:
        """The configuration of the first experiment that predicts."""
        return first_networks(self.fitted).config

    def run(self, plugins: Plugins, forecaster: Forecaster, made: MapsMade) -> Measurements:
        """Measure all images; those that no other machine has predicted are predicted here."""
        config, classes = self.config, self.labelled.classes
        metrics = build_metrics(
            config.metric_specs,
            classes.count,
            classes.activation,
            names=classes.names,
            plugins=plugins,
            rules=config.scoring_rules,
        )
        measured = Measurements(classes, self.recipe, Scorer(metrics, classes.activation, self.recipe, plugins))
        truth = at_scored_size(self.labelled, config.data.competition)
        for image_id, stored, presence in self._predicted(forecaster, made):
            labels = truth.read_labels(image_id)
            objects = truth.read_objects(image_id) if measured.needs_objects else None
            case = measured.add(image_id, stored, labels, objects, presence)
            picture = self._picture(image_id, own_pixels(truth.images, image_id), stored, case)
            write_png(self.folder / _overlay(image_id), picture)
        return measured

    def _predicted(self, forecaster: Forecaster, made: MapsMade) -> Iterator[tuple[str, Stored, Presence | None]]:
        """Ids, maps at the size at which masks are scored, and presences, in the order of the ids."""
        images = self.labelled.images
        rest = [image_id for image_id in images.ids if image_id not in made.stores]
        if made.stores and rest:
            forecaster.choose_engine(images, images.ids[:COMPARED])
        predicted = forecaster.forecasts(images, rest, self.name)
        shown = self.progress if made.stores else Silent()
        with shown.task(f"{self.name}: evaluating {counted(len(images.ids), 'image')}", len(images.ids)) as task:
            for image_id in images.ids:
                store = made.stores.get(image_id)
                if store is not None:
                    yield image_id, store.read(image_id), store.presence(image_id)
                else:
                    found = next(predicted)
                    if isinstance(found, Failure):
                        raise DataError(found.reason)
                    yield image_id, found.stored(self.fitted.stored_type, self.config.scored_size), found.presence
                task.advance()
        next(predicted, None)  # its task ends

    def engine(self, forecaster: Forecaster, made: MapsMade) -> str:
        """What computed the networks, here and elsewhere."""
        all_made = len(made.stores) == len(self.labelled.images.ids)
        return ", ".join(sorted(made.engines if all_made else made.engines | forecaster.engines))

    def _picture(self, image_id: str, image: Image, stored: Stored, case: Case) -> Picture:
        classes = self.labelled.classes
        first = int(classes.activation == "softmax")  # the background
        return prediction_picture(
            image,
            to_levels(stored)[..., first:],
            case.whole_prediction[..., first:],
            name=image_id,
            title=f"{self.name}, {describe(self.recipe, classes.names, classes.activation)}",
            classes=classes.names[first:],
            background=classes.names[0] if first else None,
            truth=Truth(case.truth[..., first:], ~case.valid),
        )

    def write(self, evaluation: OfImages, measured: Measurements) -> None:
        write_json(self.folder / _FIGURES, asdict(evaluation))
        write_text(self.folder / _CLASSES, format_table(CLASS_COLUMNS, class_rows(evaluation.classes)))
        scored, ids = measured.scored(), self.labelled.images.ids
        scores = scored.per_image()
        found = {
            **dict.fromkeys(evaluation.same_as_training, "content"),
            **dict.fromkeys(evaluation.named_as_training, "id"),
        }
        columns = ("image_id", *scores, "wrong_pixels", "true_foreground", "like_training")
        cells = (*scores.values(), scored.wrong, measured.true_areas, [found.get(image_id, "") for image_id in ids])
        write_text(self.folder / _IMAGES, format_table(columns, list(zip(ids, *cells, strict=True))))
        confusion_picture(
            self.folder / _CONFUSION,
            measured.confusion,
            measured.names,
            f"{self.name}: confusion",
            f"pixels of {len(ids)} images in % of each true class; {evaluation.metric} "
            f"{score_text(evaluation.score)}, {evaluation.recipe_text}",
        )


def _overlay(image_id: str) -> str:
    return f"overlay/{image_id}.png"


def _numbers(scored: ScoredImages) -> dict[str, float | None]:
    return {label: finite_or_none(score) for label, score in scored.scores().items()}
