"""Which image is held out in which fold."""

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.randomness import generator


def assign_folds(coverage: Floats, folds_count: int, *, seed: int, stratified: bool = True) -> Integers:
    """Assign each image to the fold that holds it out.

    Images are dealt out in blocks of `folds_count`, one to each fold, so that fold sizes differ by one at most.
    Stratified, the blocks follow the foreground coverage: every fold gets its share of empty images and of small and
    large masks. Otherwise the order is random.

    Args:
        coverage: foreground share of each image, 0–1, `float64 (images,)`, in the order of the sorted ids.
        folds_count: number of folds, from 2 to the number of images.
        seed: of the experiment.
        stratified: spread the coverage evenly.

    Returns:
        fold of each image, `int64 (images,)`, 0 … folds_count-1.
    """
    count = len(coverage)
    if not 2 <= folds_count <= count:
        raise ValueError(f"folds_count must be from 2 to the number of images ({count}), received {folds_count}")
    random = generator("folds", seed)
    shuffled = random.permutation(count)
    order = shuffled[np.argsort(coverage[shuffled], kind="stable")] if stratified else shuffled
    blocks = -(-count // folds_count)
    dealt = np.concatenate([random.permutation(folds_count) for _ in range(blocks)])[:count]
    folds = np.empty(count, np.int64)
    folds[order] = dealt
    return folds
