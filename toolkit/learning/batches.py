"""Batches with tf.data: images and labels are read, resized and augmented while the network computes."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.models import Config
from toolkit.config.training.augmentation import parse_augmentation
from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.core.arrays import Image, Integers, Labels
from toolkit.core.images.resizing import Placement, Resize, place
from toolkit.core.images.tiles import UNTILED, TileGrid, Tiling
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import Classes
from toolkit.core.randomness import derived_seed
from toolkit.files.data.sources import Images
from toolkit.files.datasets.training_pool import Sample, read_window
from toolkit.learning.augmentation.augmentation import Augmentation, FixedTransforms
from toolkit.learning.augmentation.mixing import Mixing
from toolkit.learning.runtime import tf

Batch = tuple[Any, ...]
Where = Callable[[KeyPath], str]
"""From the path of a key to its place in the configuration, for messages."""


@dataclass(frozen=True)
class SampleReader:
    """Reads samples at the size of the network, with the transforms of every image.

    `shape` is (height, width). `tiling` says how whole images are divided into tiles; each tile is then resized like a
    small image.
    """

    shape: tuple[int, int]
    resize: Resize
    classes: Classes
    transforms: FixedTransforms
    tiling: Tiling = UNTILED

    def grid(self, size: tuple[int, int]) -> TileGrid:
        """The tiles of an image of (height, width)."""
        return self.tiling.grid(size, self.shape)

    def tiles(self, sample: Sample) -> list[Sample]:
        """The image itself, or its tiles in the order of the grid."""
        if self.tiling == UNTILED:
            return [sample]
        return [replace(sample, window=window) for window in self.grid(sample.size).windows]

    def place(self, image: Image) -> tuple[Image, Placement]:
        """An image `uint8 (height, width, channels)` at the size of the network, and its placement."""
        return self.place_at(image, [self.shape])[0]

    def place_at(self, image: Image, shapes: Sequence[tuple[int, int]]) -> list[tuple[Image, Placement]]:
        """The same at several sizes (height, width): the image is scaled in proportion to each."""
        placement = place((image.shape[0], image.shape[1]), self.shape, self.resize)
        transformed = self.transforms(image)
        return [(there.image(transformed), there) for there in map(placement.at, shapes)]

    def pair(self, sample: Sample) -> tuple[Image, Labels, Placement]:
        """An image and its labels `uint8 (height, width)` at the size of the network, and their placement."""
        image, placement = self.place(sample.image())
        return image, placement.labels(sample.labels()), placement

    def augmented(self, sample: Sample, augmentation: Augmentation, seed: int) -> tuple[Image, Labels]:
        """An image and its labels at the size of the network, augmented.

        A crop or patch is read with a margin of as many pixels as augmentation may move into it, and cut to size
        afterwards: so real pixels move in from outside.
        """
        margin = 0
        if sample.window is not None and place(sample.size, self.shape, self.resize).scaled == self.shape:
            margin = augmentation.margin
        if sample.window is None or not margin:
            image, labels, _ = self.pair(sample)
            return augmentation(image, labels, seed)
        rows, columns = (-(-margin * side // length) for side, length in zip(sample.size, self.shape, strict=True))
        shape = (self.shape[0] + 2 * margin, self.shape[1] + 2 * margin)
        around = replace(sample, window=sample.window.grown(rows, columns))
        image, labels, _ = replace(self, shape=shape, resize="stretch").pair(around)
        image, labels = augmentation(image, labels, seed)
        return _middle(image, self.shape), _middle(labels, self.shape)


def _middle(pixels: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The middle of an array (height, width, …), of (height, width)."""
    top, left = ((length - side) // 2 for length, side in zip(pixels.shape, size, strict=False))
    return pixels[top : top + size[0], left : left + size[1]]


def build_reader(config: Config, where: Where, plugins: Mapping[str, Any]) -> SampleReader:
    """The reader of an experiment's samples, at the size of the last stage.

    Raises:
        ConfigError: a transform cannot be applied to every image; the message begins with its key.
    """
    height, width, channels = config.prediction_shape
    transforms = parse_augmentation(config.transforms, plugins)
    fixed = FixedTransforms(transforms, lambda key: where(("transforms", *key)), channels, plugins)
    return SampleReader((height, width), config.resize_of_samples, config.task_classes, fixed, config.tiling)


def training_batches(
    reader: SampleReader,
    samples: Sequence[Sample],
    augmentation: Augmentation,
    mixing: Mixing,
    batches: Sequence[Integers],
    *draw: int,
) -> Iterator[Batch]:
    """Batches of images `uint8 (batch, height, width, channels)` and targets (batch, height, width, classes).

    Targets are `uint8`, 0 or 1, 255 in ignored pixels; or `float32` if mixing makes fractions.

    Args:
        reader: reads the samples.
        samples: images, crops or patches.
        augmentation: of each sample.
        mixing: of each batch.
        batches: positions in `samples`, batch by batch.
        draw: (seed, fold, stage, epoch). The seed of a sample's augmentation derives from these, its position, and its
            place in the epoch, so that a sample that is drawn twice is augmented in two ways.
    """
    starts = np.cumsum([0, *map(len, batches)])

    def load(number: int) -> Batch:
        pairs = []
        for place_in_epoch, position in enumerate(batches[number], start=int(starts[number])):
            seed = derived_seed("sample", *draw, int(position), int(place_in_epoch))
            pairs.append(reader.augmented(samples[position], augmentation, seed))
        images = np.stack([image for image, _ in pairs])
        targets = np.stack([reader.classes.planes(labels) for _, labels in pairs])
        return mixing(images, targets, derived_seed("mixing", *draw, number))

    return _loaded(load, len(batches), (tf.uint8, tf.as_dtype(mixing.target_type)))


def validation_batches(
    reader: SampleReader, samples: Sequence[Sample], batch: int
) -> Iterator[tuple[Sequence[Sample], Sequence[Placement], Any, Any]]:
    """Samples, placements, images and targets `uint8 (batch, height, width, classes)`, in the order of `samples`."""
    batches = [samples[start : start + batch] for start in range(0, len(samples), batch)]
    placements: dict[int, list[Placement]] = {}

    def load(number: int) -> Batch:
        triples = [reader.pair(sample) for sample in batches[number]]
        placements[number] = [placement for _, _, placement in triples]
        targets = np.stack([reader.classes.planes(labels) for _, labels, _ in triples])
        return np.stack([image for image, _, _ in triples]), targets

    for number, (images, targets) in enumerate(_loaded(load, len(batches), (tf.uint8, tf.uint8))):
        yield batches[number], placements.pop(number), images, targets


@dataclass(frozen=True)
class Tile:
    """A tile of an image; the whole image if it has no window."""

    image_id: str
    window: Window | None


def tiles_of(reader: SampleReader, images: Images, image_id: str) -> list[Tile]:
    """The tiles of an image, in the order of the grid."""
    if reader.tiling == UNTILED:
        return [Tile(image_id, None)]
    return [Tile(image_id, window) for window in reader.grid(images.size(image_id)).windows]


def prediction_batches(
    reader: SampleReader, images: Images, tiles: Sequence[Tile], batch: int, shapes: Sequence[tuple[int, int]]
) -> Iterator[tuple[Sequence[Tile], list[list[Placement]], tuple[Any, ...]]]:
    """Batches of tiles, with their placements and pixels `uint8 (batch, height, width, channels)` for each of `shapes`.

    Tiles come in order, and a batch may hold tiles of several images. Each is read once for all shapes.

    Args:
        reader: reads and resizes tiles.
        images: the images.
        tiles: of the images.
        batch: number of tiles in a batch.
        shapes: input sizes (height, width); the scale of a tile is in proportion to them.
    """
    batches = [tiles[start : start + batch] for start in range(0, len(tiles), batch)]
    placements: dict[int, list[list[Placement]]] = {}

    def load(number: int) -> Batch:
        placed = [reader.place_at(read_window(images, tile.image_id, tile.window), shapes) for tile in batches[number]]
        by_shape = list(zip(*placed, strict=True))
        placements[number] = [[placement for _, placement in pairs] for pairs in by_shape]
        return tuple(np.stack([image for image, _ in pairs]) for pairs in by_shape)

    for number, pixels in enumerate(_loaded(load, len(batches), (tf.uint8,) * len(shapes))):
        yield batches[number], placements.pop(number), pixels


def _plain_options() -> Any:
    """Options without autotuning, whose thread sleeps ever longer: an epoch ends only when it wakes."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def _loaded(load: Callable[[int], Batch], count: int, types: tuple[Any, ...]) -> Iterator[Batch]:
    """Call `load` for 0 … count-1 on the threads of tf.data, ahead of use, and yield the results in order.

    An error in `load` is raised as it is, not wrapped by TensorFlow.
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
        # Declared stateless, because TensorFlow would otherwise load one batch after the other.
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
