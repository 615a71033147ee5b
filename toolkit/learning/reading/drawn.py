"""What an epoch trains on: positions of samples, and the pseudo-labelled samples that join the labelled ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from toolkit.config.data.pseudo_labels import PseudoSpec
from toolkit.core.arrays import Integers, Size
from toolkit.core.sampling.epoch_sampling import Negatives, select_images, shuffled_batches
from toolkit.core.sampling.patches import random_windows
from toolkit.core.sampling.pseudo_labels import added_samples, draw_evenly
from toolkit.files.datasets.crops import crops_of
from toolkit.files.datasets.pseudo.pseudo_pool import PseudoPool
from toolkit.files.datasets.training_pool import Sample

_IMAGES_A_GROUP = 8
"""Images whose patches are read together, as `group_images` has at the least."""


@dataclass(frozen=True)
class Drawn:
    """What an epoch trains on.

    `positions` are the ascending positions of the chosen samples; one may occur twice. With `groups`, `int64
    (positions,)`, samples of the same group are read one after the other.
    """

    samples: Sequence[Sample]
    positions: Integers
    groups: Integers | None = None

    def __len__(self) -> int:
        """The number of chosen samples."""
        return len(self.positions)

    def batches(self, batch: int, *draw: int) -> list[Integers]:
        """Positions batch by batch, in a random order that derives from `draw`."""
        return shuffled_batches(self.positions, batch, *draw, groups=self.groups)


@dataclass(frozen=True)
class PseudoDraw:
    """How pseudo-labelled samples are drawn.

    `negatives` is the rule of the stage, `progress` 0 in its first epoch and 1 in its last, and `crops` the number of
    rows and columns into which images are cut, None for whole images.
    """

    spec: PseudoSpec
    negatives: Negatives
    progress: float
    crops: int | None = None


def draw_pseudo(pool: PseudoPool, own: int, how: PseudoDraw, window: Size | None, *draw: int) -> list[Sample]:
    """The pseudo-labelled samples that join the labelled ones of an epoch.

    The rule for negatives chooses images, by their labels; each of these gives equally many samples, within one.

    Args:
        pool: of the fold.
        own: the number of labelled samples.
        how: they are drawn.
        window: (height, width) of patches, which are drawn anywhere in the images; None for whole images or crops.
        draw: numbers that the draw derives from, (seed, fold, stage, epoch).
    """
    certain = pool.taken(how.spec.minimum_confidence)
    chosen = select_images(pool.has_foreground[certain], how.negatives, *draw, progress=how.progress)
    count = added_samples(own, how.spec.share)
    images = [pool.samples[place] for place in np.unique(certain[chosen]).tolist()]
    if window is not None:
        places = draw_evenly(np.arange(len(images)), count, *draw)
        sizes = [pool.sizes[images[place].image_id] for place in places]
        windows = random_windows(sizes, window, *draw)
        return [replace(images[place], window=one) for place, one in zip(places, windows, strict=True)]
    if how.crops is not None:
        images = [crop for image in images for crop in crops_of(image, how.crops)]
    return [images[place] for place in draw_evenly(np.arange(len(images)), count, *draw)]


def joined(drawn: Drawn, added: Sequence[Sample]) -> Drawn:
    """The drawn samples with further ones behind them, those of a few images each as further groups."""
    positions = np.concatenate([drawn.positions, len(drawn.samples) + np.arange(len(added))])
    groups = drawn.groups
    if groups is not None:
        numbers = {image_id: number for number, image_id in enumerate(dict.fromkeys(one.image_id for one in added))}
        first = groups.max(initial=-1) + 1
        groups = np.concatenate([groups, [first + numbers[one.image_id] // _IMAGES_A_GROUP for one in added]])
    return Drawn([*drawn.samples, *added], positions, None if groups is None else groups.astype(np.int64))
