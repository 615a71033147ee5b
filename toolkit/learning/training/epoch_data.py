"""What the folds of an experiment share while they are trained."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from toolkit.config.resolved_stage import Stage
from toolkit.core.arrays import Floats, Integers
from toolkit.core.images.tiles import window_size
from toolkit.core.metrics.metric import Metric
from toolkit.core.recipe.probabilities import StoredType
from toolkit.core.sampling.class_weights import balanced_class_weights
from toolkit.core.sampling.epoch_sampling import area_groups, select_images, shuffled_batches
from toolkit.core.sampling.patches import HardPlaces, Occupancy, PatchRule, draw_patches, group_images
from toolkit.files.datasets.training_pool import Pool, Sample
from toolkit.learning.augmentation.augmentation import Augmentation
from toolkit.learning.augmentation.mixing import Mixing
from toolkit.learning.batches import SampleReader, training_batches
from toolkit.learning.optimizing.callbacks import Callback, build_callbacks


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
class Patches:
    """What patches are drawn by: `occupancies` has one entry a sample of the pool, `share` is None for anywhere."""

    occupancies: Sequence[Occupancy]
    per_image: int
    share: float | None
    scale: float


@dataclass(frozen=True)
class Drawn:
    """What an epoch trains on: samples, and ascending positions of those that are taken, some perhaps twice.

    Those of the same group, `int64 (positions,)`, are read one after the other, if there are groups.
    """

    samples: Sequence[Sample]
    positions: Integers
    groups: Integers | None = None

    def __len__(self) -> int:
        """How many are taken."""
        return len(self.positions)

    def batches(self, batch: int, *draw: int) -> list[Integers]:
        """Positions batch by batch, in an order that derives from `draw`."""
        return shuffled_batches(self.positions, batch, *draw, groups=self.groups)


HardNegatives = Floats | HardPlaces
"""Weights for drawing negatives, `float64 (samples,)`, above 0; of patches, the places that are hard."""


@dataclass(frozen=True)
class TrainingData:
    """Samples, how they are read, augmented and judged.

    `pool` has the images, which are judged whole. Epochs draw from `parts` of them, or windows by `patches`, if there
    are any. `metrics` has the primary one first; `augmentations` and `mixings` have one entry a stage.
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
    parts: Pool | None = None
    patches: Patches | None = None

    @property
    def occupancies(self) -> Sequence[Occupancy]:
        """Where the images of the pool have foreground; none where no patches are drawn."""
        return () if self.patches is None else self.patches.occupancies

    @property
    def drawn_from(self) -> Pool:
        """The images, or their parts: what is positive or negative and drawn as such."""
        return self.parts or self.pool

    def callbacks_of(self, stage: Stage, batches: int) -> list[Callback]:
        """New callbacks of a stage whose first epoch has so many batches."""
        return callbacks_of(stage, self.metrics, self.own, batches)

    def draw(self, stage: Stage, run: Run, epoch: int, hard: HardNegatives | None = None) -> Drawn:
        """What an epoch trains on.

        Args:
            stage, run: of the training.
            epoch: counted from 0; one below 0 is none of the training's, and has as many negatives as the first.
            hard: the negatives that are drawn more often; all alike if left out.
        """
        pool = self.drawn_from
        train = pool.training_positions(run.fold)
        groups = None
        if stage.positives == "area_bins":
            groups = area_groups(pool.coverage[train])
        elif stage.positives == "classes":
            first = 1 if self.reader.classes.activation == "softmax" else 0
            groups = pool.pixels[train, first:] > 0
        shares = None if pool.shares is None else pool.shares[train]
        done = max(0, epoch) / max(1, stage.epochs - 1)
        if self.patches is not None:
            share = stage.negatives.share_of_positives(done)
            rule = PatchRule(
                window_size(stage.shape[:2], self.patches.scale),
                self.patches.per_image * len(train),
                self.patches.share if share is None else share,
                groups,
                stage.positives == "classes",
                hard.of(train) if isinstance(hard, HardPlaces) else None,
                shares,
            )
            return self._draw_patches(self.patches, train, rule, run.draw(stage, epoch))
        chosen = select_images(
            pool.has_foreground[train],
            stage.negatives,
            *run.draw(stage, epoch),
            progress=done,
            groups=groups,
            weights=hard[train] if isinstance(hard, np.ndarray) else None,
            shares=shares,
        )
        return Drawn(pool.samples, train[chosen])

    def _draw_patches(self, patches: Patches, train: Integers, rule: PatchRule, draw: Sequence[int]) -> Drawn:
        images = [patches.occupancies[place] for place in train]
        drawn = draw_patches(images, rule, *draw)
        samples = [replace(self.pool.samples[train[place]], window=window) for place, window in drawn]
        groups = group_images([math.prod(image.size) * self.reader.transforms.channels for image in images], *draw)
        return Drawn(samples, np.arange(len(samples)), groups[[place for place, _ in drawn]])

    def batches(
        self, stage: Stage, samples: Sequence[Sample], batches: Sequence[Integers], draw: Sequence[int]
    ) -> Iterator[Any]:
        """Images and targets of batches of positions in `samples`, augmented and mixed as the stage wants it."""
        augmentation, mixing = self.augmentations[stage.number], self.mixings[stage.number]
        return training_batches(self.reader_of(stage), samples, augmentation, mixing, batches, *draw)

    def class_weights(self, stage: Stage, fold: int) -> tuple[float, ...] | None:
        """What each class counts in the loss of a stage; balanced ones follow the fold's training images."""
        if stage.class_weights != "balanced":
            return stage.class_weights
        counts = self.pool.pixels[self.pool.training_positions(fold)].sum(axis=0)
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
