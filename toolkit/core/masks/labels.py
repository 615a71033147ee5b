"""Label maps: one number a pixel for its class, and one plane a class where networks and metrics want them."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Labels
from toolkit.core.images.chunks import chunks, count_values

Activation = Literal["sigmoid", "softmax"]

IGNORE = 255
"""The label of pixels that neither loss nor metric looks at."""


BITS = 7
"""How many independent classes may share pixels; 255 is none of their labels."""


class OverlapError(ValueError):
    """Masks of classes that share pixels where they must not."""


class UnknownValuesError(ValueError):
    """Pixel values of a mask that belong to no class; `values` are those, where they are whole numbers from 0."""

    def __init__(self, message: str, values: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.values = values


@dataclass(frozen=True)
class Classes:
    """The classes of a task and how mask files code them.

    `values` are the pixel values of each class; None for a single class that every value above 0 belongs to. `ignore`
    are the values of ignored pixels, `others` those of classes that the task leaves out (background). Of
    independent classes, 0 is background if it is no class's value; of a single class with given values, every other
    value is.
    """

    names: tuple[str, ...] = ("foreground",)
    activation: Activation = "sigmoid"
    values: tuple[tuple[int, ...], ...] | None = None
    ignore: tuple[int, ...] = ()
    others: tuple[int, ...] = field(default=(), repr=False)  # what is left out changes no label

    @property
    def count(self) -> int:
        """Number of classes, of planes, of channels that the network gives."""
        return len(self.names)

    def labels(self, raw: npt.NDArray[Any]) -> Labels:
        """Labels of the pixel values of a mask file, whole numbers of (height, width).

        Raises:
            UnknownValuesError: values that are neither a class nor background nor void.
        """
        if raw.dtype.kind not in "bui" or raw.min(initial=0) < 0:
            raise UnknownValuesError(f"pixels of type {raw.dtype}, or negative ones; expected whole numbers from 0")
        if self.values is None:
            labels: Labels = np.not_equal(raw, 0).view(np.uint8)
            for value in self.ignore:
                labels[raw == value] = IGNORE
            return labels
        table = self._table(self.values)
        found, unknown = np.empty(raw.shape, np.uint8), set[int]()
        for chunk in chunks(raw.shape):
            values = raw[chunk].view(np.uint8) if raw.dtype == np.bool_ else raw[chunk]
            # What lies beyond the largest value of any class is no other than the next one.
            last = values.dtype.type(min(len(table) - 1, np.iinfo(values.dtype).max))
            part = table[np.minimum(values, last)]
            if part.min(initial=0) < 0:
                unknown |= set(np.unique(values[part < 0]).tolist())
            found[chunk] = part
        if unknown:
            first = ", ".join(map(str, sorted(unknown)[:10]))
            raise UnknownValuesError(
                f"pixel values that no class has: {first}{', …' * (len(unknown) > 10)}; expected {self.describe()}",
                tuple(sorted(unknown)),
            )
        return found

    def _table(self, values_of: tuple[tuple[int, ...], ...]) -> npt.NDArray[np.int16]:
        """The label of each pixel value up to the largest one of a class, and of all beyond that; -1 for none."""
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
        """Labels of the masks of the classes, with softmax without the background.

        Args:
            masks: `bool (height, width, classes)`, or `uint8` with 0, 1 and, in a void pixel, `IGNORE`.

        Raises:
            OverlapError: classes share pixels that must not: exclusive ones, or of more than `BITS`.
            UnknownValuesError: there are not as many masks as classes.
        """
        counts = {self.count, self.count - (self.activation == "softmax")}
        if masks.shape[2] not in counts:
            expected = " or ".join(map(str, sorted(counts)))
            raise UnknownValuesError(f"{masks.shape[2]} planes; expected {expected}, one for each class")
        ignored = (masks == IGNORE).any(axis=2) if masks.dtype == np.uint8 else None
        masks = masks == 1
        labels = _class_labels(self.count, self.activation)[-masks.shape[2] :]
        if self.activation == "softmax" or self.count > BITS:
            shared = masks.sum(axis=2, dtype=np.uint8) > 1
            if shared.any():
                first, second, *_ = np.flatnonzero(masks[shared][0])
                names = self.names[-masks.shape[2] :]
                who = "exclusive ones" if self.activation == "softmax" else f"more than {BITS}"
                raise OverlapError(f"the masks of {names[first]} and {names[second]} share pixels; {who} cannot")
        united: Labels = (masks * labels).sum(axis=2, dtype=np.uint8)
        if ignored is not None:
            united[ignored] = IGNORE
        return united

    def planes(self, labels: Labels) -> npt.NDArray[np.uint8]:
        """One plane a class, `uint8 (height, width, classes)`; see `planes`."""
        return planes(labels, self.count, self.activation)

    def describe(self) -> str:
        """Which pixel values mean what."""
        if self.values is None:
            return f"{self.names[0]}: every value above 0"
        classes = [f"{name}: {_listed(values)}" for name, values in zip(self.names, self.values, strict=True)]
        return ", ".join(classes + ([f"ignored: {_listed(self.ignore)}"] if self.ignore else []))


BINARY = Classes()
"""Foreground against background, coded as everything above 0."""


def planes(labels: Labels, classes: int, activation: Activation) -> npt.NDArray[np.uint8]:
    """One plane a class, `uint8 (height, width, classes)`: 1 where the pixel is of it, 0 elsewhere, or IGNORE."""
    values = _class_labels(classes, activation)
    if activation == "sigmoid" and classes <= BITS:
        result: npt.NDArray[np.uint8] = ((labels[..., None] & values) != 0).view(np.uint8)
    else:
        result = (labels[..., None] == values).view(np.uint8)
    result[labels == IGNORE] = IGNORE
    return result


def label_count(classes: int, activation: Activation) -> int:
    """How many labels there are besides `IGNORE`: 0, 1, … up to one less than this."""
    if activation == "softmax":
        return classes
    return 2**classes if classes <= BITS else classes + 1


def has_foreground(labels: Labels) -> bool:
    """Whether any pixel is neither background nor void."""
    return bool(((labels > 0) & (labels != IGNORE)).any())


def pixel_counts(labels: Labels, classes: int, activation: Activation) -> npt.NDArray[np.int64]:
    """Pixels of each class, `int64 (classes,)`; ignored ones are not counted."""
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
