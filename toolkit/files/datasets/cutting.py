"""Parts of images that training draws from: those of a fixed grid, and the cells in which foreground is looked up."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import numpy as np

from toolkit.core.images.windows import Window
from toolkit.core.sampling.patches import LabelCounts, Occupancy, count_labels, edges_of
from toolkit.errors import DataError
from toolkit.files.datasets.training_pool import Pool, Sample
from toolkit.messages import Progress

_Found = TypeVar("_Found")


def cut_pool(pool: Pool, parts: int, progress: Progress) -> Pool:
    """The pool of the parts of its images, each cut into `parts` × `parts`; a part is in the fold of its image.

    Raises:
        DataError: a mask cannot be read, or an image is too small.
    """

    def count(sample: Sample) -> LabelCounts:
        height, width = sample.size
        return count_in_grid(sample, _cuts(height, parts), _cuts(width, parts))

    samples = [part for sample in pool.samples for part in parts_of(sample, parts)]
    counts = _in_threads(count, pool.samples, f"cutting images into {parts}×{parts} parts", progress)
    return Pool(
        pool.main,
        samples,
        np.concatenate([one.coverage.ravel() for one in counts]),
        np.concatenate([one.pixels.reshape(-1, one.classes) for one in counts]),
        np.repeat(pool.folds, parts * parts),
        None if pool.shares is None else np.repeat(pool.shares, parts * parts),
    )


def parts_of(sample: Sample, parts: int) -> list[Sample]:
    """The `parts` × `parts` of an image, row by row.

    Raises:
        DataError: it has too few pixels.
    """
    height, width = sample.size
    if min(height, width) < parts:
        raise DataError(
            f"crops: {sample.image_id} is {height}×{width}: it cannot be cut into {parts}×{parts} parts",
            "Ask for fewer crops, or remove this image.",
        )
    rows, columns = _cuts(height, parts), _cuts(width, parts)
    return [
        replace(sample, window=Window(top, left, bottom - top, right - left))
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]


def find_occupancies(samples: Sequence[Sample], cell: int, progress: Progress) -> list[Occupancy]:
    """Where images have foreground, in cells of `cell` × `cell` pixels; each mask is read once.

    Raises:
        DataError: a mask cannot be read.
    """

    def find(sample: Sample) -> Occupancy:
        size = sample.size
        counts = count_in_grid(sample, edges_of(size[0], cell), edges_of(size[1], cell))
        first = 1 if counts.activation == "softmax" else 0
        return Occupancy(size, cell, counts.pixels[..., first:] > 0, counts.foreground > 0)

    return _in_threads(find, samples, "looking where foreground is", progress)


def count_in_grid(sample: Sample, rows: Sequence[int], columns: Sequence[int]) -> LabelCounts:
    """Count the labels of an image in a grid with these edges."""
    labels = sample.labels()
    counts = np.stack([count_labels(labels[top:end], columns) for top, end in pairwise(rows)])
    classes = sample.source.classes
    return LabelCounts(counts, classes.count, classes.activation)


def _cuts(length: int, parts: int) -> list[int]:
    return [round(number * length / parts) for number in range(parts + 1)]


def _in_threads(
    find: Callable[[Sample], _Found], samples: Sequence[Sample], title: str, progress: Progress
) -> list[_Found]:
    found = []
    with ThreadPoolExecutor() as threads, progress.task(title, len(samples)) as task:
        for one in threads.map(find, samples):
            found.append(one)
            task.advance()
    return found
