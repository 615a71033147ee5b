"""How certain labels are that networks made."""

from collections.abc import Sequence

import numpy as np

from toolkit.core.masks.labels import Activation
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.sampling.pseudo_labels import Levels


def certainty(label: Levels, voices: Sequence[Levels], activation: Activation) -> float:
    """How far the networks that made a label agree with its mask, 0–1: that of the least certain class.

    For a class that the mask (probability above 0.5, or the most probable class) has, it is the Dice coefficient of the
    mask and the probabilities of each network, which are what each pixel of it is worth; for a class that it has not,
    1 minus the highest probability. Both are averaged over the networks. Networks that disagree lower it, and so does
    a single network, or the mean of its views, that is not sure.

    Args:
        label: the mean of all networks.
        voices: the probabilities of each.
        activation: of the networks; the first of exclusive classes, the background, does not count.
    """
    masks = masks_of(label, activation)
    found = []
    for number in range(1 if activation == "softmax" else 0, label.shape[2]):
        mask = masks[..., number]
        area = int(np.count_nonzero(mask))
        of_voices = []
        for voice in voices:
            plane = voice[..., number]
            if not area:
                of_voices.append(1 - int(plane.max(initial=0)) / 255)
                continue
            total, inside = (int(values.sum(dtype=np.int64)) for values in (plane, plane[mask]))
            of_voices.append(2 * inside / (total + 255 * area))
        found.append(float(np.mean(of_voices)))
    return min(found)
