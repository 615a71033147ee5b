"""Labelled images at the size at which a competition scores their masks, if that is not their own size."""

from collections.abc import Container
from dataclasses import dataclass, replace

import numpy as np

from toolkit.config.data.competitions import Competition
from toolkit.core.arrays import Image, Labels, Objects
from toolkit.core.images.resizing import scale_image, scale_mask, scale_numbers
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import IGNORE, labels_of_masks
from toolkit.files.data.sources import Images, LabelledImages
from toolkit.files.images.window_reading import cut


def at_scored_size(labelled: LabelledImages, competition: Competition | None) -> LabelledImages:
    """The labelled images with everything scaled to the `output_size` of the competition, if it has one."""
    if competition is None or competition.output_size is None:
        return labelled
    images = _ScaledImages(labelled.images, competition.output_size)
    return _ScaledLabelled(
        images, labelled.masks, labelled.classes, metadata=labelled.metadata, positives=labelled.positives
    )


@dataclass(frozen=True)
class _ScaledImages:
    """Images that are scaled to one size."""

    own: Images
    scaled_to: tuple[int, int]

    @property
    def wrapped(self) -> Images:
        return self.own

    @property
    def ids(self) -> tuple[str, ...]:
        return self.own.ids

    @property
    def origin(self) -> str:
        return self.own.origin

    def read(self, image_id: str) -> Image:
        return scale_image(self.own.read(image_id), self.scaled_to)

    def window(self, image_id: str, window: Window) -> Image:
        return cut(self.read(image_id), window)

    def size(self, image_id: str) -> tuple[int, int]:
        return self.scaled_to

    def content(self, image_id: str) -> bytes:
        return self.own.content(image_id)

    def stamp(self, image_id: str) -> bytes | None:
        return self.own.stamp(image_id)

    def only(self, ids: Container[str]) -> "_ScaledImages":
        return replace(self, own=self.own.only(ids))


@dataclass(frozen=True)
class _ScaledLabelled(LabelledImages):
    """Labelled images whose masks are scaled as those of a submission are, class by class."""

    images: _ScaledImages

    def read_labels(self, image_id: str) -> Labels:
        labels: Labels = self._own.read_labels(image_id)
        size = self.images.scaled_to
        if labels.shape == size:
            return labels
        masks = self.classes.planes(labels)
        scaled = np.stack([scale_mask(masks[..., number] == 1, size) for number in range(masks.shape[2])], axis=-1)
        found: Labels = labels_of_masks(scaled, self.classes.activation)
        found[scale_mask(labels == IGNORE, size)] = IGNORE
        return found

    def read_objects(self, image_id: str) -> Objects | None:
        objects = self._own.read_objects(image_id)
        return None if objects is None else scale_numbers(objects, self.images.scaled_to)

    def window_labels(self, image_id: str, window: Window) -> Labels:
        labels: Labels = cut(self.read_labels(image_id), window)
        return labels

    @property
    def _own(self) -> LabelledImages:
        return LabelledImages(self.images.own, self.masks, self.classes)
