"""The learning-rate range test: the loss of one batch after the other while the learning rate rises."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from toolkit.config.resolved_stage import Stage
from toolkit.core.arrays import Floats
from toolkit.core.randomness import derived_seed
from toolkit.files.datasets.training_pool import Pool
from toolkit.files.experiment.folder import Experiment
from toolkit.learning.runtime import Precision, configure
from toolkit.learning.training.epoch_data import Run, TrainingData
from toolkit.learning.training.fit import Plan
from toolkit.learning.training.fold import take_initial_weights
from toolkit.learning.training.trainer import Trainer
from toolkit.messages import Progress

_DIVERGED = 10.0


def loss_by_learning_rate(
    experiment: Experiment,
    plan: Plan,
    pool: Pool,
    rates: Floats,
    *,
    fold: int,
    stage_number: int,
    precision: Precision,
    progress: Progress,
) -> list[float]:
    """The loss at each learning rate, from the weights that the stage starts from; shorter once it has diverged.

    Training images are drawn, augmented and mixed as the stage would, but for `hard_negatives`: all negatives are
    drawn alike. Nothing is written.

    Args:
        experiment: whose finished stages are started from.
        plan, pool: what is trained, and with what.
        rates: learning rates, rising, `float64 (steps,)`.
        fold, stage_number: whose images and settings are taken.
        precision: of the arithmetic.
        progress: told of the work, and of the weights.
    """
    configure(precision)
    stage, data = plan.stages[stage_number], plan.training_data(pool, progress)
    run = Run(fold, 0, plan.config.seed)
    trainer = Trainer(plan.config, plan.plugins)
    _begin(trainer, experiment, plan, stage, run, progress=progress)
    step = trainer.begin_stage(stage, data.class_weights(stage, fold)).step
    losses: list[float] = []
    with progress.task("trying learning rates", len(rates)) as task:
        batches = _endless_batches(data, stage, run)
        for number, (rate, (images, targets)) in enumerate(zip(rates, batches, strict=False)):
            step.optimizer.learning_rate.assign(rate)
            trainer.network.draw_dropout(derived_seed("dropout of lr-find", run.seed, fold, number))
            losses.append(step(images, targets, 0.0))
            task.advance(1, f"lr {rate:.1e} · loss {losses[-1]:.4f}")
            if not math.isfinite(losses[-1]) or losses[-1] > _DIVERGED * abs(np.min(losses)) + 1:
                break
    return losses


def _begin(trainer: Trainer, experiment: Experiment, plan: Plan, stage: Stage, run: Run, *, progress: Progress) -> None:
    """Take the weights that training would start the stage from; those of the stage before if that is finished."""
    trainer.begin_fold(run.fold, run.seed)
    if stage.number:
        before = experiment.stage(run.fold, stage.number - 1, run.repeat)
        if before.is_complete():
            trainer.use_shape(plan.stages[stage.number - 1].shape)
            trainer.network.load_weights(before.best_weights)
    take_initial_weights(trainer, experiment, stage, run, progress)


def _endless_batches(data: TrainingData, stage: Stage, run: Run) -> Iterator[Any]:
    """Batches of one epoch after the other, none of which training will draw: those count from 0."""
    epoch = -1
    while True:
        draw = run.draw(stage, epoch)
        drawn = data.draw(stage, run, epoch)
        yield from data.batches(stage, drawn.samples, drawn.batches(stage.batch, *draw), draw)
        epoch -= 1
