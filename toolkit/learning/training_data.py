"""What the folds of an experiment share while they are trained."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from toolkit.config.settings import Stage
from toolkit.core.blend import StoredType
from toolkit.core.measuring import Metric
from toolkit.files.pool import Pool
from toolkit.learning.augmentation import Augmentation
from toolkit.learning.batches import SampleReader
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
