"""The learning-rate range test: the loss of one batch after the other while the learning rate rises."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.config.stage_values import Stage
from toolkit.core.arrays import Floats
from toolkit.core.randomness import derived_seed
from toolkit.files.datasets.training_pool import Pool
from toolkit.files.experiment.folder import Experiment
from toolkit.learning.runtime import Precision, configure
from toolkit.learning.training.epoch_data import Run, TrainingData, prepare_training_data
from toolkit.learning.training.fold import take_initial_weights
from toolkit.learning.training.plan import Plan
from toolkit.learning.training.shared_network import SharedNetwork
from toolkit.learning.training.step import StepSettings
from toolkit.messages import Progress

_DIVERGED = 10.0


@dataclass(frozen=True, eq=False)  # an array has no single truth value to compare by
class RangeTest:
    """Which fold and stage to train, and the rising learning rates to try, `float64 (steps,)`."""

    fold: int
    stage: int
    rates: Floats


def loss_by_learning_rate(
    experiment: Experiment, plan: Plan, pool: Pool, test: RangeTest, *, precision: Precision, progress: Progress
) -> list[float]:
    """The loss at each learning rate, from the weights that the stage starts from; shorter if training diverges.

    Training images are drawn, augmented and mixed as in the stage, except that all negatives are drawn alike: hard ones
    are not looked for. Nothing is written.

    Args:
        experiment: whose finished stages the test starts from.
        plan: how the experiment trains.
        pool: the images.
        test: what to try.
        precision: of the arithmetic.
        progress: shows the work, and where the weights come from.
    """
    configure(precision)
    stage, data = plan.stages[test.stage], prepare_training_data(experiment, plan, pool, progress)
    run = Run(test.fold, 0, plan.config.seed)
    shared = SharedNetwork(plan.config, plan.plugins)
    _take_starting_weights(shared, data, stage, run, progress)
    step = shared.begin_stage(stage, data.class_weights(stage, run.fold)).step
    losses: list[float] = []
    with progress.task("trying learning rates", len(test.rates)) as task:
        batches = endless_batches(data, stage, run)
        for number, (rate, (images, targets)) in enumerate(zip(test.rates, batches, strict=False)):
            settings = StepSettings(rate, derived_seed("dropout of lr-find", run.seed, run.fold, number), 0.0)
            losses.append(float(step([(images, targets)], [settings]).losses[0]))
            task.advance(1, f"lr {rate:.1e} · loss {losses[-1]:.4f}")
            if not math.isfinite(losses[-1]) or losses[-1] > _DIVERGED * abs(np.min(losses)) + 1:
                break
    return losses


def _take_starting_weights(
    shared: SharedNetwork, data: TrainingData, stage: Stage, run: Run, progress: Progress
) -> None:
    """Load the weights from which training would start the stage: those of the stage before, if it is finished."""
    shared.begin_fold(run.fold, run.seed)
    if stage.number:
        before = data.experiment.stage(run.fold, stage.number - 1, run.repeat)
        if before.is_complete():
            shared.use_shape(data.plan.stages[stage.number - 1].shape)
            shared.network.load_weights(before.best_weights)
    take_initial_weights(shared, data.experiment, stage, run, progress)


def endless_batches(data: TrainingData, stage: Stage, run: Run) -> Iterator[Any]:
    """Batches of one epoch after the other, numbered downwards from -1, so that training never draws the same ones."""
    epoch = -1
    while True:
        draw = run.draw(stage, epoch)
        drawn = data.draw(stage, run, epoch)
        yield from data.batches(stage, drawn.samples, drawn.batches(stage.batch, *draw), draw)
        epoch -= 1
