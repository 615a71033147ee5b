"""Augmentation with albumentations; the random draws of each sample derive from a seed of its own."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from toolkit.config.training.augmentation import Transform
from toolkit.core.arrays import Image, Labels
from toolkit.core.masks.labels import IGNORE
from toolkit.learning.augmentation.margins import margin_of
from toolkit.learning.augmentation.transform_checks import checked, checked_fixed
from toolkit.learning.augmentation.transforms import Builder, Transforms, Where, sent
from toolkit.learning.plugins import NO_PLUGINS


class Augmentation:
    """The transforms of a configuration; the same seed gives the same result on every thread."""

    def __init__(
        self,
        transforms: Sequence[Transform],
        where: Where,
        shape: tuple[int, int, int],
        plugins: Mapping[str, Any] = NO_PLUGINS,
        *,
        fill_label: int = 0,
        labels: Collection[int] = (0, 1),
    ) -> None:
        """Build the transforms, and try each on an image of noise.

        Args:
            transforms: from `parse_augmentation`.
            where: gives the place of a key, for messages.
            shape: (height, width, channels) of the samples.
            plugins: the user's functions `(image, labels, generator, **arguments) -> (image, labels)` and transforms of
                albumentations, by name.
            fill_label: label of pixels that are moved in from outside the image.
            labels: the labels of the data, without `IGNORE`.

        Raises:
            ConfigError: a transform is unknown, does not accept its parameters, or changes the size, the type, the
                number of channels or the set of labels; the message begins with its key.
        """
        build = Builder(where, plugins, fill_label)
        allowed = {*labels, fill_label, IGNORE}
        possible = checked(transforms, build, shape, allowed)
        self._take(possible, build, shape)

    def _take(self, possible: Sequence[Transform], build: Builder, shape: tuple[int, int, int]) -> None:
        self._transforms = Transforms([build(transform) for transform in possible])
        self._possible, self._build, self._shape = tuple(possible), build, shape

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process: the transforms are built again there, but not tried again."""
        return _augmentation, (self._possible, sent(self._build), self._shape)

    def __call__(self, image: Image, labels: Labels, seed: int) -> tuple[Image, Labels]:
        """Transform an image `uint8 (height, width, channels)` and its labels `uint8 (height, width)` alike."""
        return self._transforms(image, labels, seed)

    @cached_property
    def margin(self) -> int:
        """How many pixels around a sample the transforms may move into it; see `margin_of`."""
        return margin_of(self, self._shape) if self._possible else 0


def _augmentation(possible: Sequence[Transform], build: Builder, shape: tuple[int, int, int]) -> Augmentation:
    made = Augmentation.__new__(Augmentation)
    made._take(possible, build, shape)
    return made


class FixedTransforms:
    """The transforms of every image, in training, validation and prediction: always applied, to pixel values alone."""

    def __init__(
        self, transforms: Sequence[Transform], where: Where, channels: int, plugins: Mapping[str, Any] = NO_PLUGINS
    ) -> None:
        """Build the transforms and try each.

        Args:
            transforms: from `parse_augmentation`; their probability is 1 if left out.
            where: gives the place of a key, for messages.
            channels: of the images.
            plugins: as in Augmentation.

        Raises:
            ConfigError: as Augmentation; or a transform draws at random, or changes more than pixel values.
        """
        build = Builder(where, plugins, 0)
        certain = checked_fixed(transforms, build, where, channels)
        self._take(certain, build, channels)

    def _take(self, certain: Sequence[Transform], build: Builder, channels: int) -> None:
        self._transforms = Transforms([build(transform) for transform in certain])
        self._certain, self._build, self.channels = tuple(certain), build, channels

    def __reduce__(self) -> tuple[Any, ...]:
        """As that of Augmentation."""
        return _fixed, (self._certain, sent(self._build), self.channels)

    def __call__(self, image: Image) -> Image:
        """Transform `uint8 (height, width, channels)`; the same image gives the same result."""
        return self._transforms(image, np.zeros(image.shape[:2], np.uint8), 0)[0]


def _fixed(certain: Sequence[Transform], build: Builder, channels: int) -> FixedTransforms:
    made = FixedTransforms.__new__(FixedTransforms)
    made._take(certain, build, channels)
    return made
