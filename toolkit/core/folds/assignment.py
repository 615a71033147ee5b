"""Assigning images to folds, a validation part and a hold-out.

The splitters of scikit-learn are not used: for 4000 images in 150 groups, folds of StratifiedGroupKFold differ by 16
images where those of `balance` differ by less than one, and no splitter spreads several labels or draws given shares.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers
from toolkit.core.folds.group_balancing import balance
from toolkit.core.folds.iterative_stratification import stratify
from toolkit.core.folds.strata import NO_STRATA, Strata, as_labels
from toolkit.core.randomness import generator

TRAIN = -1
"""In place of a fold number: every fold trains on the image, none holds it out."""

HOLDOUT = -2
"""In place of a fold number: no fold trains on the image or is scored on it."""

_PARTS = 5


@dataclass(frozen=True)
class FoldRules:
    """How to divide images.

    Attributes:
        folds_count: from 2 to the number of images outside the hold-out, or 1 with a `validation_split`.
        seed: seed of the experiment.
        validation_split: share of the images that the only fold holds out, above 0 and below 1.
        test_split: share of all images in the hold-out, from 0 (none) to below 1.
        test_split_seed: seed of the hold-out, so that experiments with different seeds share it.
    """

    folds_count: int
    seed: int
    validation_split: float | None = None
    test_split: float = 0
    test_split_seed: int = 0


def draw_folds(rules: FoldRules, strata: Strata, groups: Integers) -> Integers:
    """Divide images into a hold-out and folds.

    Args:
        rules: how to divide them.
        strata: properties to spread evenly.
        groups: group of each image, `int64 (images,)`, from 0; images of one group stay together.

    Returns:
        The fold of each image, `int64 (images,)`: 0 … folds_count-1, TRAIN, or HOLDOUT.
    """
    folds = np.full(len(groups), TRAIN)
    if rules.test_split:
        chosen = draw_part(strata, groups, rules.test_split, "hold-out", rules.test_split_seed)
        folds[chosen] = HOLDOUT
    rest = np.flatnonzero(folds != HOLDOUT)
    strata, groups = strata.of(rest), groups[rest]
    if rules.validation_split is None:
        folds[rest] = assign_folds(strata, groups, rules.folds_count, seed=rules.seed)
    else:
        folds[rest[draw_part(strata, groups, rules.validation_split, "validation part", rules.seed)]] = 0
    return folds


def assign_folds(strata: Strata, groups: Integers, folds_count: int, *, seed: int) -> Integers:
    """Assign each image to the fold that holds it out.

    Without groups and labels, images are dealt out in blocks of `folds_count`, one image of a block to each fold, so
    that fold sizes differ by one at most. With a number as stratum, they are dealt in its order, so that every fold
    gets its share of empty images and of small and large masks. Labels are spread by iterative stratification, groups
    by `balance`.

    Args:
        strata: properties to spread evenly, for images in the order of their sorted ids.
        groups: group of each image, `int64 (images,)`, from 0; images of one group stay together.
        folds_count: number of folds, from 2 to the number of groups.
        seed: seed of the experiment.

    Returns:
        The fold of each image, `int64 (images,)`, 0 … folds_count-1.

    Raises:
        ValueError: `folds_count` is out of range.
    """
    count = _count_groups(groups)
    if not 2 <= folds_count <= count:
        what = "images" if count == len(groups) else "groups"
        raise ValueError(f"folds_count must be from 2 to the number of {what} ({count}), received {folds_count}")
    random = generator("folds", seed)
    if strata.labels is not None or count < len(groups):
        return _shares(strata, groups, np.full(folds_count, 1 / folds_count), random)
    order = _order(strata, len(groups), random)
    blocks = -(-count // folds_count)
    dealt = np.concatenate([random.permutation(folds_count) for _ in range(blocks)])[:count]
    folds = np.empty(count, np.int64)
    folds[order] = dealt
    return folds


def draw_part(strata: Strata, groups: Integers, share: float, purpose: str, seed: int) -> npt.NDArray[np.bool_]:
    """Draw a representative share of the images.

    Without groups and labels, images are drawn at equal distances in the order of their number, so that the count is
    exact; otherwise see `assign_folds`.

    Args:
        strata: properties to spread evenly.
        groups: group of each image, `int64 (images,)`, from 0; images of one group stay together.
        share: share of the images to draw, above 0 and below 1; at least one is drawn and at least one is left.
        purpose: name of the draw; different purposes draw independently.
        seed: equal seeds draw the same images.

    Returns:
        `bool (images,)`, True for images drawn.

    Raises:
        ValueError: there are fewer than two groups.
    """
    count = _count_groups(groups)
    if count < 2:
        raise ValueError(f"drawing a share of the images needs at least two groups, received {count}")
    random = generator(purpose, seed)
    if strata.labels is not None or count < len(groups):
        found: npt.NDArray[np.bool_] = _shares(strata, groups, np.array([share, 1 - share]), random) == 0
        return found
    wanted = min(max(round(share * count), 1), count - 1)
    marks = (np.arange(count + 1) * wanted + random.integers(count)) // count
    drawn = np.empty(count, np.bool_)
    drawn[_order(strata, count, random)] = np.diff(marks) > 0
    return drawn


def random_parts(groups: Integers, seed: int) -> Integers:
    """Divide the images of a single fold into about equal parts, so that choices made on some can be scored on others.

    Args:
        groups: group of each image, `int64 (images,)`, from 0; images of one group stay together.
        seed: seed of the experiment.

    Returns:
        The part of each image, `int64 (images,)`: five parts, or fewer if there are fewer groups.
    """
    parts = min(_PARTS, _count_groups(groups))
    return assign_folds(NO_STRATA, groups, parts, seed=seed)


def _count_groups(groups: Integers) -> int:
    return len(np.unique(groups))


def _order(strata: Strata, count: int, random: np.random.Generator) -> Integers:
    """The images in the order of their number, with equals in random order; without numbers, in random order."""
    shuffled = random.permutation(count)
    return shuffled if strata.number is None else shuffled[np.argsort(strata.number[shuffled], kind="stable")]


def _shares(strata: Strata, groups: Integers, shares: Floats, random: np.random.Generator) -> Integers:
    """The part of each image if parts get these shares of the images and of each label."""
    labels = as_labels(strata)
    if labels is None:
        labels = np.zeros((len(groups), 0), np.bool_)
    if _count_groups(groups) == len(groups):
        return stratify(labels, shares, random)
    numbers = np.unique(groups, return_inverse=True)[1]
    return balance(labels, numbers, shares, random)[numbers]
