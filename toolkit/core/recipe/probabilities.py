"""Stored probabilities (8 bits or half precision), and weighted means of probabilities."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Integers, Presence, Probability
from toolkit.core.images.chunks import chunks, count_values

StoredType = Literal["uint8", "float16"]
"""The type of stored probabilities: `uint8` 0–255, or `float16` 0–1."""

Stored = npt.NDArray[np.uint8] | npt.NDArray[np.float16]


def quantise(probability: Probability) -> npt.NDArray[np.uint8]:
    """Turn probabilities 0–1 into levels 0–255; the error is at most 1/510.

    Half a level is rounded down. A pixel is therefore above a threshold of (level - 0.5)/255 after quantising exactly
    if it was before: 0.5 is one of these 255 thresholds, and thresholds found on stored maps hold for the originals.
    """
    quantised = np.empty(probability.shape, np.uint8)
    for chunk in chunks(probability.shape):
        # In float32, the product would be rounded.
        levels = np.ceil(np.asarray(probability[chunk], np.float64) * 255 - 0.5)
        quantised[chunk] = np.clip(levels, 0, 255)
    return quantised


def to_stored(probability: Probability, stored_type: StoredType) -> Stored:
    """Convert `float32` probabilities 0–1 to a stored type."""
    return quantise(probability) if stored_type == "uint8" else probability.astype(np.float16)


def to_probability(stored: Stored) -> Probability:
    """Convert stored values to `float32` probabilities 0–1."""
    if stored.dtype == np.uint8:
        return stored.astype(np.float32) / np.float32(255)
    return stored.astype(np.float32)


def to_levels(stored: Stored) -> npt.NDArray[np.uint8]:
    """Convert stored values to levels 0–255; see `quantise`."""
    return stored if stored.dtype == np.uint8 else quantise(stored.astype(np.float32))  # type: ignore[return-value]


def weighted_mean(probabilities: Sequence[Probability], weights: Sequence[float]) -> Probability:
    """Mean of `float32` probabilities of one shape, summed in double precision; the weights need not add up to 1."""
    total = np.zeros(probabilities[0].shape, np.float64)
    for probability, weight in zip(probabilities, weights, strict=True):
        total += weight * probability.astype(np.float64)
    return (total / sum(weights)).astype(np.float32)


def mean_presence(presences: Sequence[Presence | None], weights: Sequence[float]) -> Presence | None:
    """Weighted mean of the outputs of presence heads, over members that have one; None if none has."""
    known = [(presence, weight) for presence, weight in zip(presences, weights, strict=True) if presence is not None]
    if not known:
        return None
    found, chosen = zip(*known, strict=True)
    return weighted_mean(found, chosen)


def count_levels(stored: Stored) -> Integers:
    """How many pixels of one map have each level, `int64 (classes, 256)`."""
    levels = to_levels(stored)
    return np.stack([count_values(levels[..., index], 256) for index in range(levels.shape[-1])])
