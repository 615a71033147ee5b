"""Dividing indivisible groups of images into parts of given sizes, each with its share of every label."""

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.folds.strata import StratumMatrix

_FEW = _CHANGES = 200
_PARTNERS = 50
_STARTS = 10
_DIGITS = 9
_LEAST = 1e-8


def balance(labels: StratumMatrix, groups: Integers, shares: Floats, random: np.random.Generator) -> Integers:
    """Divide groups of images into parts.

    The cost is the sum of (count - expected)² / expected over parts, of the counts of images and of each label; images
    weigh as much as all labels together. Groups are placed from the largest to the smallest, each where it costs least.
    Then groups are moved and exchanged while that lowers the cost. With up to 200 groups, the same is tried from
    several random divisions, and the best one is taken. More groups fit well from the start: at most 200 changes are
    made, and exchanges are tried between 50 random groups of each part.

    Args:
        labels: labels of the images, `bool (images, labels)`.
        groups: group of each image, `int64 (images,)`, 0 … groups-1; every number occurs.
        shares: share of each part, `float64 (parts,)`, adding up to 1; at most as many parts as groups.
        random: generator for the order and for choices among equals.

    Returns:
        The part of each group, `int64 (groups,)`, 0 … parts-1; every part has a group.
    """
    counts = _count(labels, groups)
    best = _settled(_State(counts, shares, random), in_turn=True)
    for _ in range(_STARTS if best.is_small else 0):
        other = _settled(_State(counts, shares, random), in_turn=False)
        if other.cost() < best.cost() - _LEAST:
            best = other
    return best.parts


def _settled(state: "_State", *, in_turn: bool) -> "_State":
    """Place all groups, by size or at random, and improve the division until no change helps."""
    state.place(in_turn=in_turn)
    state.fill()
    changes = 0
    while (state.is_small or changes < _CHANGES) and (state.move() or state.exchange()):
        changes += 1
    return state


def _count(labels: StratumMatrix, groups: Integers) -> Floats:
    """The number of images and of each label in every group, `float64 (groups, 1 + labels)`."""
    found = np.zeros((int(groups.max()) + 1, 1 + labels.shape[1]))
    np.add.at(found, groups, np.concatenate([np.ones((len(labels), 1)), labels], axis=1))
    return found


class _State:
    """A division of groups into parts, and the costs of changing it."""

    def __init__(self, counts: Floats, shares: Floats, random: np.random.Generator) -> None:
        counts = counts[:, counts.sum(axis=0) > 0]  # without labels that no image has
        expected = shares[:, None] * counts.sum(axis=0)
        weights = np.ones(counts.shape[1])
        weights[0] = max(1, len(weights) - 1)
        self._counts, self._per_image, self._random = counts, weights / expected, random
        self._excess = -expected  # of each part and label, (parts, 1 + labels)
        # This share of the cost does not depend on which groups a part already has.
        self._squares = (counts**2) @ self._per_image.T
        self.parts: Integers = np.full(len(counts), -1)

    @property
    def is_small(self) -> bool:
        """Whether there are few enough groups to try all changes and several starts."""
        return len(self._counts) <= _FEW

    def cost(self) -> float:
        """The cost, see `balance`."""
        return float((self._excess**2 * self._per_image).sum())

    def place(self, *, in_turn: bool) -> None:
        """Give every group its first part: by size, each where it costs least (`in_turn`), or at random."""
        shuffled = self._random.permutation(len(self._counts))
        for group in shuffled[np.argsort(-self._counts[shuffled, 0], kind="stable")]:
            if not in_turn:
                self._put(int(group), int(self._random.integers(len(self._excess))))
                continue
            costs = self._squares[group] + 2 * (self._excess * self._per_image) @ self._counts[group]
            self._put(int(group), _least(costs, self._random))

    def fill(self) -> None:
        """Give each part without groups the group that costs least, from a part that has several."""
        for part in range(len(self._excess)):
            if (self.parts != part).all():
                several = np.bincount(self.parts, minlength=len(self._excess))[self.parts] > 1
                self._put(int(np.where(several, self._changes()[:, part], np.inf).argmin()), part)

    def move(self) -> bool:
        """Make the move of a group that lowers the cost most; returns False if none does."""
        changes = self._changes()
        alone = np.bincount(self.parts, minlength=len(self._excess))[self.parts] == 1
        changes[alone] = np.inf
        group, part = np.unravel_index(int(changes.argmin()), changes.shape)
        if changes[group, part] >= -_LEAST:
            return False
        self._put(int(group), int(part))
        return True

    def exchange(self) -> bool:
        """Make the exchange of two groups that lowers the cost most; returns False if none does."""
        changes = self._changes()
        best, found = -_LEAST, None
        tried = [self._tried(part) for part in range(len(self._excess))]
        for one, some in enumerate(tried):
            for other, others in enumerate(tried[:one]):
                both = self._counts[some] * (self._per_image[one] + self._per_image[other])
                shared = (2 * both @ self._counts[others].T).round(_DIGITS)
                costs = changes[some, other][:, None] + changes[others, one] - shared
                if costs.min() < best:
                    best = float(costs.min())
                    first, second = np.unravel_index(int(costs.argmin()), costs.shape)
                    found = int(some[first]), int(others[second])
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
        """The change of cost from moving each group to each part, `float64 (groups, parts)`; 0 for its present part."""
        pull = 2 * self._counts @ (self._excess * self._per_image).T
        rows = np.arange(len(self.parts))
        leaving = self._squares[rows, self.parts] - pull[rows, self.parts]
        # Rounded, so that ties are the same on every machine.
        changes: Floats = (leaving[:, None] + self._squares + pull).round(_DIGITS)
        changes[rows, self.parts] = 0
        return changes

    def _put(self, group: int, part: int) -> None:
        if self.parts[group] >= 0:
            self._excess[self.parts[group]] -= self._counts[group]
        self._excess[part] += self._counts[group]
        self.parts[group] = part


def _least(costs: Floats, random: np.random.Generator) -> int:
    return int(random.choice(np.flatnonzero(costs <= costs.min() + _LEAST)))
