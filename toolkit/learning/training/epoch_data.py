"""The data that all folds share, and what each epoch draws from them: images, crops or patches."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from toolkit.config.stage_values import Stage
from toolkit.core.arrays import Floats, Integers
from toolkit.core.images.tiles import window_size
from toolkit.core.sampling.class_weights import balanced_class_weights
from toolkit.core.sampling.epoch_sampling import area_groups, select_images
from toolkit.core.sampling.patches import HardPlaces, Occupancy, PatchRule, cell_of, draw_patches, group_images
from toolkit.errors import ConfigError
from toolkit.files.datasets.crops import crop_pool
from toolkit.files.datasets.occupancy import find_occupancies
from toolkit.files.datasets.training_pool import Pool, Sample
from toolkit.files.experiment.folder import Experiment
from toolkit.learning.reading.batches import training_batches
from toolkit.learning.reading.drawn import Drawn, PseudoDraw, draw_pseudo, joined
from toolkit.learning.reading.kept_samples import KeptSamples, keep_samples
from toolkit.learning.reading.sample_reader import SampleReader
from toolkit.learning.reading.training_samples import TrainingSetup
from toolkit.learning.reading.workers import NotSendableError, Workers
from toolkit.learning.training.plan import Plan
from toolkit.messages import Progress


@dataclass(frozen=True)
class Deadline:
    """The time by which training stops, on the clock of `time.monotonic`; infinite for no limit."""

    at: float = float("inf")

    @classmethod
    def after(cls, seconds: float | None) -> "Deadline":
        """A deadline so many seconds from now; no limit if None."""
        return cls() if seconds is None else cls(time.monotonic() + seconds)

    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self.at


NEVER = Deadline()


@dataclass(frozen=True)
class Run:
    """One training of one fold; `repeat` counts the trainings with further seeds from 0."""

    fold: int
    repeat: int
    seed: int

    @property
    def title(self) -> str:
        """`fold 2`, or `fold 2 · seed 1` for a further seed."""
        return f"fold {self.fold}" + (f" · seed {self.repeat}" if self.repeat else "")

    def draw(self, stage: Stage, epoch: int) -> tuple[int, int, int, int]:
        """The numbers from which all random draws of an epoch derive."""
        return self.seed, self.fold, stage.number, epoch


@dataclass(frozen=True)
class Patches:
    """How patches are drawn.

    `occupancies` has one entry a sample of the pool. `share` is the share of patches with foreground; None draws them
    anywhere.
    """

    occupancies: Sequence[Occupancy]
    per_image: int
    share: float | None
    scale: float


HardNegatives = Floats | HardPlaces
"""Weights for drawing negatives, `float64 (samples,)`, above 0; for patches, the places that are hard."""


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class TrainingData:
    """What the folds of an experiment share while they are trained; `after_epoch` is called when one is finished.

    `pool` has the images, which are always validated whole. Epochs draw from them, from `crops` of them, or `patches`.
    `kept` has decoded images; `workers` are processes that read samples for training, or None if threads do.
    """

    experiment: Experiment
    plan: Plan
    pool: Pool
    deadline: Deadline = NEVER
    crops: Pool | None = None
    patches: Patches | None = None
    kept: KeptSamples | None = None
    workers: Workers | None = None
    after_epoch: Callable[[], None] = _nothing

    @property
    def reader(self) -> SampleReader:
        """Reads samples at the size of the last stage."""
        return self.plan.reader

    @property
    def seed(self) -> int:
        """The seed of the experiment."""
        return self.plan.config.seed

    @property
    def drawn_from(self) -> Pool:
        """The images or their crops: what is positive or negative, and drawn as such."""
        return self.crops or self.pool

    @property
    def occupancies(self) -> Sequence[Occupancy]:
        """Where the images of the pool have foreground; empty unless patches are drawn."""
        return () if self.patches is None else self.patches.occupancies

    def draw(self, stage: Stage, run: Run, epoch: int, hard: HardNegatives | None = None) -> Drawn:
        """What an epoch trains on.

        Args:
            stage: of the training.
            run: of the training.
            epoch: counted from 0. Negative numbers are for epochs outside training, which have as many negatives as
                the first.
            hard: negatives to draw more often; None to draw all alike.
        """
        done = max(0, epoch) / max(1, stage.epochs - 1)
        drawn = self._draw_labelled(stage, run, epoch, done, hard)
        if stage.pseudo is None:
            return drawn
        how = PseudoDraw(stage.pseudo, stage.negatives, done, self.plan.config.crops)
        window = None if self.patches is None else window_size(stage.shape[:2], self.patches.scale)
        added = draw_pseudo(
            self.pool.pseudo[stage.pseudo.teacher, run.fold], len(drawn), how, window, *run.draw(stage, epoch)
        )
        return joined(drawn, added)

    def _draw_labelled(self, stage: Stage, run: Run, epoch: int, done: float, hard: HardNegatives | None) -> Drawn:
        """The labelled images of an epoch; `done` is 0 in the first, 1 in the last."""
        pool = self.drawn_from
        train = pool.training_positions(run.fold)
        groups = self._groups(stage, pool, train)
        shares = None if pool.shares is None else pool.shares[train]
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

    def _groups(self, stage: Stage, pool: Pool, train: Integers) -> Any:
        """The groups between which positives are balanced: bins of their area, or classes; None for neither."""
        if stage.positives == "area_bins":
            return area_groups(pool.coverage[train])
        if stage.positives == "classes":
            first = 1 if self.reader.classes.activation == "softmax" else 0
            return pool.pixels[train, first:] > 0
        return None

    def _draw_patches(self, patches: Patches, train: Integers, rule: PatchRule, draw: Sequence[int]) -> Drawn:
        images = [patches.occupancies[place] for place in train]
        drawn = draw_patches(images, rule, *draw)
        samples = [replace(self.pool.samples[train[place]], window=window) for place, window in drawn]
        groups = group_images([math.prod(image.size) * self.reader.transforms.channels for image in images], *draw)
        return Drawn(samples, np.arange(len(samples)), groups[[place for place, _ in drawn]])

    def batches(
        self, stage: Stage, samples: Sequence[Sample], batches: Sequence[Integers], draw: Sequence[int]
    ) -> Iterator[Any]:
        """Images and targets of batches of positions in `samples`, augmented and mixed as the stage configures."""
        workers = None if self.workers is None else self.workers.of_stage(stage.number)
        return training_batches(self.setup(stage), samples, batches, *draw, workers=workers)

    def setup(self, stage: Stage) -> TrainingSetup:
        """How the samples of a stage are read, augmented and mixed."""
        return TrainingSetup(
            self.reader_of(stage),
            self.plan.augmentations[stage.number],
            self.plan.mixings[stage.number],
            None if stage.pseudo is None else stage.pseudo.rule(self.reader.classes),
        )

    @contextmanager
    def read_by_processes(self, count: int, progress: Progress) -> Iterator["TrainingData"]:
        """The same data, whose samples for training are read by so many processes; by threads if 0.

        The processes end with the block.
        """
        kept = () if self.kept is None else self.kept.kept
        try:
            setups = [self.setup(stage) for stage in self.plan.stages]
            samples = [*self.pool.samples, *(one for pool in self.pool.pseudo.values() for one in pool.samples[:1])]
            workers = Workers(count, setups, samples, kept) if count else None
        except NotSendableError as error:
            progress.warn(f"workers: threads read the images, not processes: {error}")
            workers = None
        try:
            yield replace(self, workers=workers)
        finally:
            if workers is not None:
                workers.close()

    def class_weights(self, stage: Stage, fold: int) -> tuple[float, ...] | None:
        """Weights of the classes in the loss of a stage; balanced ones follow the fold's training images."""
        if stage.class_weights != "balanced":
            return stage.class_weights
        counts = self.pool.pixels[self.pool.training_positions(fold)].sum(axis=0)
        return tuple(balanced_class_weights(counts).tolist())

    def reader_of(self, stage: Stage) -> SampleReader:
        """Reads samples at the size of a stage, from what is kept of them."""
        reader = replace(self.reader, shape=stage.shape[:2])
        return reader if self.kept is None else self.kept.reader(reader)


def prepare_training_data(
    experiment: Experiment, plan: Plan, pool: Pool, progress: Progress, deadline: Deadline = NEVER
) -> TrainingData:
    """Prepare the images of a pool for training: cut crops, or find where patches have foreground.

    Raises:
        DataError: a mask cannot be read.
        ConfigError: training images would be scaled down, although the configuration has tiles.
    """
    config = plan.config
    shapes = [stage.shape[:2] for stage in plan.stages]
    kept = keep_samples(experiment, config, plan.reader, shapes=shapes, pool=pool, progress=progress)
    data = TrainingData(experiment, plan, kept.pool, deadline, kept=kept)
    pool = kept.pool
    if config.crops is not None:
        return replace(data, crops=crop_pool(pool, config.crops, progress))
    if config.patches is not None:
        patches = config.patches
        cell = cell_of([window_size(shape, patches.scale) for shape in shapes])
        occupancies = find_occupancies(pool.samples, cell, progress)
        drawn = Patches(occupancies, patches.per_image, patches.positive_share, patches.scale)
        return replace(data, patches=drawn)
    if config.tiles is not None:
        sizes = {sample.image_id: sample.size for sample in pool.samples}
        sizes |= {name: size for of_fold in pool.pseudo.values() for name, size in of_fold.sizes.items()}
        for shape in shapes:
            _refuse_shrunk(sizes, shape)
    return data


def _refuse_shrunk(sizes: Mapping[str, tuple[int, int]], shape: tuple[int, int]) -> None:
    for image_id, (height, width) in sizes.items():
        if height > shape[0] or width > shape[1]:
            raise ConfigError(
                f"tiles: the image {image_id} is {height}×{width}, larger than the shape {shape[0]}×{shape[1]}. "
                "Training would scale it down, while prediction by tiles does not.",
                "Add patches (for example patches: {per_image: 8}) or crops; see docs/large-images.md.",
            )
