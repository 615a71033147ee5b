"""What every fold is to have its share of, and which images belong together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers

StratumMatrix = npt.NDArray[np.bool_]
"""`bool (images, labels)`: which of them each image has: none, one or several."""

_FEW_NUMBERS = 10
_BINS = 4


@dataclass(frozen=True, eq=False)
class Strata:
    """What is spread evenly over the folds; nothing if both are None.

    Attributes:
        number: of each image, `float64 (images,)`, minus infinity where it has none: images are dealt in its order.
        labels: `bool (images, labels)`: every fold gets its share of each.
    """

    number: Floats | None = None
    labels: StratumMatrix | None = None

    def of(self, positions: Integers) -> "Strata":
        """Those of some images."""
        return Strata(
            None if self.number is None else self.number[positions],
            None if self.labels is None else self.labels[positions],
        )


NO_STRATA = Strata()


def together(strata: Sequence[Strata]) -> Strata:
    """All of several strata at once; a number is followed exactly only where it is the only one, else it is binned."""
    if len(strata) < 2:
        return strata[0] if strata else NO_STRATA
    labels = [found for each in strata if (found := as_labels(each)) is not None]
    return Strata(labels=np.concatenate(labels, axis=1)) if labels else NO_STRATA


def as_labels(strata: Strata) -> StratumMatrix | None:
    """Strata as labels; a number becomes four bins of about as many images, and one of those that have none."""
    number = strata.number
    if number is None:
        return strata.labels
    known = np.isfinite(number)
    inner = np.quantile(number[known], np.arange(1, _BINS) / _BINS) if known.any() else np.zeros(0)
    return _one_of(np.where(known, 1 + np.searchsorted(np.unique(inner), number), 0))


def by_coverage(coverage: Floats) -> Strata:
    """By the foreground share of each image, `float64 (images,)`, 0–1; empty images apart."""
    return Strata(number=np.where(coverage > 0, coverage, -np.inf))


def by_column(values: Sequence[str]) -> Strata:
    """By a column of a table: numbers if there are more than ten different ones, else each value is a label.

    Empty cells are a label too, or have no number.
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
    """Groups of images that belong together in any way, numbered in the order of their first image.

    Args:
        kinds: each says the group of every image in one way, `int64 (images,)`, from 0.

    Returns:
        the group of each image, `int64 (images,)`: images that share a group of any kind, or are joined by others that
        do, have the same.
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
    """The group of each image by its name, `int64 (images,)`."""
    return np.unique(np.asarray(names, object).astype(str), return_inverse=True)[1].astype(np.int64)


def groups_of_positions(count: int, groups: Sequence[Sequence[int]]) -> Integers:
    """The group of each of so many images, `int64 (count,)`, from the positions of those that are not alone."""
    found = np.arange(count)
    for group in groups:
        found[list(group)] = group[0]
    return found


def _one_of(codes: Integers) -> StratumMatrix:
    found: StratumMatrix = codes[:, None] == np.unique(codes)
    return found
