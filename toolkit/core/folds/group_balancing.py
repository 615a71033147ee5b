"""Dividing groups that cannot be split into parts of the right sizes, each with its share of all labels."""

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.folds.strata import StratumMatrix

_FEW = _CHANGES = 200
_PARTNERS = 50
_STARTS = 10
_DIGITS = 9
_LEAST = 1e-8


def balance(labels: StratumMatrix, groups: Integers, shares: Floats, random: np.random.Generator) -> Integers:
    """Divide groups of images.

    What is made small is how far counts of images and of each label are from the share of each part: the sum of
    (count - expected)² / expected, in which the images weigh as much as all labels together. The largest groups are
    placed first, each where it does the least harm; then groups are moved and exchanged as long as that helps. Up to
    200 groups this is begun anew from several random divisions, and the best is taken; of more, which fit better from
    the start, 200 changes are made at most, with 50 random groups of each part tried for exchange.

    Args:
        labels: of the images, `bool (images, labels)`.
        groups: group of each image, `int64 (images,)`, 0 … groups-1, all of which occur.
        shares: of each part, `float64 (parts,)`, which add up to 1; not more parts than groups.
        random: what draws, among equals.

    Returns:
        part of each group, `int64 (groups,)`, 0 … parts-1; every part has a group.
    """
    counts = _count(labels, groups)
    best = _settled(_State(counts, shares, random), in_turn=True)
    for _ in range(_STARTS if best.is_small else 0):
        other = _settled(_State(counts, shares, random), in_turn=False)
        if other.cost() < best.cost() - _LEAST:
            best = other
    return best.parts


def _settled(state: "_State", *, in_turn: bool) -> "_State":
    """Place all groups, the largest ones first or anywhere, and change what helps until nothing does."""
    state.place(in_turn=in_turn)
    state.fill()
    changes = 0
    while (state.is_small or changes < _CHANGES) and (state.move() or state.exchange()):
        changes += 1
    return state


def _count(labels: StratumMatrix, groups: Integers) -> Floats:
    """How many images and how many of each label every group has, `float64 (groups, 1 + labels)`."""
    found = np.zeros((int(groups.max()) + 1, 1 + labels.shape[1]))
    np.add.at(found, groups, np.concatenate([np.ones((len(labels), 1)), labels], axis=1))
    return found


class _State:
    """A division of groups, and what changes of it would cost."""

    def __init__(self, counts: Floats, shares: Floats, random: np.random.Generator) -> None:
        counts = counts[:, counts.sum(axis=0) > 0]  # a label that nobody has
        expected = shares[:, None] * counts.sum(axis=0)
        weights = np.ones(counts.shape[1])
        weights[0] = max(1, len(weights) - 1)
        self._counts, self._per_image, self._random = counts, weights / expected, random
        self._excess = -expected  # of each part and label, (parts, 1 + labels)
        # Which part a group is added to does not change this part of the cost.
        self._own = (counts**2) @ self._per_image.T
        self.parts: Integers = np.full(len(counts), -1)

    @property
    def is_small(self) -> bool:
        """Whether there are so few groups that all can be tried again and again."""
        return len(self._counts) <= _FEW

    def cost(self) -> float:
        """How far counts are from what they should be."""
        return float((self._excess**2 * self._per_image).sum())

    def place(self, *, in_turn: bool) -> None:
        """Give every group its first part: the largest one first and each where it fits, or all at random."""
        shuffled = self._random.permutation(len(self._counts))
        for group in shuffled[np.argsort(-self._counts[shuffled, 0], kind="stable")]:
            if not in_turn:
                self._put(int(group), int(self._random.integers(len(self._excess))))
                continue
            costs = self._own[group] + 2 * (self._excess * self._per_image) @ self._counts[group]
            self._put(int(group), _least(costs, self._random))

    def fill(self) -> None:
        """Give a part that got no group the one that it suits best, of a part that has several."""
        for part in range(len(self._excess)):
            if (self.parts != part).all():
                several = np.bincount(self.parts, minlength=len(self._excess))[self.parts] > 1
                self._put(int(np.where(several, self._changes()[:, part], np.inf).argmin()), part)

    def move(self) -> bool:
        """Move the group whose move helps most; returns whether one does."""
        changes = self._changes()
        alone = np.bincount(self.parts, minlength=len(self._excess))[self.parts] == 1
        changes[alone] = np.inf
        group, part = np.unravel_index(int(changes.argmin()), changes.shape)
        if changes[group, part] >= -_LEAST:
            return False
        self._put(int(group), int(part))
        return True

    def exchange(self) -> bool:
        """Exchange the two groups of different parts whose exchange helps most; returns whether any does."""
        changes = self._changes()
        best, found = -_LEAST, None
        tried = [self._tried(part) for part in range(len(self._excess))]
        for one, ours in enumerate(tried):
            for other, theirs in enumerate(tried[:one]):
                both = self._counts[ours] * (self._per_image[one] + self._per_image[other])
                shared = (2 * both @ self._counts[theirs].T).round(_DIGITS)
                costs = changes[ours, other][:, None] + changes[theirs, one] - shared
                if costs.min() < best:
                    best = float(costs.min())
                    first, second = np.unravel_index(int(costs.argmin()), costs.shape)
                    found = int(ours[first]), int(theirs[second])
        if found is None:
            return False
        parts = self.parts[list(found)]
        self._put(found[0], int(parts[1]))
        self._put(found[1], int(parts[0]))
        return True

    def _tried(self, part: int) -> Integers:
        groups = np.flatnonzero(self.parts == part)
        return (
            groups
            if self.is_small or len(groups) <= _PARTNERS
            else self._random.choice(groups, _PARTNERS, replace=False)
        )

    def _changes(self) -> Floats:
        """What moving each group to each part adds to the cost, `float64 (groups, parts)`; 0 where it is."""
        pull = 2 * self._counts @ (self._excess * self._per_image).T
        rows = np.arange(len(self.parts))
        leaving = self._own[rows, self.parts] - pull[rows, self.parts]
        # Rounded, so that equals are equals on every machine.
        changes: Floats = (leaving[:, None] + self._own + pull).round(_DIGITS)
        changes[rows, self.parts] = 0
        return changes

    def _put(self, group: int, part: int) -> None:
        if self.parts[group] >= 0:
            self._excess[self.parts[group]] -= self._counts[group]
        self._excess[part] += self._counts[group]
        self.parts[group] = part


def _least(costs: Floats, random: np.random.Generator) -> int:
    return int(random.choice(np.flatnonzero(costs <= costs.min() + _LEAST)))
