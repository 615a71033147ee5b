"""Batches of training samples as arrays: each is made from a job that says everything, wherever it is made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Image, Integers
from toolkit.core.randomness import derived_seed
from toolkit.core.sampling.pseudo_labels import LabelRule
from toolkit.files.datasets.pseudo.pseudo_pool import PseudoLabelled
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
    """How the samples of a stage are read, augmented and mixed; `pseudo` says how labels of networks are learnt."""

    reader: SampleReader
    augmentation: Augmentation
    mixing: Mixing
    pseudo: LabelRule | None = None

    @property
    def target_type(self) -> type[np.uint8] | type[np.float32]:
        """The type of the targets of all batches."""
        return np.float32 if self.pseudo is not None and self.pseudo.is_fractional else self.mixing.target_type

    def batch(self, job: BatchJob) -> Arrays:
        """Images and targets of a batch; see `toolkit.learning.reading.batches.training_batches`."""
        pairs = [self._pair(sample, seed) for sample, seed in zip(job.samples, job.seeds, strict=True)]
        images = np.stack([image for image, _ in pairs])
        targets: Any = np.stack([target for _, target in pairs])
        return self.mixing(images, targets, job.mixing_seed)

    def _pair(self, sample: Sample, seed: int) -> tuple[Image, npt.NDArray[Any]]:
        """An image and its targets, (height, width, classes), with the weights as one more plane if there are any."""
        source, rule = sample.source, self.pseudo
        if rule is None or not isinstance(source, PseudoLabelled):
            image, labels = self.reader.augmented(sample, self.augmentation, seed)
            targets: npt.NDArray[Any] = self.reader.classes.planes(labels)
            return image, targets if rule is None else rule.with_weights(targets, pseudo=False)
        if not rule.soft:
            image, labels = self.reader.augmented(replace(sample, source=source.read_as(rule)), self.augmentation, seed)
            return image, rule.with_weights(self.reader.classes.planes(labels), pseudo=True)
        # The same seed moves the planes of all classes alike.
        planes = [
            self.reader.augmented(replace(sample, source=source.read_as(rule, number)), self.augmentation, seed)
            for number in range(source.classes.count)
        ]
        return planes[0][0], rule.with_weights(rule.targets([plane for _, plane in planes]), pseudo=True)


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
