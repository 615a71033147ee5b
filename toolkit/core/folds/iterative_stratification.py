"""Dividing images with several labels into parts, each with its share of every label."""

import numpy as np

from toolkit.core.arrays import Floats, Integers
from toolkit.core.folds.strata import StratumMatrix


def stratify(labels: StratumMatrix, shares: Floats, random: np.random.Generator) -> Integers:
    """Divide images by iterative stratification.

    The images of the rarest remaining label are assigned first. Each goes to the part that lacks most of this label;
    among equals, to the part that lacks most images; then at random (K. Sechidis, G. Tsoumakas and I. Vlahavas, On the
    Stratification of Multi-Label Data, ECML PKDD 2011). Images without labels come last. If each image has one label,
    the counts of labels and of images in the parts are as equal as possible.

    Args:
        labels: `bool (images, labels)`.
        shares: share of each part, `float64 (parts,)`, adding up to 1.
        random: generator for the order and for choices among equals.

    Returns:
        The part of each image, `int64 (images,)`, 0 … parts-1.
    """
    images = len(labels)
    parts = np.full(images, -1)
    wanted = shares * images
    wanted_labels = shares[:, None] * labels.sum(axis=0)
    waiting = labels.sum(axis=0)
    while waiting.any():
        rarest = int(np.where(waiting > 0, waiting, images + 1).argmin())
        for image in random.permutation(np.flatnonzero(labels[:, rarest] & (parts < 0))):
            part = _neediest(wanted_labels[:, rarest], wanted, random)
            parts[image] = part
            wanted[part] -= 1
            wanted_labels[part] -= labels[image]
            waiting = waiting - labels[image]
    for image in random.permutation(np.flatnonzero(parts < 0)):
        part = _neediest(wanted, wanted, random)
        parts[image] = part
        wanted[part] -= 1
    return parts


def _neediest(first: Floats, then: Floats, random: np.random.Generator) -> int:
    """The part with the largest value of `first`; among equals, of `then`; then at random."""
    equal = np.flatnonzero(first >= first.max() - 1e-9)
    equal = equal[then[equal] >= then[equal].max() - 1e-9]
    return int(random.choice(equal))
