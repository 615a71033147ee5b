"""Training: one fold, its stages, their epochs."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.models import Config, StageConfig
from toolkit.core.arrays import Integers
from toolkit.core.blend import to_stored
from toolkit.core.metrics import METRICS
from toolkit.core.postprocess import IDENTITY
from toolkit.core.sampling import select_images, shuffled_batches
from toolkit.errors import TrainingError
from toolkit.files.experiment import Experiment, StageFolder
from toolkit.files.history import Epoch, read_history, write_history
from toolkit.files.sources import LabelledImages
from toolkit.files.writing import write_json
from toolkit.learning.augmentation import Augmentation
from toolkit.learning.batches import SampleReader, training_batches
from toolkit.learning.checkpoints import restore_checkpoint, save_checkpoint
from toolkit.learning.losses import build_loss
from toolkit.learning.networks import Network, build_network
from toolkit.learning.prediction import predict_images, predictor
from toolkit.learning.runtime import tf
from toolkit.learning.schedules import SCHEDULES
from toolkit.messages import Progress, Task

_LOWER_LR = "Lower lr and train again (tk fit EXPERIMENT --restart), or try it in a new experiment."

Step = Callable[[Any, Any], Any]
"""From a batch of images and masks to the loss, having changed the weights."""


@dataclass(frozen=True)
class TrainingData:
    """All that the folds of an experiment share.

    `has_foreground` and `folds` have one entry for each of the sorted `ids`.
    """

    labelled: LabelledImages
    ids: tuple[str, ...]
    has_foreground: npt.NDArray[np.bool_]
    folds: Integers
    augmentation: Augmentation
    reader: SampleReader


class Trainer:
    """One network, its optimizer and its compiled functions, used for one fold after the other.

    Compiling takes longer than many an epoch, and depends on nothing that changes from fold to fold.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.network = build_network(config, config.seed, 0)
        self.optimizer = tf.keras.optimizers.Adam(config.lr)
        self.optimizer.build(self.network.model.trainable_variables)
        self.validate = predictor(self.network, "none")
        self._steps: dict[str, Step] = {}

    def begin_fold(self, fold: int) -> None:
        """Take the initial weights of a fold."""
        fresh = build_network(self.config, self.config.seed, fold)
        self.network.model.set_weights(fresh.model.get_weights())

    def begin_stage(self, loss: str) -> Step:
        """Forget the optimizer's past and return the training step of a loss."""
        for variable in self.optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        if loss not in self._steps:
            self._steps[loss] = _training_step(self.network, self.optimizer, build_loss(loss))
        return self._steps[loss]


def train_fold(
    trainer: Trainer, experiment: Experiment, data: TrainingData, fold: int, *, progress: Progress, overall: Task
) -> None:
    """Train all stages of one fold; `overall` advances by one with each epoch.

    Finished stages are not repeated, and a broken one goes on after its last finished epoch.
    """
    trainer.begin_fold(fold)
    for number, stage in enumerate(trainer.config.stages):
        folder = experiment.stage(fold, number)
        if folder.is_complete():
            overall.advance(stage.epochs)
        else:
            StageRun(trainer, stage, data, folder, (fold, number)).run(progress, overall)
        trainer.network.load_weights(folder.best_weights)


class StageRun:
    """One stage of one fold."""

    def __init__(
        self, trainer: Trainer, stage: StageConfig, data: TrainingData, folder: StageFolder, place: tuple[int, int]
    ) -> None:
        config = trainer.config
        self._trainer, self._config, self._stage, self._data, self._folder = trainer, config, stage, data, folder
        self._fold, self._number = place
        self._draw = (config.seed, *place)
        self._metrics = list(dict.fromkeys([config.primary_metric, *config.metrics]))
        self._lr = stage.lr if stage.lr is not None else config.lr
        self._schedule = SCHEDULES[stage.schedule or config.schedule]
        self._step = trainer.begin_stage(stage.loss or config.loss)
        self._train, self._valid = self._split()

    def run(self, progress: Progress, overall: Task) -> None:
        """Train the epochs that are not done yet; keep the best weights and everything that resuming needs."""
        history = self._resume()
        overall.advance(len(history))
        self._folder.folder.mkdir(parents=True, exist_ok=True)
        writer = tf.summary.create_file_writer(str(self._folder.tensorboard))
        title = f"fold {self._fold} · stage {self._number}"
        for number in range(len(history), self._stage.epochs):
            epoch = self._epoch(number, f"{title} · epoch {number + 1}/{self._stage.epochs}", progress)
            best = all(_primary(epoch) > _primary(earlier) for earlier in history)
            if best:
                self._trainer.network.save_weights(self._folder.best_weights)
            history.append(epoch)
            # The checkpoint comes last: a run that is killed before it repeats the epoch, to the same result.
            write_history(self._folder, history)
            save_checkpoint(self._folder.last, self._trainer.network, self._trainer.optimizer, len(history))
            _write_tensorboard(writer, epoch)
            progress.say(f"{title} · {_describe(epoch, self._stage.epochs)}{' · best' if best else ''}")
            overall.advance(1, f"{self._metrics[0]} {_primary(epoch):.4f}")
        writer.close()
        best_epoch = max(history, key=_primary)
        write_json(
            self._folder.state,
            {"complete": True, "best_epoch": best_epoch.number, self._metrics[0]: _primary(best_epoch)},
        )
        self._folder.last.unlink(missing_ok=True)

    def _split(self) -> tuple[Integers, Integers]:
        held_out = self._data.folds == self._fold
        train, valid = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        rule = self._stage.validation_negatives
        chosen = select_images(self._data.has_foreground[valid], rule, self._config.seed, self._fold)
        return train, valid[chosen]

    def _resume(self) -> list[Epoch]:
        """Restore the last finished epoch, if there is one; a stage without a checkpoint starts again."""
        if not self._folder.last.is_file():
            return []
        done = restore_checkpoint(self._folder.last, self._trainer.network, self._trainer.optimizer)
        return read_history(self._folder)[:done]

    def _epoch(self, number: int, title: str, progress: Progress) -> Epoch:
        started = time.perf_counter()
        data, draw = self._data, (*self._draw, number)
        chosen = select_images(data.has_foreground[self._train], self._stage.negatives, *draw)
        batches = shuffled_batches(self._train[chosen], self._config.batch, *draw)
        with progress.task(title, len(chosen) + len(self._valid)) as task:
            loss, learning_rate = self._train_on(batches, number, draw, task)
            scores = self._scores(number, task)
        images = len(chosen)
        return Epoch(number, learning_rate, loss, scores, images, time.perf_counter() - started)

    def _train_on(
        self, batches: Sequence[Integers], number: int, draw: Sequence[int], task: Task
    ) -> tuple[float, float]:
        """Mean loss over the images of the epoch, and the learning rate at its end."""
        total, seen, learning_rate = 0.0, 0, self._lr
        loaded = training_batches(
            self._data.reader, self._data.labelled, self._data.augmentation, self._data.ids, batches, *draw
        )
        for done, (positions, (images, masks)) in enumerate(zip(batches, loaded, strict=True)):
            learning_rate = self._lr * self._schedule((number + done / len(batches)) / self._stage.epochs)
            self._trainer.optimizer.learning_rate.assign(learning_rate)
            loss = float(self._step(images, masks))
            if not math.isfinite(loss):
                names = ", ".join(self._data.ids[position] for position in positions)
                raise TrainingError(f"{self._where(number)}: the loss became {loss} on the batch of {names}", _LOWER_LR)
            total, seen = total + loss * len(positions), seen + len(positions)
            task.advance(len(positions), f"loss {total / seen:.4f}")
        return total / seen, learning_rate

    def _where(self, number: int) -> str:
        return f"fold {self._fold}, stage {self._number}, epoch {number}"

    def _scores(self, number: int, task: Task) -> dict[str, float]:
        """Every metric, per image over the validation images as they would be kept and submitted."""
        data, config = self._data, self._config
        ids = [data.ids[position] for position in self._valid]
        scores: dict[str, list[float]] = {name: [] for name in self._metrics}
        predictions = predict_images(
            self._trainer.validate, data.reader, data.labelled.images, ids, batch=config.batch, task=task
        )
        for image_id, probability in predictions:
            if not np.isfinite(probability).all():
                raise TrainingError(f"{self._where(number)}: the prediction of {image_id} is not a number", _LOWER_LR)
            mask = IDENTITY.apply(to_stored(probability[..., 0], config.stored_probability))
            truth = data.labelled.read_mask(image_id)
            for name in self._metrics:
                scores[name].append(METRICS[name].of_masks(mask, truth))
        return {name: float(np.mean(values)) for name, values in scores.items()}


def _training_step(network: Network, optimizer: Any, loss_of: Callable[[Any, Any], Any]) -> Step:
    variables = network.model.trainable_variables

    @tf.function(reduce_retracing=True)
    def step(images: Any, masks: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(tf.cast(masks, tf.float32), network.logits(images, training=True))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    return step  # type: ignore[no-any-return] # tf.function has no types


def _primary(epoch: Epoch) -> float:
    return next(iter(epoch.scores.values()))


def _describe(epoch: Epoch, epochs: int) -> str:
    scores = " · ".join(f"{name} {score:.4f}" for name, score in epoch.scores.items())
    return f"epoch {epoch.number + 1}/{epochs} · loss {epoch.loss:.4f} · {scores} · {epoch.seconds:.0f} s"


def _write_tensorboard(writer: Any, epoch: Epoch) -> None:
    with writer.as_default(step=epoch.number):
        tf.summary.scalar("loss", epoch.loss)
        tf.summary.scalar("learning_rate", epoch.learning_rate)
        for name, score in epoch.scores.items():
            tf.summary.scalar(f"validation_{name}", score)
    writer.flush()
