"""The learning-rate range test: the loss of one batch after the other while the learning rate rises."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.class_weights import balanced_class_weights
from toolkit.core.randomness import derived_seed
from toolkit.core.sampling import select_images, shuffled_batches
from toolkit.files.pool import Pool
from toolkit.learning.batches import training_batches
from toolkit.learning.fitting import Plan
from toolkit.learning.runtime import Precision, configure
from toolkit.learning.trainer import Trainer
from toolkit.messages import Progress

_DIVERGED = 10.0


def loss_by_learning_rate(
    plan: Plan,
    pool: Pool,
    rates: Floats,
    *,
    fold: int,
    stage_number: int,
    start: Path | None,
    precision: Precision,
    progress: Progress,
) -> list[float]:
    """The loss at each learning rate; shorter once it has grown beyond all bounds.

    Negatives are drawn, images augmented and mixed as in the stage; positives are taken once each and negatives drawn
    alike, whatever it says of area bins, classes and hard ones. Nothing is written.

    Args:
        plan, pool: what is trained, and with what.
        rates: learning rates, rising, `float64 (steps,)`.
        fold, stage_number: whose images and settings are taken.
        start: file of the weights that the stage starts from; the initial ones of the fold if None.
        precision: of the arithmetic.
        progress: told of the work.
    """
    configure(precision)
    config, stage = plan.config, plan.stages[stage_number]
    trainer = Trainer(config, plan.own)
    trainer.begin_fold(fold, config.seed)
    if start is not None:
        trainer.use_shape(stage.shape)
        trainer.network.load_initial_weights(start)
    part = pool.training_part(fold)
    weights = stage.class_weights
    if weights == "balanced":
        weights = tuple(balanced_class_weights(pool.pixels[part].sum(axis=0)).tolist())
    step = trainer.begin_stage(stage, weights).step
    losses: list[float] = []
    with progress.task("trying learning rates", len(rates)) as task:
        batches = _endless_batches(plan, pool, part, fold, stage_number)
        for number, (rate, (images, targets)) in enumerate(zip(rates, batches, strict=False)):
            step.optimizer.learning_rate.assign(rate)
            trainer.network.draw_dropout(derived_seed("dropout of lr-find", config.seed, fold, number))
            losses.append(step(images, targets, 0.0))
            task.advance(1, f"lr {rate:.1e} · loss {losses[-1]:.4f}")
            if not math.isfinite(losses[-1]) or losses[-1] > _DIVERGED * abs(np.min(losses)) + 1:
                break
    return losses


def _endless_batches(plan: Plan, pool: Pool, part: Integers, fold: int, stage_number: int) -> Iterator[Any]:
    """Batches of one epoch after the other, none of which training will draw: those count from 0."""
    stage = plan.stages[stage_number]
    epoch = -1
    while True:
        draw = (plan.config.seed, fold, stage_number, epoch)
        chosen = select_images(pool.has_foreground[part], stage.negatives, *draw)
        batches: Sequence[Integers] = shuffled_batches(part[chosen], stage.batch, *draw)
        augmentation, mixing = plan.augmentations[stage_number], plan.mixings[stage_number]
        yield from training_batches(plan.reader_of(stage), pool.samples, augmentation, mixing, batches, *draw)
        epoch -= 1
