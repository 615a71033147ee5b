"""All images that training draws from: those of the folds, and extra ones that every fold trains on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Image, Integers, Labels, Objects
from toolkit.core.folds.assignment import HOLDOUT, TRAIN
from toolkit.core.images.windows import Window, read_mirrored
from toolkit.files.data.sources import Images, LabelledImages
from toolkit.files.inspection.checking import DataIndex


@dataclass(frozen=True)
class Sample:
    """One image of the pool, or what a window shows of it: mirrored pixels where it reaches beyond the image."""

    source: LabelledImages
    image_id: str
    window: Window | None = None

    @property
    def title(self) -> str:
        """For messages."""
        if self.window is None:
            return self.image_id
        return f"{self.image_id} (rows from {self.window.top}, columns from {self.window.left})"

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.image_size if self.window is None else self.window.size

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the whole image."""
        return self.source.images.size(self.image_id)

    def image(self) -> Image:
        """`uint8 (height, width, channels)`."""
        return read_window(self.source.images, self.image_id, self.window)

    def labels(self) -> Labels:
        """`uint8 (height, width)`."""
        if self.window is None:
            return self.source.read_labels(self.image_id)

        def read(inside: Window) -> Labels:
            return self.source.window_labels(self.image_id, inside)

        return read_mirrored(read, self.window, self.image_size)

    def objects(self) -> Objects | None:
        """The objects of the whole image, `int32 (height, width)`, where they are known."""
        return self.source.read_objects(self.image_id)


def read_window(images: Images, image_id: str, window: Window | None) -> Image:
    """What a window shows of an image, `uint8 (height, width, channels)`; all of it if there is none."""
    if window is None:
        return images.read(image_id)

    def read(inside: Window) -> Image:
        return images.window(image_id, inside)

    return read_mirrored(read, window, images.size(image_id))


@dataclass(frozen=True)
class Pool:
    """Samples by position: first those of the folds, in the order of their sorted ids, then the extra ones.

    `coverage` is `float64 (samples,)`, `pixels` of each class are `int64 (samples, classes)`, and `folds` are `int64
    (samples,)`, TRAIN for extra samples, which no fold holds out. `shares` say how often samples are drawn, in
    proportion, `float64 (samples,)`; all alike if None.
    """

    main: LabelledImages
    samples: Sequence[Sample]
    coverage: Floats
    pixels: Integers
    folds: Integers
    shares: Floats | None = None
    positive: npt.NDArray[np.bool_] | None = None

    @property
    def has_foreground(self) -> npt.NDArray[np.bool_]:
        """`bool (samples,)`; what `positive` says, if it is there."""
        return self.coverage > 0 if self.positive is None else self.positive

    def training_positions(self, fold: int) -> Integers:
        """Positions that a fold trains on."""
        return np.flatnonzero((self.folds != fold) & (self.folds != HOLDOUT))

    def validation_positions(self, fold: int) -> Integers:
        """Positions that a fold holds out."""
        return np.flatnonzero(self.folds == fold)


def make_pool(
    main: LabelledImages,
    index: DataIndex,
    folds: Integers,
    extra: Sequence[tuple[LabelledImages, DataIndex]],
    weights: Floats | None = None,
) -> Pool:
    """Put the images of the folds and extra ones together.

    `folds` are in the order of the sorted ids, and so are `weights`, by which images are drawn; extra ones are drawn as
    often as an image of the mean weight.
    """
    parts = [(main, index), *extra]
    count = sum(len(part.ids) for _, part in extra)
    shares = None if weights is None else np.concatenate([weights, np.full(count, weights.mean())])
    return Pool(
        main,
        [Sample(source, image_id) for source, _ in parts for image_id in source.images.ids],
        np.concatenate([part.coverage for _, part in parts]),
        np.concatenate([part.pixels for _, part in parts]),
        np.concatenate([folds, *(np.full(len(part.ids), TRAIN) for _, part in extra)]),
        shares,
        _positive(parts),
    )


def _positive(parts: Sequence[tuple[LabelledImages, DataIndex]]) -> npt.NDArray[np.bool_] | None:
    """Which samples count as having foreground, where any source says that itself."""
    if all(source.positives is None for source, _ in parts):
        return None
    found = []
    for source, index in parts:
        said = source.positives or {}
        covered = zip(index.ids, (index.coverage > 0).tolist(), strict=True)
        found.append(np.array([said.get(image_id, shown) for image_id, shown in covered], np.bool_))
    return np.concatenate(found)
