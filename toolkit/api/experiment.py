"""An experiment or ensemble from Python: the commands as methods, and predictions as arrays."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from toolkit.api.arguments import Folds, Shown, as_progress, folder_and_root, number, numbers, seconds
from toolkit.api.batches import EvaluatedBatch, PredictedMap, evaluated_batches
from toolkit.api.error_words import methods_in_python
from toolkit.api.images import as_images, refuse_failures
from toolkit.api.keras_models import keras_model_of
from toolkit.api.paths import as_path, as_paths
from toolkit.cluster.units import Machines
from toolkit.commands.comparing.evaluate_images import ImagesOptions, evaluate_images
from toolkit.commands.comparing.evaluate_result import ImagesResult
from toolkit.commands.ensembling.in_time import submit_in_time
from toolkit.commands.predicting.forecaster import Failure, Forecaster, chosen_views
from toolkit.commands.predicting.predict import PredictOptions, predict
from toolkit.commands.predicting.predict_result import PredictResult
from toolkit.commands.session import Session
from toolkit.commands.submitting.kaggle import upload_options
from toolkit.commands.submitting.oof import OofSubmission, submit_oof
from toolkit.commands.submitting.score import ScoreOptions, ScoreResult, score_submission
from toolkit.commands.submitting.submit import SubmitOptions, SubmitResult, submit
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.commands.training.fit_result import FitResult
from toolkit.commands.tuning.tune import tune
from toolkit.commands.tuning.tune_result import TuneResult
from toolkit.config.data.classes import task_classes
from toolkit.config.training.execution import parse_engine
from toolkit.core.arrays import Probability
from toolkit.core.masks.labels import Classes
from toolkit.core.recipe.recipe import Recipe
from toolkit.errors import ConfigError, DataError, NotReadyError
from toolkit.files.data.given_dataset import GivenDataset
from toolkit.files.datasets.images_to_predict import find_inputs, images_of
from toolkit.files.experiment.fitted import find_fitted, first_networks
from toolkit.files.experiment.members import find_member
from toolkit.files.experiment.resolved import data_of, is_of_dataset, read_resolved
from toolkit.files.experiment.score_json import read_score
from toolkit.files.experiment.tuned import read_tuned
from toolkit.files.experiment.workspace import Workspace

Array = npt.NDArray[Any]


@methods_in_python
class Experiment:
    """An experiment, an ensemble, or a part of an experiment (`experiments/exp042:fold0`).

    Methods raise a `ToolkitError` with a `message` and an `advice` for everything that a user can fix.

    Attributes:
        session: the working folder with its experiments, and what shows progress.
    """

    def __init__(
        self, path: str | Path, dataset: Any = None, *,
        progress: Shown = None, engine: str | None = None, cluster: Machines | None = None,
    ) -> None:  # fmt: skip
        """Find an experiment.

        Args:
            path: its folder or its config.yaml.
            dataset: stands in for the images and masks of config.yaml, see `fit`.
            progress: what shows messages and progress; by default the terminal or notebook, if there is one. With
                False nothing is shown.
            engine: what predicts, `tensorflow`, `openvino` or `auto`; by default what the configuration says.
            cluster: `ray_cluster()`, for `fit`, `predict_to` and `evaluate`; by default this process.

        Raises:
            MissingFileError: there is no such experiment.
            ConfigError: it has no such part, or there is no such engine.
            DataError: the dataset has no `__len__` or `__getitem__`, or its images and masks differ in number.
        """
        folder, root = folder_and_root(path)
        given = None if dataset is None else GivenDataset(dataset)
        self.session = Session(Workspace(root, given, parse_engine(engine)), as_progress(progress), cluster)
        self._member = find_member(self.session.workspace, str(folder.absolute()))
        self._forecaster: Forecaster | None = None

    def __repr__(self) -> str:
        """For example `Experiment('experiments/exp042')`."""
        return f"{type(self).__name__}({str(self.folder)!r})"

    @property
    def name(self) -> str:
        """Its name, for example `exp042` or `exp042:fold0`."""
        return self._member.name

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self._member.experiment.folder

    @property
    def path(self) -> str:
        """What commands call it: its absolute folder, with the part if it is one."""
        return ":".join((str(self.folder.absolute()), *self._member.part.words))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes in the order of the maps; the first of exclusive classes is the background."""
        return self._classes().names

    @property
    def scores(self) -> dict[str, Any]:
        """The out-of-fold scores as in score.json, with the keys `metric`, `folds`, `all` and others.

        Raises:
            NotReadyError: the experiment is not finished.
        """
        file = self._member.experiment.score
        if not file.is_file():
            raise NotReadyError(f"{self.name} is not finished: there is no {file}", f"Run: tk fit {self.name}")
        return dict(read_score(self._member.experiment))

    @property
    def recipe(self) -> Recipe:
        """The tuned recipe; `toolkit.masks_of` applies it.

        Raises:
            NotReadyError: there is no tuned recipe.
            ChangedError: it was tuned on other predictions.
        """
        classes = self._classes()
        return read_tuned(self._member.experiment, classes.count, classes.activation).recipe

    def fit(
        self,
        dataset: Any = None,
        *,
        overrides: Sequence[str] = (),
        folds: Folds = None,
        stages: Folds = None,
        max_time: str | None = None,
        seed: int | None = None,
        num_seeds: int | None = None,
        restart: bool = False,
        save: bool = False,
        profile: bool = False,
    ) -> FitResult:
        """Train, predict and score as `tk fit` does; resumes where an earlier run was stopped.

        Args:
            dataset: stands in for the images and masks of config.yaml, now and in later calls: (images, masks), or
                items (image, mask) or (image, mask, id), see docs/python.md.
            overrides: overridden keys, for example `stages.0.epochs=3`.
            folds, stages: the numbers of those to train; by default all.
            max_time: a time limit, for example `8h` or `1h30m`.
            seed, num_seeds: the same as the overrides `seed=N` and `num_seeds=N`.
            restart: whether to discard earlier results.
            save: whether to write overridden keys into config.yaml; its comments stay.
            profile: whether to count the seconds of each phase.
        """
        session = self.session
        if dataset is not None:
            session = replace(session, workspace=replace(session.workspace, dataset=GivenDataset(dataset)))
        further = [f"{key}={value}" for key, value in (("seed", seed), ("num_seeds", num_seeds)) if value is not None]
        chosen = numbers("folds", folds), numbers("stages", stages)
        options = FitOptions(*chosen, seconds("max_time", max_time), restart, save, profile)
        try:
            return fit(session, str(self.folder), overrides=[*overrides, *further], options=options)
        finally:
            if is_of_dataset(self._member.experiment, session.workspace.dataset):  # not if it was refused
                self.session, self._member = session, find_member(session.workspace, self.path)

    def tune(self, *, metric: str | None = None, steps: str | None = None, explain: bool = False) -> TuneResult:
        """Choose thresholds and post-processing on out-of-fold predictions, as `tk tune` does."""
        return tune(self.session, str(self.folder), metric=metric, steps=steps, explain=explain)

    def submit(
        self, *, threshold: float | None = None, minimum_area: int | None = None, name: str | None = None,
        upload: str | None = None, message: str | None = None, minutes: float | None = None,
    ) -> SubmitResult:  # fmt: skip
        """As `tk submit`; `upload` names a Kaggle competition, `minutes` limit predictions that are made first."""
        options = SubmitOptions(threshold, minimum_area, name, upload_options(upload, message))
        if minutes is not None:
            return submit_in_time(self.session, str(self.folder), minutes=minutes, options=options)
        return submit(self.session, str(self.folder), options=options)

    def submit_oof(
        self, *, threshold: float | None = None, minimum_area: int | None = None, name: str | None = None
    ) -> OofSubmission:
        """Write the out-of-fold masks in the format of a submission, as `tk submit --oof` does."""
        return submit_oof(self.session, str(self.folder), options=SubmitOptions(threshold, minimum_area, name))

    def score(
        self, solution: str | Path, *, submission: str | Path | None = None, metric: str | None = None
    ) -> ScoreResult:
        """Score a submission against a solution, as `tk score` does.

        Args:
            solution: a file or a folder with the true masks.
            submission: a submission file or a folder of mask files; by default submissions/NAME.csv.
            metric: a YAML value, for example `dice`; by default the metric of the experiment.
        """
        experiment = self._member.experiment
        resolved = read_resolved(experiment)
        data = data_of(experiment, resolved)
        return score_submission(
            self.session,
            self.session.workspace.submissions / f"{experiment.name}.csv" if submission is None else Path(submission),
            solution=Path(solution),
            options=ScoreOptions(
                data.test[0] if isinstance(data.test, tuple) else data.test,
                metric or json.dumps(resolved.config["primary_metric"]),
                data.competition,
            ),
        )

    @overload
    def predict(  # type: ignore[overload-overlap] # a text is one path
        self,
        images: Array | str | Path,
        *,
        folds: Folds = ...,
        stage: int | None = ...,
        views: str | None = ...,
    ) -> Probability: ...

    @overload
    def predict(
        self,
        images: Sequence[Array | str | Path],
        *,
        folds: Folds = ...,
        stage: int | None = ...,
        views: str | None = ...,
    ) -> list[Probability]: ...

    def predict(
        self,
        images: Array | str | Path | Sequence[Array | str | Path],
        *,
        folds: Folds = None,
        stage: int | None = None,
        views: str | None = None,
    ) -> Probability | list[Probability]:
        """Predict images of any size.

        Args:
            images: one image or a list: arrays (height, width) or (height, width, channels) with values as in files,
                mostly `uint8`, or paths of files.
            folds: the folds whose networks predict, by their mean; by default all.
            stage: the stage whose best weights predict; by default the last.
            views: test-time augmentation, for example `flips`; by default none, or the views of the ensemble.

        Returns:
            `float32 (height, width, classes)`, 0–1, for one image; a list of these for a list.
        """
        forecaster = self._of(folds, stage, views)
        several = images if isinstance(images, Sequence) and not isinstance(images, str) else [images]
        found = as_images(several, first_networks(forecaster.fitted))
        maps = []
        for one in forecaster.forecasts(found, found.ids, self.name):
            if isinstance(one, Failure):
                raise DataError(one.reason)
            maps.append(one.probability)
        return maps[0] if isinstance(images, np.ndarray | str | Path) else maps

    def predict_in_directory(
        self,
        directory: str | Path,
        folds: Folds,
        callback: Callable[[str, PredictedMap, Any], object],
        data: Any = None,
        *,
        ttflips: bool = False,
        stage: int | None = None,
        views: str | None = None,
        recursive: bool = False,
    ) -> None:
        """Predict every image of a folder and call `callback(file_name, img, data)` for each, in the order of names.

        `img.arr` is the probability map, `float32 (height, width, classes)`, 0–1, at the image's own size.

        Args:
            directory: the folder of images.
            folds: the folds whose networks predict, by their mean; all if None.
            callback: called with the file name, the map and `data`; its result is ignored.
            data: passed to the callback.
            ttflips: test-time augmentation by flips, the same as `views="flips"`.
            stage: the stage whose best weights predict; by default the last.
            views: other test-time augmentation.
            recursive: whether to include subfolders; file names are then relative paths.

        Raises:
            DataError: some files could not be predicted; the callback was called for all others.
        """
        if ttflips and views not in (None, "flips"):
            raise ConfigError(f"views: {views!r} contradicts ttflips, which means flips")
        forecaster = self._of(folds, stage, "flips" if ttflips else views)
        inputs = find_inputs([Path(directory)], recursive=recursive)
        inputs.warn(self.session.progress)
        failures = dict(inputs.unusable)
        found = images_of(inputs, first_networks(forecaster.fitted))
        for one in forecaster.forecasts(found, found.ids, self.name):
            if isinstance(one, Failure):
                failures[inputs.file(one.image_id)] = one.reason
            else:
                image = PredictedMap(one.probability, one.image, one.presence)
                callback(inputs.file(one.image_id), image, data)
        refuse_failures(failures, len(inputs.paths) + len(inputs.unusable), Path(directory))

    def predict_to(
        self,
        path: str | Path | Sequence[str | Path],
        out: str | Path,
        formats: str | Sequence[str] | None = None,
        *,
        folds: Folds = None,
        stage: int | None = None,
        views: str | None = None,
        recipe: str | None = None,
        threshold: float | None = None,
        recursive: bool = False,
        columns: Sequence[str] = (),
        minutes: float | None = None,
    ) -> PredictResult:
        """Predict images into files, as `tk predict` does; `failed` of the result lists files that failed."""
        kinds = [formats] if isinstance(formats, str) else formats
        options = PredictOptions(
            kinds, numbers("folds", folds), stage, views, recipe, threshold, recursive, columns, minutes
        )
        return predict(self.session, self.path, as_paths(path), out=Path(out), options=options)

    def evaluate(
        self,
        images: str | Path | Sequence[str | Path],
        masks: str | Path | None = None,
        *,
        out: str | Path | None = None,
        recipe: str | None = None,
        threshold: float | None = None,
    ) -> ImagesResult:
        """Predict the images of a folder and score them against labels, as `tk evaluate --images` does.

        Args:
            images: the folder; several if the channels of images are in several folders.
            masks: the folder or file of the labels, which are read as those of the experiment are.
            out: the folder to write to; by default one in `evaluations/`.
            recipe, threshold: `tuned` or `untuned`, by default tuned if it is; or a plain threshold in place of any.
        """
        options = ImagesOptions(as_path(masks), recipe, threshold, as_path(out))
        return evaluate_images(self.session, self.path, as_paths(images), options=options)

    def evaluate_all(
        self, fold: int | None = None, *, stage: int | None = None, views: str = "none", batch: int = 16
    ) -> Iterator[EvaluatedBatch]:
        """Batches of training images with their truth and their predictions by networks that were not trained on them.

        Predictions are kept in the experiment, so that a second call is fast; they have 8 bits, unless the
        configuration asks for more.

        Args:
            fold: the fold whose held-out images are given; by default those of all folds in turn.
            stage: the stage whose best weights predict; by default the last.
            views: test-time augmentation, for example `flips`.
            batch: the number of images in a batch.
        """
        if batch < 1:
            raise ConfigError(f"batch: expected a whole number of at least 1; received {batch}")
        member = self._member if stage is None else find_member(self.session.workspace, f"{self.path}:stage{stage}")
        return evaluated_batches(member, fold, chosen_views(views) or "none", batch, self.session.progress)

    def load_model(self, fold: int, stage: int | None = None, *, repeat: int = 0) -> Any:
        """The Keras model of a fold with its best weights, built from the configuration: no pickled code is read.

        It takes pixel values, (batch, height, width, channels), 0–255, at the size of the network's input, and returns
        probabilities `float32 (batch, height, width, classes)`; with a presence head also (batch, classes).

        Args:
            fold: the number of the fold.
            stage: the number of the stage; by default the last.
            repeat: the number of the seed, if `num_seeds` is more than 1.
        """
        return keras_model_of(self._member, number("fold", fold), stage, repeat, self.session.progress)

    def _classes(self) -> Classes:
        experiment = self._member.experiment
        resolved = read_resolved(experiment)
        return task_classes(resolved.config["classes"], resolved.config["activation"], data_of(experiment, resolved))

    def _of(self, folds: Folds, stage: int | None, views: str | None) -> Forecaster:
        """The forecaster, which keeps its networks from one call to the next."""
        chosen = None if stage is None else number("stage", stage)
        fitted = find_fitted(self._member, folds=numbers("folds", folds), stage=chosen, views=chosen_views(views))
        if self._forecaster is None or self._forecaster.fitted != fitted:
            self._forecaster = Forecaster(fitted, self.session.progress)
        return self._forecaster
