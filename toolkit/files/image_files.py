"""Images as files of a folder."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from toolkit.core.arrays import Image
from toolkit.files.images import read_image, read_image_part, read_size
from toolkit.files.recent import RecentArrays
from toolkit.files.windows import cut, refuse_outside


@dataclass(frozen=True)
class ImageFiles:
    """Images of a folder by id, in the order of the ids; `origin` is the folder."""

    origin: str
    paths: Mapping[str, Path]
    channels: int = 3
    _recent: RecentArrays = field(default_factory=RecentArrays, init=False, repr=False, compare=False)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(sorted(self.paths))

    def read(self, image_id: str) -> Image:
        """Read one image as `uint8 (height, width, channels)`; raises UnreadableImageError."""
        return read_image(self.paths[image_id], self.channels)

    def window(self, image_id: str, top: int, left: int, height: int, width: int) -> Image:
        """Read a part of one image: of the file, if it has parts, else of what was decoded last."""
        box = (top, left, height, width)
        refuse_outside(box, self.size(image_id))
        part = read_image_part(self.paths[image_id], self.channels, box)
        return cut(self._recent.get(image_id, lambda: self.read(image_id)), box) if part is None else part

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of an image, from its header alone; raises UnreadableImageError."""
        return read_size(self.paths[image_id])

    def content(self, image_id: str) -> bytes:
        """The bytes of the file."""
        return self.paths[image_id].read_bytes()

    def only(self, ids: Container[str]) -> "ImageFiles":
        """Those of the images that have one of these ids."""
        return replace(self, paths={image_id: path for image_id, path in self.paths.items() if image_id in ids})
