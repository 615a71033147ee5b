"""Batches of training samples as arrays: each is made from a job that says everything, wherever it is made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Integers
from toolkit.core.randomness import derived_seed
from toolkit.files.datasets.training_pool import Sample
from toolkit.learning.augmentation.augmentation import Augmentation
from toolkit.learning.augmentation.mixing import Mixing
from toolkit.learning.reading.sample_reader import SampleReader

Arrays = tuple[npt.NDArray[Any], ...]


@dataclass(frozen=True)
class BatchJob:
    """The samples of a batch, the seed of each one's augmentation, and that of the mixing."""

    samples: tuple[Sample, ...]
    seeds: tuple[int, ...]
    mixing_seed: int


@dataclass(frozen=True)
class TrainingSetup:
    """How the samples of a stage are read, augmented and mixed."""

    reader: SampleReader
    augmentation: Augmentation
    mixing: Mixing

    def batch(self, job: BatchJob) -> Arrays:
        """Images and targets of a batch; see `toolkit.learning.reading.batches.training_batches`."""
        pairs = [
            self.reader.augmented(sample, self.augmentation, seed)
            for sample, seed in zip(job.samples, job.seeds, strict=True)
        ]
        images = np.stack([image for image, _ in pairs])
        targets = np.stack([self.reader.classes.planes(labels) for _, labels in pairs])
        return self.mixing(images, targets, job.mixing_seed)


def batch_jobs(samples: Sequence[Sample], batches: Sequence[Integers], draw: Sequence[int]) -> Iterator[BatchJob]:
    """The jobs of an epoch.

    The seed of a sample's augmentation derives from (seed, fold, stage, epoch), its position, and its place in the
    epoch, so that a sample that is drawn twice is augmented in two ways.
    """
    place_in_epoch = 0
    for number, positions in enumerate(batches):
        seeds = []
        for position in positions:
            seeds.append(derived_seed("sample", *draw, int(position), place_in_epoch))
            place_in_epoch += 1
        chosen = tuple(samples[position] for position in positions)
        yield BatchJob(chosen, tuple(seeds), derived_seed("mixing", *draw, number))
