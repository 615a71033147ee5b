"""The third rung of training: the epochs of one stage."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from toolkit.config.stage_values import Stage
from toolkit.core.arrays import Floats, Integers
from toolkit.core.metrics.metric import AREAS
from toolkit.core.metrics.scorer import recorded_scores
from toolkit.core.metrics.uncertainty.epoch_choice import optimism_of_choice
from toolkit.core.randomness import derived_seed
from toolkit.errors import OutOfTimeError, TrainingError
from toolkit.files.disk.changes import make_folder
from toolkit.files.disk.json_files import finite_or_none, write_json
from toolkit.files.experiment.history import NOT_VALIDATED, Epoch, is_better_epoch, with_labels, write_history
from toolkit.learning.optimizing.schedules import Moment, build_schedule, cycle_ends
from toolkit.learning.optimizing.weight_averages import reestimate_batch_norm
from toolkit.learning.reading.drawn import Drawn
from toolkit.learning.runtime import ahead_on_gpu, peak_memory, steps_between_reads, tf
from toolkit.learning.training.epoch_data import Run, TrainingData
from toolkit.learning.training.hard_negatives import weigh_negatives
from toolkit.learning.training.kept_weights import Candidates
from toolkit.learning.training.resuming import Resumable
from toolkit.learning.training.shared_network import SharedNetwork
from toolkit.learning.training.step import LossError, StepResults, StepSettings
from toolkit.learning.training.tensorboard import EpochLog
from toolkit.learning.training.validation import LOWER_LR, Validation
from toolkit.messages import Progress, Task, phase, score_text

_BATCHES_FOR_STATISTICS = 100


def train_stage(
    shared: SharedNetwork, stage: Stage, data: TrainingData, run: Run, *, progress: Progress, overall: Task
) -> None:
    """Train the epochs of a stage that are not done yet, from the weights that the network has.

    The best weights and everything that resuming needs are written after each epoch.

    Args:
        shared: the network.
        stage: the stage.
        data: what the folds share.
        run: the fold, and the seed of this training.
        progress: shows each epoch.
        overall: advances by one with each epoch.

    Raises:
        TrainingError: the loss or a prediction is not a number; the best weights so far are kept.
        OutOfTimeError: the time is up; finished epochs are kept.
    """
    _StageTraining(shared, stage, data, run).run(progress, overall)


def calls_of(batches: Sequence[Integers], steps_per_call: int) -> Iterator[Sequence[int]]:
    """The numbers of the batches of each call of the device; a call has batches of one size."""
    start = 0
    while start < len(batches):
        stop = start + 1
        while stop < min(start + steps_per_call, len(batches)) and len(batches[stop]) == len(batches[start]):
            stop += 1
        yield range(start, stop)
        start = stop


class _StageTraining:
    """One stage of one fold."""

    def __init__(self, shared: SharedNetwork, stage: Stage, data: TrainingData, run: Run) -> None:
        self._stage, self._data, self._run = stage, data, run
        folder = self._folder = data.experiment.stage(run.fold, stage.number, run.repeat)
        self._title = f"{run.title} · stage {stage.number}"
        self._compiled = shared.begin_stage(stage, data.class_weights(stage, run.fold))
        self._shared = shared
        self._schedule = build_schedule(stage.schedule, stage.lr, stage.epochs, data.plan.plugins)
        self._validation = Validation(shared.predictor, self._compiled.validation_loss, stage, data, run)
        self._candidates = Candidates(stage, folder, shared.network, self._compiled.step.average, data.plan.is_better)
        self._log = EpochLog(folder.tensorboard, stage.callbacks)
        self._hard_negatives = weigh_negatives(shared.predictor, stage, data, run, folder)
        self._callbacks = data.plan.callbacks(stage)
        self._resumable = Resumable(folder.last, shared.network, self._compiled.step, self._candidates, self._callbacks)
        self._history: list[Epoch] = []
        self._statistics: list[Floats] = []
        self._stopped = ""

    def run(self, progress: Progress, overall: Task) -> None:
        """Train the epochs that are not done yet; raises as `train_stage`."""
        self._resume()
        overall.advance(len(self._history))
        make_folder(self._folder.folder)
        for number in range(len(self._history), self._stage.epochs):
            if self._stopped:
                break
            # At least one epoch is trained: with a time limit below that, repeated runs would never advance.
            if self._shared.epochs_trained and self._data.deadline.is_over():
                raise OutOfTimeError(
                    f"the time is up before {self._where(number)}; finished epochs are kept",
                    f"To go on: tk fit {self._data.experiment.name}",
                )
            self._finish_epoch(self._epoch(number, progress), progress)
            self._shared.epochs_trained += 1
            last = self._history[-1]
            overall.advance(1, f"{self._metric} {score_text(last.primary)}" if last.is_validated else "")
            self._data.after_epoch()
        overall.advance(self._stage.epochs - len(self._history))
        self._finish(progress)

    def _epoch(self, number: int, progress: Progress) -> Epoch:
        started = time.perf_counter()
        stage, draw = self._stage, self._run.draw(self._stage, number)
        drawn = self._draw(number)
        title = f"{self._title} · epoch {number + 1}/{stage.epochs}"
        validates = stage.validates(number)
        with progress.task(f"{title} · images", len(drawn) + validates * len(self._validation)) as task:
            loss, training, learning_rate = self._train_on(drawn, number, draw, progress, task)
            with phase(progress, "validation"):
                found = self._validate(number, task) if validates else NOT_VALIDATED
        seconds = time.perf_counter() - started
        return Epoch(number, learning_rate, loss, *found, len(drawn), seconds, training, peak_memory())

    def _validate(self, number: int, task: Task) -> tuple[float, dict[str, float]]:
        """The validation loss and the scores of an epoch."""
        return self._validation.run(self._where(number), task, self._log.wants_images(number))

    def _draw(self, number: int) -> Drawn:
        return self._data.draw(self._stage, self._run, number, self._hard_negatives)

    def _train_on(
        self, drawn: Drawn, number: int, draw: Sequence[int], progress: Progress, task: Task
    ) -> tuple[float, dict[str, float], float]:
        """Mean loss and scores over the samples of the epoch, and the learning rate of its last batch."""
        batches = drawn.batches(self._stage.batch, *draw)
        step, results = self._compiled.step, StepResults(steps_between_reads())
        loaded = ahead_on_gpu(self._data.batches(self._stage, drawn.samples, batches, draw))
        settings: list[StepSettings] = []
        try:
            for numbers in calls_of(batches, step.steps_per_call):
                settings = [self._settings(number, done, len(batches), draw) for done in numbers]
                called = [batches[done] for done in numbers]
                with phase(progress, "waiting for batches"):
                    inputs = list(islice(loaded, len(numbers)))
                with phase(progress, "training steps" if step.is_compiled else "compiling the training step"):
                    results.add(called, step(inputs, settings))
                images = sum(map(len, called))
                task.advance(images, "" if math.isnan(results.mean_loss) else f"loss {results.mean_loss:.4f}")
            results.read()
        except LossError as error:
            names = ", ".join(drawn.samples[position].title for position in error.positions)
            raise TrainingError(f"{self._where(number)}: {error} on the batch of {names}", LOWER_LR) from None
        step.synchronise()
        if step.refusal_of_xla and not self._history:
            progress.say(f"{self._title} · training without XLA, which cannot compile it: {step.refusal_of_xla}")
        return results.mean_loss, self._scores_of(results.areas), settings[-1].learning_rate

    def _settings(self, number: int, done: int, batches: int, draw: Sequence[int]) -> StepSettings:
        moment = Moment(number, done, batches, self._stage.epochs)
        learning_rate = self._schedule(moment) * math.prod(callback.factor for callback in self._callbacks)
        return StepSettings(learning_rate, derived_seed("dropout", *draw, done), moment.time / self._stage.epochs)

    def _scores_of(self, areas: Integers) -> dict[str, float]:
        """The recorded scores that can be computed from the areas of the classes in each image."""
        metrics = [metric for metric in self._data.plan.recorded if metric.counts_areas]
        classes = self._data.reader.classes
        statistics = areas.reshape(len(areas), classes.count * AREAS).astype(np.float64)
        return recorded_scores(metrics, [statistics] * len(metrics), classes.names)

    def _finish_epoch(self, epoch: Epoch, progress: Progress) -> None:
        """Write weights, checkpoint and history of an epoch, and report it.

        A run that is killed before the checkpoint repeats the epoch, with the same result. Everything after the
        checkpoint is derived from it again when the run resumes.
        """
        reasons = [callback.epoch_end(epoch.values(), epoch.number) for callback in self._callbacks]
        self._stopped = "; ".join(reason for reason in reasons if reason)
        if self._stopped and not epoch.is_validated:  # the last epoch always is
            with progress.task(f"{self._title} · validating epoch {epoch.number + 1}", len(self._validation)) as task:
                validation_loss, scores = self._validate(epoch.number, task)
            epoch = replace(epoch, validation_loss=validation_loss, scores=scores)
        best = epoch.is_validated and all(
            is_better_epoch(epoch, earlier, self._data.plan.is_better)
            for earlier in self._history
            if earlier.is_validated
        )
        with phase(progress, "writing weights"):
            self._keep(epoch, progress, is_best=best)
        progress.say(f"{self._title} · {self._describe(epoch)}{' · best' if best else ''}")
        if self._stopped:
            progress.say(f"{self._title} · stopped after epoch {epoch.number + 1}: {self._stopped}")

    def _keep(self, epoch: Epoch, progress: Progress, *, is_best: bool) -> None:
        """Write the weights, the checkpoint and the history of an epoch."""
        network = self._shared.network
        if is_best:
            network.save_weights(self._folder.best_weights)
        if epoch.number in cycle_ends(self._stage.schedule, self._stage.epochs):
            network.save_weights(self._folder.snapshot(epoch.number))
        self._history.append(epoch)
        if epoch.is_validated:
            self._statistics.append(self._validation.statistics)
        self._candidates.after_epoch(self._history)
        self._log.write(epoch, self._validation.examples, progress)
        self._resumable.save(self._history, self._statistics, self._stopped)
        write_history(self._folder, self._history)
        self._candidates.tidy(self._history)

    def _resume(self) -> None:
        """Continue after the last finished epoch; a stage without a checkpoint starts from the beginning.

        The history comes from the checkpoint: history.csv may be older if a run was killed between writing the two.
        """
        found = self._resumable.restore()
        if found is not None:
            history, self._statistics, self._stopped = found
            # Earlier versions recorded only the configured metrics, and named a class by its number.
            labels = [metric.label for metric in self._data.plan.metrics]
            self._history = [with_labels(epoch, labels) for epoch in history]
            write_history(self._folder, self._history)

    def _finish(self, progress: Progress) -> None:
        """Keep averaged weights where they are better, and mark the stage as complete."""

        def score(name: str) -> float:
            reestimate_batch_norm(self._shared.network.model, self._images_without_steps())
            with progress.task(f"{self._title} · trying {name}", len(self._validation)) as task:
                _, scores = self._validation.run(f"{self._title}, {name}", task, False)
            found = next(iter(scores.values()))
            self._statistics.append(self._validation.statistics)
            progress.say(f"{self._title} · {name}: {self._metric} {score_text(found)}")
            return found

        kept = self._candidates.keep_the_best(self._history, score)
        write_json(
            self._folder.state,
            {
                "complete": True,
                "metric": self._metric,
                "score": finite_or_none(kept.score),
                "weights": kept.name,
                "best_epoch": kept.best_epoch,
                "optimism": self._optimism(),
                "tried": {name: finite_or_none(value) for name, value in kept.tried.items()},
                "stopped": self._stopped,
            },
        )
        self._folder.forget_progress()

    def _optimism(self) -> float:
        """How much too good the fold's score is, because the epoch was chosen on its images, or on a part of them."""
        pool, chosen = self._data.pool, self._validation.positions
        seed = derived_seed("choice", self._run.seed, self._run.fold, self._stage.number)
        groups = chosen if pool.groups is None else pool.groups[chosen]  # an image may have been chosen twice
        found = optimism_of_choice(self._data.plan.metrics[0], self._statistics, seed, groups)
        return found * len(np.unique(chosen)) / len(pool.validation_positions(self._run.fold))

    def _images_without_steps(self) -> Iterator[Any]:
        """Preprocessed training images in batches, drawn as one more epoch would draw them."""
        number = self._stage.epochs
        draw = self._run.draw(self._stage, number)
        drawn = self._draw(number - 1)
        batches = drawn.batches(self._stage.batch, *draw)[:_BATCHES_FOR_STATISTICS]
        for images, _ in self._data.batches(self._stage, drawn.samples, batches, draw):
            yield self._shared.network.preprocess(tf.cast(images, tf.float32))

    def _where(self, number: int) -> str:
        return f"{self._title}, epoch {number + 1}"

    @property
    def _metric(self) -> str:
        return self._data.plan.metrics[0].label

    def _describe(self, epoch: Epoch) -> str:
        labels = [metric.label for metric in self._data.plan.metrics]
        parts = [f"epoch {epoch.number + 1}/{self._stage.epochs}", f"loss {epoch.loss:.4f}"]
        if epoch.is_validated:
            parts.append(f"val_loss {epoch.validation_loss:.4f}")
            parts += [f"{label} {score_text(epoch.scores[label])}" for label in labels]
        return " · ".join([*parts, f"{epoch.seconds:.0f} s"])
