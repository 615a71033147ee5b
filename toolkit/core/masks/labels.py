"""Label maps: a number for each pixel, and one plane for each class where networks and metrics need planes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Labels, Planes
from toolkit.core.images.chunks import chunks, count_values
from toolkit.errors import listing

Activation = Literal["sigmoid", "softmax"]

IGNORE = 255
"""The label of ignored pixels, which count in neither losses nor metrics."""

BITS = 7
"""The most independent classes that may share pixels; their labels stay below 255."""


class OverlapError(ValueError):
    """Masks of classes share pixels although the classes cannot."""


class UnknownValuesError(ValueError):
    """Pixel values of a mask belong to no class; `values` lists them if they are whole numbers of at least 0.

    `advice` says what to do about it.
    """

    def __init__(self, message: str, values: tuple[int, ...] = (), advice: str = "") -> None:
        super().__init__(message)
        self.values = values
        self.advice = advice


@dataclass(frozen=True)
class Classes:
    """The classes of a task and how mask files code them.

    Attributes:
        names: names of the classes.
        activation: `softmax` for exclusive classes, `sigmoid` for independent ones.
        values: the pixel values of each class; None for a single class with all values above 0. For independent
            classes, 0 is background unless a class has it. For a single class, all values not listed are background.
        ignore: the values of ignored pixels.
        others: the values of classes that the task leaves out; they become background.
    """

    names: tuple[str, ...] = ("foreground",)
    activation: Activation = "sigmoid"
    values: tuple[tuple[int, ...], ...] | None = None
    ignore: tuple[int, ...] = ()
    others: tuple[int, ...] = field(default=(), repr=False)  # they do not change labels, so they stay out of digests

    @property
    def count(self) -> int:
        """Number of classes, which is the number of planes and of output channels of the network."""
        return len(self.names)

    def labels(self, raw: npt.NDArray[Any]) -> Labels:
        """Turn the pixel values of a mask file, whole numbers (height, width), into labels.

        Raises:
            UnknownValuesError: some values are neither a class nor background nor ignored.
        """
        check_whole_numbers(raw)
        if self.values is None:
            labels: Labels = np.not_equal(raw, 0).view(np.uint8)
            for value in self.ignore:
                labels[raw == value] = IGNORE
            return labels
        table = self._table(self.values)
        found, unknown = np.empty(raw.shape, np.uint8), set[int]()
        for chunk in chunks(raw.shape):
            values = raw[chunk].view(np.uint8) if raw.dtype == np.bool_ else raw[chunk]
            # Values beyond the largest one of any class are treated like the next one.
            last = values.dtype.type(min(len(table) - 1, np.iinfo(values.dtype).max))
            labels_of_chunk = table[np.minimum(values, last)]
            if labels_of_chunk.min(initial=0) < 0:
                unknown |= set(np.unique(values[labels_of_chunk < 0]).tolist())
            found[chunk] = labels_of_chunk
        if unknown:
            raise UnknownValuesError(
                f"pixel values that no class has: {listing(sorted(unknown), 10)}; expected {self.describe()}",
                tuple(sorted(unknown)),
            )
        return found

    def _table(self, values_of: tuple[tuple[int, ...], ...]) -> npt.NDArray[np.int16]:
        """The label of each pixel value, the last entry for all larger values; -1 for unknown values."""
        largest = max(value for values in (*values_of, self.ignore, self.others, (0,)) for value in values)
        table = np.full(largest + 2, -1, np.int16)
        if self.count == 1:
            table[:] = 0
        elif self.activation == "sigmoid":
            table[0] = 0
        table[list(self.others)] = 0
        for label, values in zip(_class_labels(self.count, self.activation).tolist(), values_of, strict=True):
            table[list(values)] = label
        table[list(self.ignore)] = IGNORE
        return table

    def labels_of_planes(self, masks: npt.NDArray[Any]) -> Labels:
        """Turn one mask for each class into labels; with softmax, the mask of the background may be left out.

        Args:
            masks: `bool (height, width, classes)`, or `uint8` with 0, 1 and, in ignored pixels, `IGNORE`.

        Raises:
            OverlapError: classes share pixels although they are exclusive, or more than `BITS`.
            UnknownValuesError: the number of masks is not the number of classes.
        """
        counts = {self.count, self.count - (self.activation == "softmax")}
        if masks.shape[2] not in counts:
            expected = " or ".join(map(str, sorted(counts)))
            raise UnknownValuesError(f"{masks.shape[2]} planes; expected {expected}: one for each class")
        ignored = (masks == IGNORE).any(axis=2) if masks.dtype == np.uint8 else None
        masks = masks == 1
        labels = _class_labels(self.count, self.activation)[-masks.shape[2] :]
        if self.activation == "softmax" or self.count > BITS:
            shared = masks.sum(axis=2, dtype=np.uint8) > 1
            if shared.any():
                first, second, *_ = np.flatnonzero(masks[shared][0])
                names = self.names[-masks.shape[2] :]
                which = "exclusive classes" if self.activation == "softmax" else f"more than {BITS} classes"
                raise OverlapError(f"the masks of {names[first]} and {names[second]} share pixels; {which} cannot")
        united: Labels = (masks * labels).sum(axis=2, dtype=np.uint8)
        if ignored is not None:
            united[ignored] = IGNORE
        return united

    def planes(self, labels: Labels) -> npt.NDArray[np.uint8]:
        """One plane for each class, `uint8 (height, width, classes)`; see `planes`."""
        return planes(labels, self.count, self.activation)

    def describe(self) -> str:
        """The meaning of the pixel values, in words."""
        if self.values is None:
            return f"{self.names[0]}: every value above 0"
        classes = [f"{name}: {_listed(values)}" for name, values in zip(self.names, self.values, strict=True)]
        return ", ".join(classes + ([f"ignored: {_listed(self.ignore)}"] if self.ignore else []))


BINARY = Classes()
"""A single class, coded by all values above 0."""


def check_whole_numbers(values: npt.NDArray[Any]) -> None:
    """Check that pixel values are bool or integers of at least 0.

    Raises:
        UnknownValuesError: they are not.
    """
    if values.dtype.kind not in "bui" or values.min(initial=0) < 0:
        found = f"pixels of type {values.dtype}, or negative values"
        raise UnknownValuesError(f"{found}; expected whole numbers of at least 0")


def planes(labels: Labels, classes: int, activation: Activation) -> npt.NDArray[np.uint8]:
    """One plane for each class, `uint8 (height, width, classes)`: 1 inside, 0 outside, `IGNORE` in ignored pixels."""
    values = _class_labels(classes, activation)
    if activation == "sigmoid" and classes <= BITS:
        result: npt.NDArray[np.uint8] = ((labels[..., None] & values) != 0).view(np.uint8)
    else:
        result = (labels[..., None] == values).view(np.uint8)
    result[labels == IGNORE] = IGNORE
    return result


def labels_of_masks(masks: Planes, activation: Activation) -> Labels:
    """The labels of masks, `bool (height, width, classes)`, without ignored pixels; undoes `planes`.

    Where masks share a pixel that only one label can have, the last class has it; with softmax, a pixel of no class is
    background.
    """
    values = _class_labels(masks.shape[2], activation)
    if activation == "sigmoid" and masks.shape[2] <= BITS:
        united: Labels = (masks * values).sum(axis=2, dtype=np.uint8)
        return united
    highest: Labels = np.max(masks * values, axis=2).astype(np.uint8)
    return highest


def label_count(classes: int, activation: Activation) -> int:
    """The number of labels besides `IGNORE`; they are 0, 1, … up to one less."""
    if activation == "softmax":
        return classes
    return 2**classes if classes <= BITS else classes + 1


_MOSTLY = 0.5
_OF_IMAGES = 2 / 3


def covers_most(shares: Sequence[float] | npt.NDArray[np.float64]) -> bool:
    """Whether foreground covers most of most images, by its share of each: it is often the background then."""
    covered = np.asarray(shares, np.float64)
    return bool(len(covered) and covered.mean() > _MOSTLY and (covered > _MOSTLY).mean() > _OF_IMAGES)


def has_foreground(labels: Labels) -> bool:
    """Whether any pixel is neither background nor ignored."""
    return bool(((labels > 0) & (labels != IGNORE)).any())


def pixel_counts(labels: Labels, classes: int, activation: Activation) -> npt.NDArray[np.int64]:
    """Pixels of each class, `int64 (classes,)`, without ignored ones."""
    counts: npt.NDArray[np.int64] = count_values(labels, 256)
    every = np.arange(label_count(classes, activation), dtype=np.uint8)
    return counts[: len(every)] @ planes(every, classes, activation).astype(np.int64)


def _class_labels(classes: int, activation: Activation) -> npt.NDArray[np.uint8]:
    """The label of each class, `uint8 (classes,)`."""
    if activation == "softmax":
        return np.arange(classes, dtype=np.uint8)
    numbers = np.arange(classes, dtype=np.uint8)
    return np.uint8(1) << numbers if classes <= BITS else numbers + np.uint8(1)


def _listed(values: tuple[int, ...]) -> str:
    return " or ".join(map(str, values))
