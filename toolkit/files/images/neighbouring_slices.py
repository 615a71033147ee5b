"""Images whose channels are those of neighbouring slices of a volume."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from toolkit.core.arrays import Image
from toolkit.core.images.windows import Window
from toolkit.files.disk.digests import joined_stamps
from toolkit.files.images.decoding import UnreadableImageError
from toolkit.files.images.image_files import ImageFiles, StackedImages
from toolkit.files.images.recently_decoded import RecentlyDecoded
from toolkit.files.images.window_reading import refuse_outside


@dataclass(frozen=True)
class NeighbouringSlices:
    """Images that consist of a slice and its neighbours, all channels of one slice after those of the one before it.

    Attributes:
        slices: all slices, each as an image of its own, also those that are only neighbours.
        neighbours: the names of the slices that an image consists of, by its id.
        place: of the slice itself among them, counted from 0.
        volumes: the name of the volume of each image.
        at_edge: images with a repeated slice beyond the first or last one of their volume.
        trains_at_edge: whether such images are trained on.
        filled: images with the nearest slice in the place of one that is missing in their volume.
    """

    slices: ImageFiles | StackedImages
    neighbours: Mapping[str, tuple[str, ...]]
    place: int
    volumes: Mapping[str, str]
    at_edge: frozenset[str] = frozenset()
    trains_at_edge: bool = True
    filled: frozenset[str] = frozenset()
    # A slice belongs to several images, which are often read one after the other.
    _decoded: RecentlyDecoded = field(default_factory=RecentlyDecoded, init=False, repr=False, compare=False)
    _sizes: dict[str, tuple[int, int]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def origin(self) -> str:
        """The folder of the slices, for messages."""
        return self.slices.origin

    @property
    def folders(self) -> tuple[ImageFiles, ...]:
        """The files of the slices: one folder, or one for each file of a slice."""
        return self.slices.folders if isinstance(self.slices, StackedImages) else (self.slices,)

    @property
    def alone(self) -> list[str]:
        """Images that have no other slice beside them, though they should."""
        if all(len(several) == 1 for several in self.neighbours.values()):
            return []
        return [image_id for image_id in self.ids if len(set(self.neighbours[image_id])) == 1]

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(sorted(self.neighbours))

    def read(self, image_id: str) -> Image:
        """Read the slices of one image; raises UnreadableImageError."""
        self.size(image_id)
        return np.concatenate([self._slice(one) for one in self.neighbours[image_id]], axis=2)

    def window(self, image_id: str, window: Window) -> Image:
        """Read the window of each slice."""
        refuse_outside(window, self.size(image_id))
        return np.concatenate([self.slices.window(one, window) for one in self.neighbours[image_id]], axis=2)

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of all slices of an image; raises UnreadableImageError if they differ."""
        height, width = size = self._size(self.neighbours[image_id][self.place])
        for one in self.neighbours[image_id]:
            if self._size(one) != size:
                other = "×".join(map(str, self._size(one)))
                raise UnreadableImageError(
                    image_id,
                    f"is {height}×{width}, but its neighbour {one} is {other}",
                    "All slices of a volume must have the same size. If these belong to different volumes, correct "
                    "data.neighbours.group_by; otherwise save them in one size.",
                )
        return size

    def content(self, image_id: str) -> bytes:
        """The bytes of the files of all slices, for digests."""
        return b"".join(map(self.slices.content, self.neighbours[image_id]))

    def stamp(self, image_id: str) -> bytes | None:
        """The stamps of all slices."""
        return joined_stamps(*map(self.slices.stamp, self.neighbours[image_id]))

    def own(self, image: Image) -> Image:
        """The channels of the slice itself in what `read` gives."""
        channels = image.shape[2] // len(next(iter(self.neighbours.values())))
        return image[..., self.place * channels : (self.place + 1) * channels]

    def only(self, ids: Container[str]) -> "NeighbouringSlices":
        """The images with these ids; their neighbours stay."""
        return replace(self, neighbours={name: several for name, several in self.neighbours.items() if name in ids})

    def _size(self, name: str) -> tuple[int, int]:
        if name not in self._sizes:
            self._sizes[name] = self.slices.size(name)
        return self._sizes[name]

    def _slice(self, name: str) -> Image:
        height, width = self._size(name)
        if not self._decoded.fits(height * width):
            return self.slices.read(name)
        return self._decoded.get(name, lambda: self.slices.read(name))
