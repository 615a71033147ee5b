"""Where the images of a pool have foreground: labels counted in the cells of a grid."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np

from toolkit.core.sampling.patches import LabelCounts, Occupancy, count_labels, edges_of
from toolkit.files.datasets.training_pool import Sample
from toolkit.messages import Progress

_Found = TypeVar("_Found")


def find_occupancies(samples: Sequence[Sample], cell: int, progress: Progress) -> list[Occupancy]:
    """Which cells of `cell` × `cell` pixels have foreground, for each image; each mask is read once.

    Raises:
        DataError: a mask cannot be read.
    """

    def find(sample: Sample) -> Occupancy:
        size = sample.size
        counts = count_in_grid(sample, edges_of(size[0], cell), edges_of(size[1], cell))
        first = 1 if counts.activation == "softmax" else 0
        return Occupancy(size, cell, counts.pixels[..., first:] > 0, counts.foreground > 0)

    return in_threads(find, samples, "locating foreground", progress)


def count_in_grid(sample: Sample, rows: Sequence[int], columns: Sequence[int]) -> LabelCounts:
    """Count the labels of an image in each cell of a grid with these edges."""
    labels = sample.labels()
    counts = np.stack([count_labels(labels[top:end], columns) for top, end in pairwise(rows)])
    classes = sample.source.classes
    return LabelCounts(counts, classes.count, classes.activation)


def in_threads(
    find: Callable[[Sample], _Found], samples: Sequence[Sample], title: str, progress: Progress
) -> list[_Found]:
    """Call `find` for all samples in threads, as a task with this title; results are in the order of the samples."""
    found = []
    with ThreadPoolExecutor() as threads, progress.task(title, len(samples)) as task:
        for one in threads.map(find, samples):
            found.append(one)
            task.advance()
    return found
