"""Decoded images with their labels as rows of bytes: what every epoch reads, whatever file it came from."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from toolkit.core.arrays import Image, Labels
from toolkit.core.images.windows import Window
from toolkit.files.disk.digests import digest
from toolkit.files.disk.flat_rows import Bytes, Rows

Pair = tuple[Image, Labels]
"""An image `uint8 (height, width, channels)` and its labels `uint8 (height, width)`."""

_LOCKS = 64


@dataclass(frozen=True)
class Layout:
    """What is kept: pairs by the digest of what they are made from, in rows.

    Attributes:
        settings: everything else that the pixels depend on.
        channels: of the images.
        sizes: (height, width) of each pair, in the order of the rows.
    """

    settings: str
    channels: int
    sizes: Mapping[str, tuple[int, int]]

    @cached_property
    def name(self) -> str:
        """A digest of all this: equal names mean equal bytes."""
        listed = "\n".join(f"{content} {height} {width}" for content, (height, width) in self.sizes.items())
        return digest(f"{self.settings}\n{self.channels}\n{listed}".encode())

    @cached_property
    def bytes_of_rows(self) -> Sequence[int]:
        """The bytes of each row: those of the image, then those of the labels."""
        return [height * width * (self.channels + 1) for height, width in self.sizes.values()]

    @property
    def total(self) -> int:
        """The bytes of all rows."""
        return sum(self.bytes_of_rows)


class KeptPairs:
    """Pairs that are decoded once. A row that is missing or damaged is made again, and written if rows can be."""

    def __init__(self, layout: Layout, rows: Rows) -> None:
        self.layout, self.rows = layout, rows
        self._places = {content: place for place, content in enumerate(layout.sizes)}
        self._making = [threading.Lock() for _ in range(_LOCKS)]

    def __reduce__(self) -> tuple[object, ...]:
        """For the processes that read samples, which have the descriptor of the rows under the same number."""
        return KeptPairs, (self.layout, self.rows)

    @property
    def is_in_memory(self) -> bool:
        """Whether the rows take memory rather than disk."""
        return self.rows.is_in_memory

    def holds(self, content: str) -> bool:
        """Whether there is a row for what has this digest."""
        return content in self._places

    def pair(self, content: str, make: Callable[[], Pair]) -> Pair:
        """A pair; `make` is called if its row is missing. The arrays belong to the caller."""
        place = self._places[content]
        found = self._read(content, place)
        if found is None:
            with self._making[place % _LOCKS]:  # threads that want the same pair wait for the first one
                found = self._read(content, place) or self._made(place, make)
        return found

    def image_window(self, content: str, window: Window, make: Callable[[], Pair]) -> Image:
        """The pixels of an image in a window inside it, `uint8 (height, width, channels)`."""
        _, width = self.layout.sizes[content]
        channels = self.layout.channels
        part = self._part(content, window.top * width * channels, window.height * width * channels, make)
        return np.array(part.reshape(window.height, width, channels)[:, window.left : window.right])

    def labels_window(self, content: str, window: Window, make: Callable[[], Pair]) -> Labels:
        """The labels in a window inside an image, `uint8 (height, width)`."""
        height, width = self.layout.sizes[content]
        start = height * width * self.layout.channels + window.top * width
        part = self._part(content, start, window.height * width, make)
        return np.array(part.reshape(window.height, width)[:, window.left : window.right])

    def _part(self, content: str, start: int, count: int, make: Callable[[], Pair]) -> Image:
        found = self.rows.read(self._places[content], start, count)
        if found is None:
            image, labels = self.pair(content, make)
            found = np.concatenate([image.ravel(), labels.ravel()])[start : start + count]
        return found

    def _read(self, content: str, place: int) -> Pair | None:
        found = self.rows.read(place)
        if found is None:
            return None
        height, width = self.layout.sizes[content]
        middle = height * width * self.layout.channels
        return found[:middle].reshape(height, width, -1), found[middle:].reshape(height, width)

    def _made(self, place: int, make: Callable[[], Pair]) -> Pair:
        pair = make()
        if self.rows.writable:
            self.rows.write(place, as_row(pair))
        return pair


def as_row(pair: Pair) -> Bytes:
    """The bytes of a pair."""
    return np.concatenate([array.ravel() for array in pair])
