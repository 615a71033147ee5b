"""Strata, which are spread evenly over folds, and groups of images, which stay together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers

StratumMatrix = npt.NDArray[np.bool_]
"""`bool (images, labels)`: the labels of each image: none, one or several."""

_FEW_NUMBERS = 10
_BINS = 4


@dataclass(frozen=True, eq=False)
class Strata:
    """A number or labels of each image, spread evenly over the folds; neither if both are None.

    Attributes:
        number: `float64 (images,)`, minus infinity for images without a number; images are dealt out in its order.
        labels: `bool (images, labels)`; every fold gets its share of each label.
    """

    number: Floats | None = None
    labels: StratumMatrix | None = None

    def of(self, positions: Integers) -> "Strata":
        """The strata of the images at these positions."""
        return Strata(
            None if self.number is None else self.number[positions],
            None if self.labels is None else self.labels[positions],
        )


NO_STRATA = Strata()


def together(strata: Sequence[Strata]) -> Strata:
    """Combine several strata; numbers are binned unless a number is the only stratum."""
    if len(strata) < 2:
        return strata[0] if strata else NO_STRATA
    labels = [found for each in strata if (found := as_labels(each)) is not None]
    return Strata(labels=np.concatenate(labels, axis=1)) if labels else NO_STRATA


def as_labels(strata: Strata) -> StratumMatrix | None:
    """Strata as labels; a number becomes four bins of about equally many images, plus one for images without it."""
    number = strata.number
    if number is None:
        return strata.labels
    known = np.isfinite(number)
    inner = np.quantile(number[known], np.arange(1, _BINS) / _BINS) if known.any() else np.zeros(0)
    return _one_of(np.where(known, 1 + np.searchsorted(np.unique(inner), number), 0))


def by_coverage(coverage: Floats) -> Strata:
    """Strata by the foreground share of each image, `float64 (images,)`, 0–1; empty images are separate."""
    return Strata(number=np.where(coverage > 0, coverage, -np.inf))


def by_column(values: Sequence[str]) -> Strata:
    """Strata by a column of a table: a number if it has more than ten different numbers; else each value is a label.

    Empty cells have no number, or are a label of their own.
    """
    texts = np.array([value.strip() for value in values], object)
    empty = texts == ""
    try:
        numbers = np.where(empty, "-inf", texts).astype(np.float64)
    except ValueError:
        numbers = np.zeros(0)
    if len(np.unique(numbers[np.isfinite(numbers)])) > _FEW_NUMBERS:
        return Strata(number=np.where(np.isfinite(numbers), numbers, -np.inf))
    return Strata(labels=_one_of(np.unique(texts.astype(str), return_inverse=True)[1]))


def united(kinds: Sequence[Integers]) -> Integers:
    """Unite several kinds of groups: images that share a group of any kind, directly or through others, are united.

    Args:
        kinds: for each kind, the group of every image, `int64 (images,)`, from 0.

    Returns:
        The group of each image, `int64 (images,)`, numbered in the order of the first images.
    """
    groups = np.arange(len(kinds[0]))
    while True:
        before = groups
        for kind in kinds:
            lowest = np.full(int(kind.max()) + 1, len(kind))
            np.minimum.at(lowest, kind, groups)
            groups = lowest[kind]
        if (groups == before).all():
            return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def groups_of_names(names: Sequence[str]) -> Integers:
    """The group number of each image from the name of its group, `int64 (images,)`."""
    return np.unique(np.asarray(names, object).astype(str), return_inverse=True)[1].astype(np.int64)


def groups_of_positions(count: int, groups: Sequence[Sequence[int]]) -> Integers:
    """The group of each of `count` images, `int64 (count,)`; `groups` lists positions, other images are alone."""
    found = np.arange(count)
    for group in groups:
        found[list(group)] = group[0]
    return found


def _one_of(codes: Integers) -> StratumMatrix:
    found: StratumMatrix = codes[:, None] == np.unique(codes)
    return found
