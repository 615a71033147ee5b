"""The names of all files in an experiment folder; no other module spells them. docs/house.md shows the tree."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from toolkit.config.yaml.plugin_names import PLUGINS
from toolkit.core.images.views import views_folder
from toolkit.files.disk.cache_folder import CacheFolder, cache_beside
from toolkit.files.disk.changes import delete, delete_folder, rename
from toolkit.files.disk.locks import locked
from toolkit.files.disk.writing import remove_unfinished

if TYPE_CHECKING:  # pydantic is slow to import: tk --help does without it
    from toolkit.config.training.execution import EngineChoice

Split = Literal["oof", "test", "holdout"]
"""The images predicted: training images out of fold; by all folds test images, or labelled images of the hold-out."""

ALL_SPLITS: tuple[Split, ...] = get_args(Split)


_PseudoKind = Literal["json", "csv", "png", "used.json"]
_DISCARDED = ".discarded-"
ARRIVING = ".arriving-"  # how the folders begin where files of other machines arrive


@dataclass(frozen=True)
class StageFolder:
    """The folder of one stage of one fold."""

    folder: Path

    @property
    def best_weights(self) -> Path:
        """The weights of the best epoch so far."""
        return self.folder / "best.weights.h5"

    @property
    def history(self) -> Path:
        """Losses and scores of each epoch."""
        return self.folder / "history.csv"

    @property
    def state(self) -> Path:
        """Whether the stage is complete, and its best epoch."""
        return self.folder / "state.json"

    @property
    def last(self) -> Path:
        """The state for resuming: weights, optimizer and epoch."""
        return self.folder / "last" / "checkpoint.h5"

    @property
    def tensorboard(self) -> Path:
        """The folder of TensorBoard's event files."""
        return self.folder / "tensorboard"

    @property
    def negative_weights(self) -> Path:
        """How often each negative is drawn, if hard negatives are preferred."""
        return self.folder / "negative_weights.csv"

    def snapshot(self, epoch: int) -> Path:
        """The weights at the end of a cycle of the learning rate."""
        return self.folder / "snapshots" / f"epoch{epoch:04d}.weights.h5"

    def snapshots(self) -> list[Path]:
        """The existing snapshots, in the order of the epochs."""
        return sorted(self.snapshot(0).parent.glob("epoch*.weights.h5"))

    def candidate(self, epoch: int) -> Path:
        """The weights of one of the best epochs, kept until they are averaged."""
        return self.folder / "candidates" / f"epoch{epoch:04d}.weights.h5"

    def candidates(self) -> list[Path]:
        """The existing candidates, in the order of the epochs."""
        return sorted(self.candidate(0).parent.glob("epoch*.weights.h5"))

    def forget_progress(self) -> None:
        """Delete the files that only an incomplete stage needs.

        Raises:
            StorageError: a file cannot be deleted.
        """
        for folder in (self.last.parent, self.candidate(0).parent):
            delete_folder(folder)

    def is_complete(self) -> bool:
        """Whether all epochs of the stage are done."""
        from toolkit.files.experiment.trained import read_state  # noqa: PLC0415 # slow; `tk --help` starts without it

        return self.state.is_file() and self.best_weights.is_file() and read_state(self)["complete"]


@dataclass(frozen=True)
class Experiment:
    """The folder of an experiment or ensemble; a GivenDataset stands in for its images and masks if Python gave one.

    `engine` computes its networks in prediction; None if that is up to its configuration.
    """

    folder: Path
    dataset: Any = field(default=None, repr=False, compare=False)
    engine: "EngineChoice | None" = field(default=None, repr=False, compare=False)

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
    def cache(self) -> CacheFolder:
        """What can be made again, shared by all experiments of the working folder."""
        return cache_beside(self.folder.parent)

    @property
    def resolved(self) -> Path:
        """The configuration and data that were really run."""
        return self.folder / "resolved.yaml"

    @property
    def engine_checks(self) -> Path:
        """For which weights OpenVINO was compared with TensorFlow."""
        return self.folder / "engine.json"

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
    def report(self) -> Path:
        """The page that shows what was found."""
        return self.folder / "report.html"

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
    def search(self) -> Path:
        """What a search over keys has found."""
        return self.folder / "search" / "search.json"

    @property
    def study(self) -> Path:
        """The database of that search."""
        return self.search.with_name("study.db")

    def search_lock(self, trial: int | None = None) -> Path:
        """What a process holds while it works on a trial of the search, or while it chooses what to work on."""
        return self.search.with_name(".lock" if trial is None else f".trial{trial}.lock")

    @property
    def tasks(self) -> Path:
        """The folder of the tasks that a cluster runs for the experiment: for each its state and its log."""
        return self.folder / "tasks"

    @property
    def lock(self) -> Path:
        """The file of the lock that a run holds while it works on the experiment."""
        return self.folder / ".lock"

    @contextmanager
    def locked(self, *, with_tasks: bool = False) -> Iterator[None]:
        """Hold the lock of the experiment while the block runs; first, what killed runs have left is deleted.

        `with_tasks`, tasks of a cluster that an earlier run has begun may go on, and what killed ones have left is also
        deleted in the end.

        Raises:
            LockedError: another run works on the experiment, or tasks of a cluster do.
            StorageError: the folder cannot be written.
        """
        # Slow, and only for commands that write; `tk --help` starts without it.
        from toolkit.files.experiment.task_files import (  # noqa: PLC0415
            refuse_running_tasks,
            release_tasks,
            running_tasks,
        )

        with locked(self.lock):
            if not with_tasks:
                refuse_running_tasks(self)
                release_tasks(self)
            if not running_tasks(self):
                self._remove_remains()
            yield
            if with_tasks and not running_tasks(self):
                self._remove_remains()

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
        return Experiment(self.folder.parent / name, self.dataset, self.engine)

    def predictions(self, split: Split, views: str = "none", part: Sequence[str] = ()) -> Path:
        """The folder of a probability store; different spellings of the same views have the same folder.

        `part` has the words that name a part of the experiment, for example `fold0` and `stage1`.
        """
        name = views_folder(views)
        words = [split, *([".".join(part)] if part else []), *([] if name == "none" else [name])]
        return self.folder / "predictions" / "-".join(words)

    def pseudo_store(self, words: Sequence[str]) -> Path:
        """The folder of the labels that some networks made of unlabelled images; the words name the networks."""
        return self.folder / "predictions" / f"pseudo-{'.'.join(words)}"

    def pseudo_file(self, kind: _PseudoKind) -> Path:
        """What pseudo-labels were made, their table and their picture, and those that were used in training."""
        return self.folder / f"pseudo.{kind}"

    def shards(self, split: Split, views: str = "none", part: Sequence[str] = ()) -> Path:
        """The folder of stores with some of the images each, until they become the store of all."""
        return self._all_shards / self.predictions(split, views, part).name

    def image_shards(self, key: str) -> Path:
        """The folder of predictions of new images that other machines made, until they are moved; `key` names them."""
        return self._all_shards / f"images-{key}"

    def forget_image_shards(self, key: str) -> None:
        """Delete predictions of new images that were moved."""
        delete_folder(self.image_shards(key))
        self._forget_empty_shards()

    @property
    def engine_of_shards(self) -> Path:
        """Which engine makes all shards."""
        return self._all_shards / self.engine_checks.name

    def forget_shards(self, split: Split, views: str = "none", part: Sequence[str] = ()) -> None:
        """Delete shards; after the last ones, also which engine made them."""
        delete_folder(self.shards(split, views, part))
        self._forget_empty_shards()

    def _forget_empty_shards(self) -> None:
        if self._all_shards.is_dir() and not any(path.is_dir() for path in self._all_shards.iterdir()):
            delete_folder(self._all_shards)

    @property
    def _all_shards(self) -> Path:
        return self.folder / "predictions" / "shards"

    def forget_predictions(self, split: Split) -> None:
        """Delete the predictions of a split, with all views."""
        for folder in (self.predictions(split), *self.folder.glob(f"predictions/{split}-*")):
            delete_folder(folder)

    def forget_conclusions(self) -> None:
        """Delete what was made from the previous out-of-fold predictions: evaluation and pictures.

        The recipe stays: it names the predictions that it was tuned on, so that readers can say why it is outdated.
        """
        for path in (self.surface, self.evaluation, self.confusion):
            delete(path)

    def has_training(self) -> bool:
        """Whether training has begun."""
        return bool(self.begun_stages())

    def forget_results(self) -> None:
        """Delete all results; the configuration, its preview and the folds stay.

        The record of the configuration is deleted last, so that no weights remain without it after an interruption.
        Each fold is renamed before it is deleted, so that no fold remains in part.

        Raises:
            StorageError: a file cannot be deleted.
        """
        for folder in (self.folder / "predictions", *sorted(self.folder.glob("fold[0-9]*"))):
            if folder.is_dir():
                discarded = folder.with_name(f"{_DISCARDED}{folder.name}")
                delete_folder(discarded)
                rename(folder, discarded)
                delete_folder(discarded)
        delete_folder(self.tasks)
        made = (self.score, self.image_scores, self.tuned, self.evaluation, self.surface, self.overlays, self.curves)
        pseudo = (self.pseudo_file(kind) for kind in get_args(_PseudoKind))
        for path in (*made, *pseudo, self.confusion, self.report, self.engine_checks, self.resolved):
            delete(path)

    def _remove_remains(self) -> None:
        remove_unfinished(self.folder)
        for folder in (*self.folder.glob(f"{_DISCARDED}*"), *self.folder.glob(f"{ARRIVING}*")):
            delete_folder(folder)
        for stage in self.finished_stages():
            stage.forget_progress()
