"""Which image is held out in which fold."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers
from toolkit.core.folds.group_balancing import balance
from toolkit.core.folds.iterative_stratification import stratify
from toolkit.core.folds.strata import NO_STRATA, Strata, as_labels
from toolkit.core.randomness import generator

TRAIN = -1
"""Instead of a fold: every fold trains on the image, none holds it out."""

HOLDOUT = -2
"""Instead of a fold: no fold trains on the image or is judged on it."""

_PARTS = 5


@dataclass(frozen=True)
class FoldRules:
    """How images are divided.

    Attributes:
        folds_count: from 2 to the number of images that are not in the hold-out, or 1 with a `validation_split`.
        seed: of the experiment.
        validation_split: share of the images that the only fold holds out, above 0 and below 1.
        test_split: share of all images that are the hold-out, from 0 (none) to below 1.
        test_split_seed: of the hold-out, so that experiments with other seeds have the same one.
    """

    folds_count: int
    seed: int
    validation_split: float | None = None
    test_split: float = 0
    test_split_seed: int = 0


def draw_folds(rules: FoldRules, strata: Strata, groups: Integers) -> Integers:
    """Divide images into hold-out and folds.

    Args:
        rules: how.
        strata: what is spread evenly.
        groups: group of each image, `int64 (images,)`, from 0; images of one group stay together.

    Returns:
        fold of each image, 0 … folds_count-1, or TRAIN, or HOLDOUT: `int64 (images,)`.
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

    Single images with a number, or without strata, are dealt out in blocks of `folds_count`, one to each fold, so that
    fold sizes differ by one at most; in the order of the number, so that every fold gets its share of empty images and
    of small and large masks. Labels are spread by iterative stratification, groups by `balance`.

    Args:
        strata: what is spread evenly, of images in the order of the sorted ids.
        groups: group of each image, `int64 (images,)`, from 0; images of one group stay together.
        folds_count: number of folds, from 2 to the number of groups.
        seed: of the experiment.

    Returns:
        fold of each image, `int64 (images,)`, 0 … folds_count-1.
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
    """Draw a share of the images that looks like all of them.

    Single images with a number, or without strata, are drawn at equal distances in its order, so that their count is
    exact; see `assign_folds` for the rest.

    Args:
        strata: what is spread evenly.
        groups: group of each image, `int64 (images,)`, from 0; images of one group stay together.
        share: of the images to be drawn, above 0 and below 1; at least one is drawn, and one left.
        purpose: what for; another purpose draws others.
        seed: equal seeds draw the same.

    Returns:
        `bool (images,)`, true where an image is drawn.
    """
    count = _count_groups(groups)
    if count < 2:
        raise ValueError(f"a part of the images is drawn from two groups or more, received {count}")
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
    """Divide the images of a single fold into parts of about one size, so that some can be judged by the others.

    Args:
        groups: group of each image, `int64 (images,)`, from 0; images of one group stay together.
        seed: of the experiment.

    Returns:
        part of each image, `int64 (images,)`: five of them, or as many as there are groups.
    """
    parts = min(_PARTS, _count_groups(groups))
    return assign_folds(NO_STRATA, groups, parts, seed=seed)


def _count_groups(groups: Integers) -> int:
    return len(np.unique(groups))


def _order(strata: Strata, count: int, random: np.random.Generator) -> Integers:
    """A random order of images, or that of their number with equals in random order."""
    shuffled = random.permutation(count)
    return shuffled if strata.number is None else shuffled[np.argsort(strata.number[shuffled], kind="stable")]


def _shares(strata: Strata, groups: Integers, shares: Floats, random: np.random.Generator) -> Integers:
    """The part of each image where parts are to have these shares of all labels."""
    labels = as_labels(strata)
    if labels is None:
        labels = np.zeros((len(groups), 0), np.bool_)
    if _count_groups(groups) == len(groups):
        return stratify(labels, shares, random)
    numbers = np.unique(groups, return_inverse=True)[1]
    return balance(labels, numbers, shares, random)[numbers]
