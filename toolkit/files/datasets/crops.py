"""Crops of images to train on: a fixed grid that covers each image."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from toolkit.core.images.windows import Window
from toolkit.core.sampling.patches import LabelCounts
from toolkit.errors import DataError
from toolkit.files.datasets.occupancy import count_in_grid, in_threads
from toolkit.files.datasets.training_pool import Pool, Sample
from toolkit.messages import Progress


def crop_pool(pool: Pool, crops: int, progress: Progress) -> Pool:
    """The pool of the `crops` × `crops` crops of every image; a crop is in the fold of its image.

    Raises:
        DataError: a mask cannot be read, or an image is too small.
    """

    def count(sample: Sample) -> LabelCounts:
        height, width = sample.size
        return count_in_grid(sample, _edges(height, crops), _edges(width, crops))

    samples = [crop for sample in pool.samples for crop in crops_of(sample, crops)]
    counts = in_threads(count, pool.samples, f"cropping images into {crops}×{crops}", progress)
    return Pool(
        pool.main,
        samples,
        np.concatenate([one.coverage.ravel() for one in counts]),
        np.concatenate([one.pixels.reshape(-1, one.classes) for one in counts]),
        np.repeat(pool.folds, crops * crops),
        None if pool.shares is None else np.repeat(pool.shares, crops * crops),
    )


def crops_of(sample: Sample, crops: int) -> list[Sample]:
    """The `crops` × `crops` crops of an image, row by row.

    Raises:
        DataError: a side of the image has fewer pixels than crops.
    """
    height, width = sample.size
    if min(height, width) < crops:
        raise DataError(
            f"crops: {sample.image_id} is {height}×{width}, which is too small for {crops}×{crops} crops",
            "Set a smaller number of crops, or remove this image.",
        )
    return [
        replace(sample, window=Window(top, left, bottom - top, right - left))
        for top, bottom in pairwise(_edges(height, crops))
        for left, right in pairwise(_edges(width, crops))
    ]


def _edges(length: int, crops: int) -> Sequence[int]:
    return [round(number * length / crops) for number in range(crops + 1)]
