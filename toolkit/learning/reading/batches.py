"""Batches of tensors: images and labels are read, resized and augmented while the network computes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from toolkit.core.arrays import Integers
from toolkit.core.images.resizing import Placement
from toolkit.files.data.sources import Images
from toolkit.files.datasets.training_pool import Sample, read_window
from toolkit.files.disk.usable_cores import usable_cores
from toolkit.learning.reading.sample_reader import SampleReader, Tile
from toolkit.learning.reading.training_samples import TrainingSetup, batch_jobs
from toolkit.learning.reading.workers import StageWorkers
from toolkit.learning.runtime import tf

Batch = tuple[Any, ...]


def training_batches(
    setup: TrainingSetup,
    samples: Sequence[Sample],
    batches: Sequence[Integers],
    *draw: int,
    workers: StageWorkers | None = None,
) -> Iterator[Batch]:
    """Batches of images `uint8 (batch, height, width, channels)` and targets (batch, height, width, classes).

    Targets are `uint8`, 0 or 1, 255 in ignored pixels; or `float32` if mixing or soft labels make fractions. Where
    pseudo-labelled pixels count less, one more plane has the weights of all pixels.

    Args:
        setup: how samples are read, augmented and mixed.
        samples: images, crops or patches.
        batches: positions in `samples`, batch by batch.
        draw: (seed, fold, stage, epoch), see `batch_jobs`.
        workers: processes that read with this setup; threads read if None. The batches are the same.
    """
    jobs = list(batch_jobs(samples, batches, draw))
    if workers is not None:
        return (tuple(map(tf.convert_to_tensor, arrays)) for arrays in workers(jobs))
    types = (tf.uint8, tf.as_dtype(setup.target_type))
    return _loaded(lambda number: setup.batch(jobs[number]), len(jobs), types)


def validation_batches(
    reader: SampleReader, samples: Sequence[Sample], batch: int
) -> Iterator[tuple[Sequence[Sample], Sequence[Placement], Any, Any]]:
    """Samples, placements, images and targets `uint8 (batch, height, width, classes)`, in the order of `samples`."""
    batches = [samples[start : start + batch] for start in range(0, len(samples), batch)]
    placements: dict[int, list[Placement]] = {}

    def load(number: int) -> Batch:
        triples = [reader.pair(sample) for sample in batches[number]]
        placements[number] = [placement for _, _, placement in triples]
        targets = np.stack([reader.classes.planes(labels) for _, labels, _ in triples])
        return np.stack([image for image, _, _ in triples]), targets

    for number, (images, targets) in enumerate(_loaded(load, len(batches), (tf.uint8, tf.uint8))):
        yield batches[number], placements.pop(number), images, targets


def prediction_batches(
    reader: SampleReader, images: Images, tiles: Sequence[Tile], batch: int, shapes: Sequence[tuple[int, int]]
) -> Iterator[tuple[Sequence[Tile], list[list[Placement]], tuple[Any, ...]]]:
    """Batches of tiles, with their placements and pixels `uint8 (batch, height, width, channels)` for each of `shapes`.

    Tiles come in order, and a batch may hold tiles of several images. Each is read once for all shapes.

    Args:
        reader: reads and resizes tiles.
        images: the images.
        tiles: of the images.
        batch: number of tiles in a batch.
        shapes: input sizes (height, width); the scale of a tile is in proportion to them.
    """
    batches = [tiles[start : start + batch] for start in range(0, len(tiles), batch)]
    placements: dict[int, list[list[Placement]]] = {}

    def load(number: int) -> Batch:
        placed = [reader.place_at(read_window(images, tile.image_id, tile.window), shapes) for tile in batches[number]]
        by_shape = list(zip(*placed, strict=True))
        placements[number] = [[placement for _, placement in pairs] for pairs in by_shape]
        return tuple(np.stack([image for image, _ in pairs]) for pairs in by_shape)

    for number, pixels in enumerate(_loaded(load, len(batches), (tf.uint8,) * len(shapes))):
        yield batches[number], placements.pop(number), pixels


def _plain_options() -> Any:
    """Options without autotuning, whose thread sleeps ever longer: an epoch ends only when it wakes."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def _loaded(load: Callable[[int], Batch], count: int, types: tuple[Any, ...]) -> Iterator[Batch]:
    """Call `load` for 0 … count-1 on the threads of tf.data, ahead of use, and yield the results in order.

    An error in `load` is raised as it is, not wrapped by TensorFlow.
    """
    errors: list[Exception] = []

    def guarded(number: Any) -> Batch:
        try:
            return load(int(number))
        except Exception as error:
            errors.append(error)
            raise

    dataset = (
        tf.data.Dataset.range(count)
        # Declared stateless, because TensorFlow would otherwise load one batch after the other.
        .map(
            lambda number: tf.numpy_function(guarded, [number], types, stateful=False),
            usable_cores(),
            deterministic=True,
        )
        .prefetch(2)
        .with_options(_plain_options())
    )
    try:
        yield from dataset
    except tf.errors.OpError:
        if errors:
            raise errors[0] from None
        raise
