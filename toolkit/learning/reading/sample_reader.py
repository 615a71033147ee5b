"""Reads samples at the size of the network: whole images, windows and tiles, with their labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.models import Config
from toolkit.config.training.augmentation import parse_augmentation
from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.core.arrays import Image, Labels
from toolkit.core.images.resizing import Placement, Resize, place
from toolkit.core.images.tiles import UNTILED, TileGrid, Tiling
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import Classes
from toolkit.files.data.sources import Images
from toolkit.files.datasets.kept_pairs import KeptPairs, Pair
from toolkit.files.datasets.training_pool import Sample
from toolkit.learning.augmentation.augmentation import Augmentation, FixedTransforms

Where = Callable[[KeyPath], str]
"""From the path of a key to its place in the configuration, for messages."""


@dataclass(frozen=True)
class SampleReader:
    """Reads samples at the size of the network, with the transforms of every image.

    `shape` is (height, width). `tiling` says how whole images are divided into tiles; each tile is then resized like a
    small image. `kept` has whole images at this shape, as far as they are kept.
    """

    shape: tuple[int, int]
    resize: Resize
    classes: Classes
    transforms: FixedTransforms
    tiling: Tiling = UNTILED
    kept: KeptPairs | None = None

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
        known = sample.known
        if known is None or sample.window is not None or self.kept is None or not self._keeps(known.content):
            return self._decoded(sample)
        image, labels = self.kept.pair(known.content, lambda: self._to_keep(sample))
        return image, labels, place(known.size, self.shape, self.resize)

    def _keeps(self, content: str) -> bool:
        return self.kept is not None and self.kept.layout.sizes.get(content) == self.shape

    def _to_keep(self, sample: Sample) -> Pair:
        image, labels, _ = self._decoded(sample)
        sample.refuse_changed()
        return image, labels

    def _decoded(self, sample: Sample) -> tuple[Image, Labels, Placement]:
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
