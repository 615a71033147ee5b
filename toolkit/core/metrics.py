"""Metrics of one image, from the three areas that they all depend on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers, Mask

Areas = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Metric:
    """A score per image, higher is better, 0–1.

    `score` takes three integer arrays of one shape (pixels in the intersection of prediction and truth, in the
    prediction, in the truth) and returns the scores as float64 of that shape.
    """

    name: str
    score: Callable[[Areas, Areas, Areas], Floats]

    def of_masks(self, prediction: Mask, truth: Mask) -> float:
        """Score one predicted mask against the truth, both `bool (height, width)`."""
        if prediction.shape != truth.shape:
            raise ValueError(f"prediction {prediction.shape} and truth {truth.shape} differ in size")
        areas = ((prediction & truth).sum(), prediction.sum(), truth.sum())
        intersection, predicted, actual = (np.asarray(area, np.int64) for area in areas)
        return float(self.score(intersection, predicted, actual))


def dice(intersection: Areas, predicted: Areas, truth: Areas) -> Floats:
    """Dice coefficient, 2·|A∩B| / (|A|+|B|); 1 where both masks are empty.

    As in SIIM-ACR Pneumothorax (https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation/overview/evaluation).
    """
    total = predicted + truth
    return np.where(total == 0, 1.0, 2.0 * intersection / np.maximum(total, 1))


def iou(intersection: Areas, predicted: Areas, truth: Areas) -> Floats:
    """Intersection over union, |A∩B| / |A∪B|; 1 where both masks are empty."""
    union = predicted + truth - intersection
    return np.where(union == 0, 1.0, intersection / np.maximum(union, 1))


def salt_map(intersection: Areas, predicted: Areas, truth: Areas) -> Floats:
    """Share of the thresholds 0.50, 0.55, …, 0.95 that the IoU exceeds; 1 where both masks are empty.

    TGS Salt Identification (https://www.kaggle.com/c/tgs-salt-identification-challenge/overview/evaluation). The
    comparison is strict and done in whole numbers, so that an IoU of exactly 0.5 never counts by rounding.
    """
    union = predicted + truth - intersection
    twentieths: Integers = np.arange(10, 20)
    passed = 20 * intersection[..., None] > twentieths * union[..., None]
    return np.where(union == 0, 1.0, passed.mean(axis=-1))


METRICS: dict[str, Metric] = {
    "dice": Metric("dice", dice),
    "iou": Metric("iou", iou),
    "salt_map": Metric("salt_map", salt_map),
}
