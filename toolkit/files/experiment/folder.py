"""The names of all files in an experiment folder, with stage_folder.py; no other module spells them.

docs/house.md shows the tree.
"""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from toolkit.config.yaml.plugin_names import PLUGINS
from toolkit.core.images.views import views_folder
from toolkit.errors import ConfigError, MissingFileError
from toolkit.files.disk.writing import remove_unfinished, writing_to
from toolkit.files.experiment.stage_folder import StageFolder
from toolkit.messages import Progress

Split = Literal["oof", "test", "holdout"]
"""Which images are predicted: the training images, each by the fold that holds it out (out-of-fold); the test images;
or the labelled images of the hold-out. All folds predict test and hold-out images."""

ALL_SPLITS: tuple[Split, ...] = get_args(Split)

_DISCARDED = ".discarded-"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")


@dataclass(frozen=True)
class Experiment:
    """The folder of an experiment or ensemble; a GivenDataset stands in for its images and masks if Python gave one."""

    folder: Path
    dataset: Any = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name

    @property
    def config(self) -> Path:
        """config.yaml, or config.json if only that exists."""
        json, yaml = self.folder / "config.json", self.folder / "config.yaml"
        return json if json.is_file() and not yaml.is_file() else yaml

    @property
    def is_ensemble(self) -> bool:
        """Whether the configuration names members; raises MissingFileError or ConfigError if it cannot be read."""
        from toolkit.config.loading import is_ensemble  # noqa: PLC0415 # slow; `tk --help` starts without it

        return is_ensemble(self.config)

    @property
    def plugins(self) -> Path:
        """The user's losses, metrics, networks and so on; optional."""
        return self.folder / PLUGINS

    @property
    def resolved(self) -> Path:
        """The configuration and data that were really run."""
        return self.folder / "resolved.yaml"

    @property
    def folds(self) -> Path:
        """Which fold holds out which image."""
        return self.folder / "folds.csv"

    @property
    def score(self) -> Path:
        """Scores per fold and over all images; written last, so it marks the experiment as finished."""
        return self.folder / "score.json"

    @property
    def image_scores(self) -> Path:
        """Scores of each image."""
        return self.folder / "scores.csv"

    @property
    def tuned(self) -> Path:
        """The tuned recipe and its scores."""
        return self.folder / "tuned.json"

    @property
    def surface(self) -> Path:
        """The plot of the score over thresholds and minimum areas."""
        return self.folder / "surface.png"

    @property
    def weight_search(self) -> Path:
        """The member weights of an ensemble that were tried, and their scores."""
        return self.folder / "weights.json"

    @property
    def view_search(self) -> Path:
        """The views of an ensemble that were tried, and their scores."""
        return self.folder / "views.json"

    @property
    def overlays(self) -> Path:
        """The picture of the best and the worst out-of-fold predictions."""
        return self.folder / "overlays.png"

    def overlays_of(self, fold: int) -> Path:
        """The same of the images that one fold holds out, drawn when the fold is trained."""
        return self.folder / f"fold{fold}" / self.overlays.name

    @property
    def curves(self) -> Path:
        """The picture of the losses, scores and learning rate of every epoch."""
        return self.folder / "curves.png"

    @property
    def evaluation(self) -> Path:
        """Precision, recall and other scores of each class, scores by size, and the worst images."""
        return self.folder / "evaluation.json"

    @property
    def confusion(self) -> Path:
        """The picture of the confusion matrix."""
        return self.folder / "confusion.png"

    @property
    def lr_find_curve(self) -> Path:
        """The plot of the loss over the learning rate."""
        return self.folder / "lr_find.png"

    @property
    def lr_find_table(self) -> Path:
        """The values of that plot."""
        return self.folder / "lr_find.csv"

    @property
    def preview(self) -> Path:
        """The picture of augmented training images."""
        return self.folder / "preview.png"

    @property
    def data_findings(self) -> Path:
        """The summary of the data, and the problems that were found in them."""
        return self.folder / "data.json"

    @property
    def data_samples(self) -> Path:
        """The picture of training images beside their masks."""
        return self.folder / "data.png"

    @property
    def lock(self) -> Path:
        """The lock that a run holds while it works on the experiment."""
        return self.folder / ".lock"

    def stage(self, fold: int, stage: int, repeat: int = 0) -> StageFolder:
        """The folder of one stage of one fold; `repeat` numbers the seeds of the fold from 0."""
        folder = self.folder / f"fold{fold}" / (f"seed{repeat}" if repeat else "")
        return StageFolder(folder / f"stage{stage}")

    def begun_stages(self) -> list[StageFolder]:
        """All stages, of all folds and seeds, that have a folder."""
        return [
            StageFolder(folder)
            for pattern in ("fold*/stage*", "fold*/seed*/stage*")
            for folder in sorted(self.folder.glob(pattern))
        ]

    def finished_stages(self) -> list[StageFolder]:
        """All stages, of all folds and seeds, that are complete."""
        return [stage for stage in self.begun_stages() if stage.is_complete()]

    def sibling(self, name: str) -> "Experiment":
        """The experiment with this name in the same workspace."""
        return Experiment(self.folder.parent / name, self.dataset)

    def predictions(self, split: Split, views: str = "none", part: Sequence[str] = ()) -> Path:
        """The folder of a probability store; different spellings of the same views have the same folder.

        `part` has the words that name a part of the experiment, for example `fold0` and `stage1`.
        """
        name = views_folder(views)
        words = [split, *([".".join(part)] if part else []), *([] if name == "none" else [name])]
        return self.folder / "predictions" / "-".join(words)

    def forget_predictions(self, split: Split) -> None:
        """Delete the predictions of a split, with all views."""
        with writing_to(self.folder):
            for folder in (self.predictions(split), *self.folder.glob(f"predictions/{split}-*")):
                if folder.is_dir():
                    shutil.rmtree(folder)

    def forget_conclusions(self) -> None:
        """Delete what was made from the previous out-of-fold predictions: recipe, evaluation, pictures."""
        with writing_to(self.folder):
            for path in (self.tuned, self.surface, self.evaluation, self.confusion):
                path.unlink(missing_ok=True)

    def has_training(self) -> bool:
        """Whether the training of any fold has begun."""
        return bool(self.begun_stages())

    def forget_results(self) -> None:
        """Delete all results; the configuration, its preview and the folds stay.

        The record of the configuration is deleted last, so that weights never remain without it if the deletion is
        interrupted. Each fold is renamed before it is deleted, so that no fold remains in part.

        Raises:
            StorageError: a file cannot be deleted.
        """
        with writing_to(self.folder):
            for folder in (self.folder / "predictions", *sorted(self.folder.glob("fold[0-9]*"))):
                if folder.is_dir():
                    discarded = folder.with_name(f"{_DISCARDED}{folder.name}")
                    shutil.rmtree(discarded, ignore_errors=True)
                    folder.rename(discarded)
                    shutil.rmtree(discarded)
            pictures = (self.surface, self.overlays, self.curves, self.confusion)
            for path in (self.score, self.image_scores, self.tuned, self.evaluation, *pictures, self.resolved):
                path.unlink(missing_ok=True)

    def remove_remains(self) -> None:
        """Delete the unfinished files of killed runs; the caller holds the lock.

        Raises:
            StorageError: a file cannot be deleted.
        """
        with writing_to(self.folder):
            for folder in self.folder.glob("fold[0-9]*"):
                remove_unfinished(folder)
            for folder in self.folder.glob(f"{_DISCARDED}*"):
                shutil.rmtree(folder)
        for stage in self.finished_stages():
            stage.forget_progress()


@dataclass(frozen=True)
class Workspace:
    """The user's working folder, with experiments/ and submissions/; `dataset` is that of its experiments."""

    root: Path
    dataset: Any = field(default=None, repr=False, compare=False)

    @property
    def experiments(self) -> Path:
        """One folder per experiment."""
        return self.root / "experiments"

    @property
    def submissions(self) -> Path:
        """What `tk submit` writes."""
        return self.root / "submissions"

    @property
    def submission_log(self) -> Path:
        """The log of all submissions and their leaderboard scores."""
        return self.submissions / "log.csv"

    def all(self) -> list[Experiment]:
        """All experiments, sorted by name."""
        folders = sorted(self.experiments.iterdir()) if self.experiments.is_dir() else []
        found = (Experiment(folder, self.dataset) for folder in folders)
        return [experiment for experiment in found if experiment.config.is_file()]

    def find(self, name_or_path: str) -> Experiment:
        """The experiment with a name (`exp042`) or path (`experiments/exp042`, with or without config.yaml).

        Raises:
            MissingFileError: it does not exist.
        """
        given = Path(name_or_path)
        for folder in (self.experiments / given, self.root / given, (self.root / given).parent):
            config = Experiment(folder).config
            if config.is_file() and given.name in (folder.name, config.name):
                return self._at(folder)
        known = ", ".join(experiment.name for experiment in self.all()) or "none"
        places = f"neither {self.experiments / given} nor {self.root / given} holds a config.yaml"
        if given.is_absolute():
            places = f"{given} holds no config.yaml"
        raise MissingFileError(
            f"there is no experiment {name_or_path!r}: {places}; existing experiments: {known}",
            f"To create it: tk new {given.name} --images FOLDER --masks FOLDER_OR_CSV",
        )

    def last_finished(self) -> Experiment:
        """The most recently finished experiment or ensemble.

        Raises:
            MissingFileError: no experiment is finished.
        """
        finished = [experiment for experiment in self.all() if experiment.score.is_file()]
        if not finished:
            raise MissingFileError(f"no experiment in {self.experiments} is finished yet", "Run: tk fit EXPERIMENT")
        return max(finished, key=lambda experiment: experiment.score.stat().st_mtime_ns)

    def find_or_last(self, name_or_path: str | None, progress: Progress) -> Experiment:
        """The experiment with a name or path; without a name, the most recently finished one, which is reported."""
        if name_or_path is not None:
            return self.find(name_or_path)
        experiment = self.last_finished()
        progress.say(f"using {experiment.name}, the most recently finished experiment")
        return experiment

    def place(self, name_or_path: str) -> Experiment:
        """The place of an experiment with this name in experiments/, whether it exists or not.

        Raises:
            ConfigError: the name is not valid.
        """
        given = Path(name_or_path)
        experiment = self._at(self.experiments / given if len(given.parts) == 1 else self.root / given)
        if experiment.folder.parent != self.experiments or not _NAME.fullmatch(experiment.name):
            raise ConfigError(
                f"{name_or_path!r} is not valid as the name of an experiment: it may have at most 200 letters, digits "
                "and . _ + -, and starts with a letter or digit",
                "Choose another name, for example exp042; for an ensemble with: --name NAME",
            )
        return experiment

    def new(self, name_or_path: str) -> Experiment:
        """The place for a new experiment.

        Raises:
            ConfigError: the name is not valid, or the experiment exists.
        """
        experiment = self.place(name_or_path)
        if experiment.config.exists():
            raise ConfigError(
                f"{experiment.folder} already exists", f"Edit {experiment.config}, or choose another name."
            )
        return experiment

    def _at(self, folder: Path) -> Experiment:
        """The experiment of a folder, with the same path however the folder was spelled."""
        absolute = _absolute(folder)
        inside = absolute.parent == _absolute(self.experiments)
        return Experiment(self.experiments / absolute.name if inside else absolute, self.dataset)


def _absolute(path: Path) -> Path:
    """The absolute path, without following links: messages show the path that the user typed."""
    return Path(os.path.abspath(path))  # noqa: PTH100 # Path.resolve would follow them
