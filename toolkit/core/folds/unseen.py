"""Which networks never saw certain images: only these may make labels that are scored by the images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Integers
from toolkit.core.folds.assignment import HOLDOUT


@dataclass(frozen=True)
class ImageSet:
    """Images by their ids and by the digests of their pixels; either may be known alone."""

    ids: frozenset[str] = frozenset()
    pictures: frozenset[str] = frozenset()

    def __or__(self, other: "ImageSet") -> "ImageSet":
        """The images of both."""
        return ImageSet(self.ids | other.ids, self.pictures | other.pictures)

    def shared(self, other: "ImageSet") -> list[str]:
        """Ids and digests that both have, sorted."""
        return sorted(self.ids & other.ids) + sorted(self.pictures & other.pictures)


def held_back(ids: Sequence[str], pictures: Sequence[str], folds: Integers, fold: int) -> ImageSet:
    """What no teacher of a fold may have seen: the images that it holds out, and the hold-out.

    Args:
        ids: of all labelled images.
        pictures: digests of their pixels; empty where equal pixels do not mean the same image.
        folds: the fold that holds each image out, `int64 (images,)`.
        fold: the fold.
    """
    places = np.flatnonzero((folds == fold) | (folds == HOLDOUT)).tolist()
    return ImageSet(frozenset(ids[place] for place in places), frozenset(pictures[place] for place in places) - {""})


def trained_on(ids: Sequence[str], pictures: Sequence[str], folds: Integers, fold: int) -> ImageSet:
    """The images that the networks of a fold were trained on; the arguments are as for `held_back`."""
    places = np.flatnonzero((folds != fold) & (folds != HOLDOUT)).tolist()
    return ImageSet(frozenset(ids[place] for place in places), frozenset(pictures[place] for place in places) - {""})


def unseen_by(held: ImageSet, seen: Sequence[ImageSet]) -> list[int]:
    """The positions of the networks that saw none of the images, in order."""
    return [number for number, images in enumerate(seen) if not held.shared(images)]
