"""Batches through tf.data: images and masks read, placed and augmented while the network computes."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Image, Integers
from toolkit.core.placement import Placement, Resize, place
from toolkit.core.randomness import derived_seed
from toolkit.files.sources import Images, LabelledImages
from toolkit.learning.augmentation import Augmentation
from toolkit.learning.runtime import tf

Batch = tuple[Any, ...]


@dataclass(frozen=True)
class SampleReader:
    """Reads samples at the network's size."""

    shape: tuple[int, int]
    resize: Resize

    def image(self, images: Images, image_id: str) -> tuple[Image, Placement]:
        """An image `uint8 (height, width, 3)` at the network's size, and where it was placed."""
        image = images.read(image_id)
        placement = place((image.shape[0], image.shape[1]), self.shape, self.resize)
        return placement.image(image), placement

    def pair(self, data: LabelledImages, image_id: str) -> tuple[Image, npt.NDArray[np.uint8]]:
        """An image and its mask `uint8 (height, width)` of 0/1, both at the network's size."""
        image, placement = self.image(data.images, image_id)
        return image, placement.mask(data.read_mask(image_id))


def training_batches(
    reader: SampleReader,
    data: LabelledImages,
    augmentation: Augmentation,
    ids: Sequence[str],
    batches: Sequence[Integers],
    *draw: int,
) -> Iterator[Batch]:
    """Batches of images `uint8 (batch, height, width, 3)` and targets `uint8 (batch, height, width, 1)`.

    Args:
        reader, data, augmentation: where samples come from and what happens to them.
        ids: of all images, sorted.
        batches: positions in `ids`, batch by batch.
        draw: (seed, fold, stage, epoch); with the position they seed the augmentation of each sample. A sample that is
            drawn twice in an epoch differs by its place.
    """
    starts = np.cumsum([0, *map(len, batches)])

    def load(number: int) -> Batch:
        pairs = [
            augmentation(*reader.pair(data, ids[position]), derived_seed("sample", *draw, int(position), int(place_)))
            for place_, position in enumerate(batches[number], start=int(starts[number]))
        ]
        images, masks = zip(*pairs, strict=True)
        return np.stack(images), np.stack(masks)[..., None]

    return _loaded(load, len(batches), (tf.uint8, tf.uint8))


def prediction_batches(
    reader: SampleReader, images: Images, ids: Sequence[str], batch: int
) -> Iterator[tuple[Sequence[str], Sequence[Placement], Any]]:
    """Ids, placements and images `uint8 (batch, height, width, 3)`, in the order of `ids`."""
    parts = [ids[start : start + batch] for start in range(0, len(ids), batch)]
    placements: dict[int, list[Placement]] = {}

    def load(number: int) -> Batch:
        pairs = [reader.image(images, image_id) for image_id in parts[number]]
        placements[number] = [placement for _, placement in pairs]
        return (np.stack([image for image, _ in pairs]),)

    for number, (pixels,) in enumerate(_loaded(load, len(parts), (tf.uint8,))):
        yield parts[number], placements.pop(number), pixels


def _plain_options() -> Any:
    """Without autotuning: its thread sleeps ever longer, and an epoch ends only when it wakes, up to twice as late."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def _loaded(load: Callable[[int], Batch], count: int, types: tuple[Any, ...]) -> Iterator[Batch]:
    """Call `load` for 0 … count-1 on the threads of tf.data, ahead of use, and give the results in order.

    An error in `load` comes out as itself, not as TensorFlow's wrapping of it.
    """
    errors: list[Exception] = []

    def guarded(number: Any) -> Batch:
        try:
            return load(int(number))
        except Exception as error:
            errors.append(error)
            raise

    dataset = (
        tf.data.Dataset.range(count)
        # Declared stateless, because TensorFlow would load one batch after the other else; the order is kept anyway.
        .map(
            lambda number: tf.numpy_function(guarded, [number], types, stateful=False),
            os.cpu_count(),
            deterministic=True,
        )
        .prefetch(2)
        .with_options(_plain_options())
    )
    try:
        yield from dataset
    except tf.errors.OpError:
        if errors:
            raise errors[0] from None
        raise
