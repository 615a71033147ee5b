"""Label maps: one number a pixel for its class, and one plane a class where networks and metrics want them."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.uint8]
"""`uint8 (height, width)`: the class of each pixel, or `VOID`.

With exclusive classes (softmax) 0 … classes-1, where 0 is what counts as background; with independent ones (sigmoid) 0
is background and k is class k-1, so that a single class has the labels 0 and 1.
"""

Activation = Literal["sigmoid", "softmax"]

VOID = 255
"""The label of pixels that neither loss nor metric looks at."""


class UnknownValuesError(ValueError):
    """Pixel values of a mask that belong to no class."""


@dataclass(frozen=True)
class Classes:
    """The classes of a task and how mask files code them.

    `values` are the pixel values of each class; None for a single class that every value above 0 belongs to. `ignore`
    are the values of void pixels. Of independent classes, 0 is background if it is no class's value; of a single class
    with given values, every other value is.
    """

    names: tuple[str, ...] = ("foreground",)
    activation: Activation = "sigmoid"
    values: tuple[tuple[int, ...], ...] | None = None
    ignore: tuple[int, ...] = ()

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
            labels: Labels = np.not_equal(raw, 0).astype(np.uint8)
            if self.ignore:
                labels[np.isin(raw, self.ignore)] = VOID
            return labels
        raw = raw.astype(np.int64)
        largest = max(int(raw.max(initial=0)), *self.ignore, *(value for values in self.values for value in values))
        table = np.full(largest + 1, -1, np.int16)
        if self.count == 1:
            table[:] = 0
        elif self.activation == "sigmoid":
            table[0] = 0
        first = 0 if self.activation == "softmax" else 1
        for number, values in enumerate(self.values):
            table[list(values)] = first + number
        table[list(self.ignore)] = VOID
        found = table[raw]
        if found.min(initial=0) < 0:
            unknown = np.unique(raw[found < 0])
            raise UnknownValuesError(
                f"pixel values that no class has: {', '.join(map(str, unknown[:10]))}{', …' * (len(unknown) > 10)}; "
                f"expected {self.describe()}"
            )
        known: Labels = found.astype(np.uint8)
        return known

    def planes(self, labels: Labels) -> npt.NDArray[np.uint8]:
        """One plane a class, `uint8 (height, width, classes)`; see `planes`."""
        return planes(labels, self.count, self.activation)

    def describe(self) -> str:
        """Which pixel values mean what."""
        if self.values is None:
            return f"{self.names[0]}: every value above 0"
        classes = [f"{name}: {_listed(values)}" for name, values in zip(self.names, self.values, strict=True)]
        return ", ".join(classes + ([f"void: {_listed(self.ignore)}"] if self.ignore else []))


BINARY = Classes()
"""Foreground against background, coded as everything above 0."""


def planes(labels: Labels, classes: int, activation: Activation) -> npt.NDArray[np.uint8]:
    """One plane a class, `uint8 (height, width, classes)`: 1 where the pixel is of it, 0 elsewhere, VOID where void."""
    first = 0 if activation == "softmax" else 1
    numbers = np.arange(first, first + classes, dtype=np.uint8)
    result: npt.NDArray[np.uint8] = (labels[..., None] == numbers).astype(np.uint8)
    result[labels == VOID] = VOID
    return result


def has_foreground(labels: Labels) -> bool:
    """Whether any pixel is neither background nor void."""
    return bool(((labels > 0) & (labels != VOID)).any())


def pixel_counts(labels: Labels, classes: int, activation: Activation) -> npt.NDArray[np.int64]:
    """Pixels of each class, `int64 (classes,)`; void ones are not counted."""
    counts: npt.NDArray[np.int64] = np.bincount(labels.ravel(), minlength=256).astype(np.int64)
    first = 0 if activation == "softmax" else 1
    return counts[first : first + classes]


def _listed(values: tuple[int, ...]) -> str:
    return " or ".join(map(str, values))
