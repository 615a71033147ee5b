"""What the folds of an experiment share while they are trained."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from toolkit.config.settings import Stage
from toolkit.core.arrays import Floats, Integers
from toolkit.core.blend import StoredType
from toolkit.core.class_weights import balanced_class_weights
from toolkit.core.measuring import Metric
from toolkit.core.sampling import area_groups, select_images
from toolkit.files.pool import Pool
from toolkit.learning.augmentation import Augmentation
from toolkit.learning.batches import SampleReader, training_batches
from toolkit.learning.callbacks import Callback, build_callbacks
from toolkit.learning.mixing import Mixing


@dataclass(frozen=True)
class Deadline:
    """When to stop, by the clock of `time.monotonic`; never, if it is infinite."""

    at: float = float("inf")

    @classmethod
    def after(cls, seconds: float | None) -> "Deadline":
        """So many seconds from now; never if None."""
        return cls() if seconds is None else cls(time.monotonic() + seconds)

    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self.at


NEVER = Deadline()


@dataclass(frozen=True)
class Run:
    """One training of one fold; `repeat` counts those with further seeds."""

    fold: int
    repeat: int
    seed: int

    @property
    def title(self) -> str:
        """For messages."""
        return f"fold {self.fold}" + (f" · seed {self.seed}" if self.repeat else "")

    def draw(self, stage: Stage, epoch: int) -> tuple[int, int, int, int]:
        """What the random draws of an epoch derive from."""
        return self.seed, self.fold, stage.number, epoch


@dataclass(frozen=True)
class TrainingData:
    """Samples, how they are read, augmented and judged.

    `metrics` has the primary one first; `augmentations` and `mixings` have one entry a stage.
    """

    pool: Pool
    reader: SampleReader
    augmentations: Sequence[Augmentation]
    mixings: Sequence[Mixing]
    metrics: Sequence[Metric]
    stored_probability: StoredType
    seed: int
    own: Mapping[str, Any] = field(default_factory=dict)
    deadline: Deadline = NEVER

    def callbacks_of(self, stage: Stage, batches: int) -> list[Callback]:
        """New callbacks of a stage whose first epoch has so many batches."""
        return callbacks_of(stage, self.metrics, self.own, batches)

    def positions(self, stage: Stage, run: Run, epoch: int, negative_weights: Floats | None = None) -> Integers:
        """Positions in the pool of the images that an epoch trains on, ascending.

        Args:
            stage, run: of the training.
            epoch: counted from 0; one below 0 is none of the training's, and has as many negatives as the first.
            negative_weights: for drawing negatives, `float64 (samples,)`, above 0; all alike if left out.
        """
        train = self.pool.training_part(run.fold)
        groups = None
        if stage.positives == "area_bins":
            groups = area_groups(self.pool.coverage[train])
        elif stage.positives == "classes":
            first = 1 if self.reader.classes.activation == "softmax" else 0
            groups = self.pool.pixels[train, first:] > 0
        chosen = select_images(
            self.pool.has_foreground[train],
            stage.negatives,
            *run.draw(stage, epoch),
            progress=max(0, epoch) / max(1, stage.epochs - 1),
            groups=groups,
            weights=None if negative_weights is None else negative_weights[train],
            shares=None if self.pool.shares is None else self.pool.shares[train],
        )
        positions: Integers = train[chosen]
        return positions

    def batches(self, stage: Stage, batches: Sequence[Integers], draw: Sequence[int]) -> Iterator[Any]:
        """Images and targets of batches of positions, augmented and mixed as the stage wants it."""
        augmentation, mixing = self.augmentations[stage.number], self.mixings[stage.number]
        return training_batches(self.reader_of(stage), self.pool.samples, augmentation, mixing, batches, *draw)

    def class_weights(self, stage: Stage, fold: int) -> tuple[float, ...] | None:
        """What each class counts in the loss of a stage; balanced ones follow the fold's training images."""
        if stage.class_weights != "balanced":
            return stage.class_weights
        counts = self.pool.pixels[self.pool.training_part(fold)].sum(axis=0)
        return tuple(balanced_class_weights(counts).tolist())

    def reader_of(self, stage: Stage) -> SampleReader:
        """The reader at the size of a stage."""
        return replace(self.reader, shape=stage.shape[:2])

    def is_better(self, value: float, other: float) -> bool:
        """Whether one value of the primary metric beats another."""
        return self.metrics[0].is_better(value, other)


def callbacks_of(stage: Stage, metrics: Sequence[Metric], own: Mapping[str, Any], batches: int) -> list[Callback]:
    """New callbacks of a stage whose first epoch has so many batches.

    Raises:
        ValueError: a callback of the user's cannot be made.
    """
    falling = {metric.label for metric in metrics if metric.direction == "min"}
    return build_callbacks(
        stage.callbacks, metrics[0].label, own, lr=stage.lr, batches=batches, lower_is_better=falling
    )
