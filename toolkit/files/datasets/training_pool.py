"""All images that training draws from: those of the folds, and extra images that every fold trains on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Image, Integers, Labels, Objects
from toolkit.core.folds.assignment import HOLDOUT, TRAIN
from toolkit.core.images.windows import Window, read_mirrored
from toolkit.errors import DataError
from toolkit.files.data.neighbours import is_left_out
from toolkit.files.data.sources import Images, LabelledImages
from toolkit.files.disk.digests import digest
from toolkit.files.inspection.checking import DataIndex

if TYPE_CHECKING:
    from toolkit.files.datasets.pseudo.pseudo_pool import PseudoPools

_LEAVE = "Run the command again, and do not change images or masks while it runs."


@dataclass(frozen=True)
class Known:
    """What the check of the data has found about an image.

    `content` is a digest of what the image and its labels are made from, and of how they are read; `size` is
    (height, width).
    """

    content: str
    size: tuple[int, int]


@dataclass(frozen=True)
class Sample:
    """One image of the pool, or a window of it; pixels of the window beyond the image are mirrored.

    `known` is None if the data were not checked. `trains` says whether it is trained on: images at the edge of a volume
    may be left out.
    """

    source: LabelledImages
    image_id: str
    window: Window | None = None
    known: Known | None = None
    trains: bool = True

    @property
    def title(self) -> str:
        """The id and, if there is one, the window, for messages."""
        if self.window is None:
            return self.image_id
        return f"{self.image_id} (rows from {self.window.top}, columns from {self.window.left})"

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the sample."""
        return self.image_size if self.window is None else self.window.size

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the whole image."""
        return self.source.images.size(self.image_id) if self.known is None else self.known.size

    def image(self) -> Image:
        """The pixels, `uint8 (height, width, channels)`; raises UnreadableImageError."""
        return read_window(self.source.images, self.image_id, self.window)

    def labels(self) -> Labels:
        """The class of each pixel, `uint8 (height, width)`; raises DataError."""
        if self.window is None:
            return self.source.read_labels(self.image_id)

        def read(inside: Window) -> Labels:
            return self.source.window_labels(self.image_id, inside)

        return read_mirrored(read, self.window, self.image_size)

    def refuse_changed(self) -> None:
        """Check that image and mask are made from what the check of the data has seen; it reads their files.

        Raises:
            DataError: they have changed since, or can no longer be read.
        """
        if self.known is None:
            return
        try:
            found = digest(self.source.images.content(self.image_id), self.source.masks.content(self.image_id))
        except OSError as error:
            raise DataError(f"{self.image_id}: the image or its mask cannot be read again: {error}", _LEAVE) from error
        if _content(found, self.source) != self.known.content:
            raise DataError(f"{self.image_id}: the image or its mask has changed since it was checked", _LEAVE)

    def objects(self) -> Objects | None:
        """The objects of the whole image, `int32 (height, width)` numbered from 1, or None if they are unknown."""
        return self.source.read_objects(self.image_id)


def read_window(images: Images, image_id: str, window: Window | None) -> Image:
    """A window of an image, `uint8 (height, width, channels)`, mirrored beyond the image; the whole image if None."""
    if window is None:
        return images.read(image_id)

    def read(inside: Window) -> Image:
        return images.window(image_id, inside)

    return read_mirrored(read, window, images.size(image_id))


@dataclass(frozen=True)
class Pool:
    """Samples by position: first those of the folds in the order of their sorted ids, then the extra ones.

    Attributes:
        main: the images that are divided into folds.
        samples: all samples.
        coverage: the foreground share of each sample, `float64 (samples,)`, 0–1.
        pixels: the pixels of each class, `int64 (samples, classes)`.
        folds: the fold that holds each sample out, `int64 (samples,)`; TRAIN for extra samples.
        shares: how often each sample is drawn, relative to the others, `float64 (samples,)`; equally often if None.
        positive: whether each sample counts as having foreground, `bool (samples,)`; if None, by its coverage.
        groups: the number of the group of each image of `main`, `int64 (images,)`; None if images are not grouped.
        pseudo: further images with the labels of networks, by the name of the teacher and the fold that may learn from
            them; see `toolkit.files.datasets.pseudo`.
    """

    main: LabelledImages
    samples: Sequence[Sample]
    coverage: Floats
    pixels: Integers
    folds: Integers
    shares: Floats | None = None
    positive: npt.NDArray[np.bool_] | None = None
    groups: Integers | None = None
    pseudo: "PseudoPools" = field(default_factory=dict)

    @property
    def has_foreground(self) -> npt.NDArray[np.bool_]:
        """Whether each sample counts as having foreground, `bool (samples,)`."""
        return self.coverage > 0 if self.positive is None else self.positive

    def training_positions(self, fold: int) -> Integers:
        """The positions of the samples that a fold trains on, `int64 (count,)`."""
        trains = np.array([sample.trains for sample in self.samples], np.bool_)
        return np.flatnonzero((self.folds != fold) & (self.folds != HOLDOUT) & trains)

    def validation_positions(self, fold: int) -> Integers:
        """The positions of the samples that a fold holds out, `int64 (count,)`."""
        return np.flatnonzero(self.folds == fold)


def make_pool(
    main: LabelledImages,
    index: DataIndex,
    folds: Integers,
    extra: Sequence[tuple[LabelledImages, DataIndex]],
    weights: Floats | None = None,
) -> Pool:
    """Combine the images of the folds and the extra images.

    Args:
        main: the images of the folds.
        index: of `main`.
        folds: of `main`, `int64 (images,)`, in the order of the sorted ids.
        extra: extra images, each with its index.
        weights: how often the images of `main` are drawn, `float64 (images,)`; extra images are drawn as often as an
            image of the mean weight.
    """
    parts = [(main, index), *extra]
    count = sum(len(part.ids) for _, part in extra)
    shares = None if weights is None else np.concatenate([weights, np.full(count, weights.mean())])
    return Pool(
        main,
        [
            Sample(
                source,
                one.image_id,
                known=Known(_content(one.content, source), one.size),
                trains=not is_left_out(source.images, one.image_id),
            )
            for source, found in parts
            for one in found.facts
        ],
        np.concatenate([part.coverage for _, part in parts]),
        np.concatenate([part.pixels for _, part in parts]),
        np.concatenate([folds, *(np.full(len(part.ids), TRAIN) for _, part in extra)]),
        shares,
        _positive(parts),
    )


def _positive(parts: Sequence[tuple[LabelledImages, DataIndex]]) -> npt.NDArray[np.bool_] | None:
    """Which samples count as having foreground; None if no source defines it."""
    if all(source.positives is None for source, _ in parts):
        return None
    found = []
    for source, index in parts:
        said = source.positives or {}
        covered = zip(index.ids, (index.coverage > 0).tolist(), strict=True)
        found.append(np.array([said.get(image_id, shown) for image_id, shown in covered], np.bool_))
    return np.concatenate(found)


def _content(found: str, source: LabelledImages) -> str:
    """The digest of an image, its mask and how they are read, from that of their files."""
    return digest(f"{found} {source.classes}".encode())
