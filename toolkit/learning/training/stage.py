"""The third rung of training: the epochs of one stage, what is kept of them, and how an interrupted stage continues."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from toolkit.config.stage_values import Stage
from toolkit.core.randomness import derived_seed
from toolkit.errors import OutOfTimeError, TrainingError
from toolkit.files.disk.writing import finite_or_none, write_json
from toolkit.files.experiment.history import Epoch, write_history
from toolkit.learning.optimizing.schedules import Moment, build_schedule, cycle_ends
from toolkit.learning.optimizing.weight_averages import reestimate_batch_norm
from toolkit.learning.runtime import tf
from toolkit.learning.training.averaged_weights import Candidates
from toolkit.learning.training.checkpoints import Checkpoint, assign, read_checkpoint, write_checkpoint
from toolkit.learning.training.epoch_data import Drawn, Run, TrainingData
from toolkit.learning.training.hard_negatives import weigh_negatives
from toolkit.learning.training.tensorboard import EpochLog
from toolkit.learning.training.trainer import Trainer
from toolkit.learning.training.validation import LOWER_LR, Validation
from toolkit.messages import Progress, Task, score_text

_BATCHES_FOR_STATISTICS = 100


def train_stage(
    trainer: Trainer, stage: Stage, data: TrainingData, run: Run, *, progress: Progress, overall: Task
) -> None:
    """Train the epochs of a stage that are not done yet, from the weights that the network has.

    The best weights and everything that resuming needs are written after each epoch.

    Args:
        trainer: the network.
        stage: the stage.
        data: what the folds share.
        run: the fold, and the seed of this training.
        progress: shows each epoch.
        overall: advances by one with each epoch.

    Raises:
        TrainingError: the loss or a prediction is not a number; the best weights so far are kept.
        OutOfTimeError: the time is up; finished epochs are kept.
    """
    _StageTraining(trainer, stage, data, run).run(progress, overall)


class _StageTraining:
    """One stage of one fold."""

    def __init__(self, trainer: Trainer, stage: Stage, data: TrainingData, run: Run) -> None:
        self._stage, self._data, self._run = stage, data, run
        folder = self._folder = data.experiment.stage(run.fold, stage.number, run.repeat)
        self._title = f"{run.title} · stage {stage.number}"
        self._compiled = trainer.begin_stage(stage, data.class_weights(stage, run.fold))
        self._trainer = trainer
        self._schedule = build_schedule(stage.schedule, stage.lr, stage.epochs, data.plan.plugins)
        self._validation = Validation(trainer.predictor, self._compiled.validation_loss, stage, data, run)
        self._candidates = Candidates(stage, folder, trainer.network, self._compiled.step.average, data.plan.is_better)
        self._log = EpochLog(folder.tensorboard, stage.callbacks)
        self._hard_negatives = weigh_negatives(trainer.predictor, stage, data, run, folder)
        self._callbacks = data.plan.callbacks(stage)
        self._history: list[Epoch] = []
        self._stopped = ""

    def run(self, progress: Progress, overall: Task) -> None:
        """Train the epochs that are not done yet; raises as `train_stage`."""
        self._resume()
        overall.advance(len(self._history))
        self._folder.folder.mkdir(parents=True, exist_ok=True)
        for number in range(len(self._history), self._stage.epochs):
            if self._stopped:
                break
            # At least one epoch is trained: with a time limit below that, repeated runs would never advance.
            if self._trainer.epochs_trained and self._data.deadline.is_over():
                raise OutOfTimeError(f"the time is up before {self._where(number)}; finished epochs are kept")
            self._finish_epoch(self._epoch(number, progress), progress)
            self._trainer.epochs_trained += 1
            overall.advance(1, f"{self._metric} {score_text(self._history[-1].primary)}")
        overall.advance(self._stage.epochs - len(self._history))
        self._finish(progress)

    def _epoch(self, number: int, progress: Progress) -> Epoch:
        started = time.perf_counter()
        stage, draw = self._stage, self._run.draw(self._stage, number)
        drawn = self._draw(number)
        title = f"{self._title} · epoch {number + 1}/{stage.epochs}"
        with progress.task(title, len(drawn) + len(self._validation)) as task:
            loss, learning_rate = self._train_on(drawn, number, draw, task)
            validation_loss, scores = self._validation.run(self._where(number), task, self._log.wants_images(number))
        seconds = time.perf_counter() - started
        return Epoch(number, learning_rate, loss, validation_loss, scores, len(drawn), seconds)

    def _draw(self, number: int) -> Drawn:
        return self._data.draw(self._stage, self._run, number, self._hard_negatives)

    def _train_on(self, drawn: Drawn, number: int, draw: Sequence[int], task: Task) -> tuple[float, float]:
        """Mean loss over the samples of the epoch, and the learning rate of its last batch."""
        batches = drawn.batches(self._stage.batch, *draw)
        total, seen, learning_rate = 0.0, 0, 0.0
        epochs = self._stage.epochs
        step = self._compiled.step
        for done, (positions, (images, targets)) in enumerate(
            zip(batches, self._data.batches(self._stage, drawn.samples, batches, draw), strict=True)
        ):
            moment = Moment(number, done, len(batches), epochs)
            learning_rate = self._schedule(moment) * math.prod(callback.factor for callback in self._callbacks)
            step.optimizer.learning_rate.assign(learning_rate)
            self._trainer.network.draw_dropout(derived_seed("dropout", *draw, done))
            loss = step(images, targets, moment.time / epochs)
            if not math.isfinite(loss):
                names = ", ".join(drawn.samples[position].title for position in positions)
                raise TrainingError(f"{self._where(number)}: the loss became {loss} on the batch of {names}", LOWER_LR)
            total, seen = total + loss * len(positions), seen + len(positions)
            task.advance(len(positions), f"loss {total / seen:.4f}")
        step.synchronise()
        return total / seen, learning_rate

    def _finish_epoch(self, epoch: Epoch, progress: Progress) -> None:
        """Write weights, checkpoint and history of an epoch, and report it.

        A run that is killed before the checkpoint repeats the epoch, with the same result. Everything after the
        checkpoint is derived from it again when the run resumes.
        """
        best = all(self._data.plan.is_better(epoch.primary, earlier.primary) for earlier in self._history)
        network = self._trainer.network
        if best:
            network.save_weights(self._folder.best_weights)
        if epoch.number in cycle_ends(self._stage.schedule, self._stage.epochs):
            network.save_weights(self._folder.snapshot(epoch.number))
        self._history.append(epoch)
        self._candidates.after_epoch(self._history)
        reasons = [callback.epoch_end(epoch.values(), epoch.number) for callback in self._callbacks]
        self._stopped = "; ".join(reason for reason in reasons if reason)
        self._log.write(epoch, self._validation.examples)
        write_checkpoint(self._folder.last, self._checkpoint())
        write_history(self._folder, self._history)
        self._candidates.tidy(self._history)
        progress.say(f"{self._title} · {_describe(epoch, self._stage.epochs)}{' · best' if best else ''}")
        if self._stopped:
            progress.say(f"{self._title} · stopped after epoch {epoch.number + 1}: {self._stopped}")

    def _checkpoint(self) -> Checkpoint:
        step = self._compiled.step
        arrays = {
            "weights": self._trainer.network.model.get_weights(),
            "optimizer": [variable.numpy() for variable in step.variables],
            **self._candidates.arrays(),
        }
        state = {
            "history": [asdict(epoch) for epoch in self._history],
            "callbacks": [callback.state() for callback in self._callbacks],
            "stopped": self._stopped,
        }
        return Checkpoint(arrays, state)

    def _resume(self) -> None:
        """Continue after the last finished epoch; a stage without a checkpoint starts from the beginning.

        The history comes from the checkpoint: history.csv may be older if a run was killed between writing the two.
        """
        path = self._folder.last
        if not path.is_file():
            return
        found = read_checkpoint(path)
        assign(self._trainer.network.model.weights, found.arrays["weights"], path)
        assign(self._compiled.step.variables, found.arrays["optimizer"], path)
        self._candidates.restore(found.arrays, path)
        for callback, state in zip(self._callbacks, found.state["callbacks"], strict=True):
            callback.restore(state)
        self._stopped = found.state["stopped"]
        self._history = [Epoch(**epoch) for epoch in found.state["history"]]
        write_history(self._folder, self._history)

    def _finish(self, progress: Progress) -> None:
        """Validate the averaged weights, keep them where they are better, and mark the stage as complete."""
        best = self._history[0]
        for epoch in self._history[1:]:
            best = epoch if self._data.plan.is_better(epoch.primary, best.primary) else best
        score, kept, tried = best.primary, "best epoch", {}
        for name, weights in self._candidates.weights(self._history):
            self._trainer.network.model.set_weights(weights)
            reestimate_batch_norm(self._trainer.network.model, self._images_without_steps())
            with progress.task(f"{self._title} · trying {name}", len(self._validation)) as task:
                _, scores = self._validation.run(f"{self._title}, {name}", task, False)
            tried[name] = next(iter(scores.values()))
            if self._data.plan.is_better(tried[name], score):
                score, kept = tried[name], name
                self._trainer.network.save_weights(self._folder.best_weights)
            progress.say(f"{self._title} · {name}: {self._metric} {score_text(tried[name])}")
        write_json(
            self._folder.state,
            {
                "complete": True,
                "metric": self._metric,
                "score": finite_or_none(score),
                "weights": kept,
                "best_epoch": best.number,
                "tried": {name: finite_or_none(value) for name, value in tried.items()},
                "stopped": self._stopped,
            },
        )
        self._folder.forget_progress()

    def _images_without_steps(self) -> Iterator[Any]:
        """Preprocessed training images in batches, drawn as one more epoch would draw them."""
        number = self._stage.epochs
        draw = self._run.draw(self._stage, number)
        drawn = self._draw(number - 1)
        batches = drawn.batches(self._stage.batch, *draw)[:_BATCHES_FOR_STATISTICS]
        for images, _ in self._data.batches(self._stage, drawn.samples, batches, draw):
            yield self._trainer.network.preprocess(tf.cast(images, tf.float32))

    def _where(self, number: int) -> str:
        return f"{self._title}, epoch {number + 1}"

    @property
    def _metric(self) -> str:
        return self._data.plan.metrics[0].label


def _describe(epoch: Epoch, epochs: int) -> str:
    scores = " · ".join(f"{name} {score_text(score)}" for name, score in epoch.scores.items())
    losses = f"loss {epoch.loss:.4f} · val_loss {epoch.validation_loss:.4f}"
    return f"epoch {epoch.number + 1}/{epochs} · {losses} · {scores} · {epoch.seconds:.0f} s"
