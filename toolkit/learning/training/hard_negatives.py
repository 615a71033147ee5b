"""Hard negatives: images or places without foreground in which the weights before a stage predict some."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.config.stage_values import Stage
from toolkit.core.arrays import Floats, Integers, Probability
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import IGNORE, Activation
from toolkit.core.sampling.patches import HardPlaces, edges_of
from toolkit.errors import StorageError
from toolkit.files.datasets.training_pool import Sample
from toolkit.files.disk.tables import format_table, read_table
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import StageFolder
from toolkit.learning.predicting.predictor import Assembly, Predicted, Predictor, Rows
from toolkit.learning.reading.batches import validation_batches
from toolkit.learning.training.epoch_data import HardNegatives, Run, TrainingData

_COLUMNS = ("image_id", "weight")
_COLUMNS_OF_PLACES = ("image_id", "position", "row", "column", "false_pixels")


def weigh_negatives(
    predictor: Predictor, stage: Stage, data: TrainingData, run: Run, folder: StageFolder
) -> HardNegatives | None:
    """How hard the negatives of a fold are; None if the stage does not configure `hard_negatives`.

    A training image (or crop) without foreground weighs 1 + hard_negatives × its false pixels / the most false pixels
    of any. With patches, the false pixels of each place in all training images are counted instead. Predictions are
    those of the network when the stage begins. The result is written to a file, for a stage that is interrupted.

    Args:
        predictor: predicts probabilities `float32 (batch, height, width, classes)` of a batch of images.
        stage: that begins.
        data: what the folds share.
        run: the fold.
        folder: of the stage.
    """
    if not stage.hard_negatives:
        return None
    if data.patches is not None:
        return HardPlaces(_false_pixels(predictor, stage, data, run, folder.negative_weights), stage.hard_negatives)
    path = folder.negative_weights
    if path.is_file():
        rows = read_table(path, len(_COLUMNS), str(path), StorageError).rows
        return np.array([float(weight) for _, weight in rows])
    pool = data.drawn_from
    negatives = [position for position in pool.training_positions(run.fold) if not pool.has_foreground[position]]
    false_pixels = np.zeros(len(pool.samples))
    samples = [pool.samples[position] for position in negatives]
    at = 0
    for batch, _, images, targets in validation_batches(data.reader_of(stage), samples, stage.batch):
        found = _seen(predictor(images), data.reader.classes.activation) & (targets[..., 0].numpy() != IGNORE)
        false_pixels[negatives[at : at + len(batch)]] = found.sum(axis=(1, 2))
        at += len(batch)
    weights: Floats = 1 + stage.hard_negatives * false_pixels / max(1.0, false_pixels.max())
    table = [(sample.image_id, weight) for sample, weight in zip(pool.samples, weights, strict=True)]
    write_text(path, format_table(_COLUMNS, table))
    return weights


def _false_pixels(predictor: Predictor, stage: Stage, data: TrainingData, run: Run, path: Path) -> Sequence[Integers]:
    """False pixels in the cells of each image of the pool, `int64 (rows, columns)`; 0 in images that are held out."""
    occupancies = data.occupancies
    counts = [np.zeros(image.foreground.shape, np.int64) for image in occupancies]
    if path.is_file():
        for _, *numbers in read_table(path, len(_COLUMNS_OF_PLACES), str(path), StorageError).rows:
            position, row, column, count = map(int, numbers)
            counts[position][row, column] = count
        return counts
    pool, reader = data.pool, data.reader_of(stage)
    tiles, owners = [], []
    for position in pool.training_positions(run.fold).tolist():
        of_image = reader.tiles(pool.samples[position])
        tiles += of_image
        owners += [position] * len(of_image)
    assemblies = {position: Assembly(reader, pool.samples[position].source.images) for position in set(owners)}
    owner = iter(owners)
    for batch, placements, images, _ in validation_batches(reader, tiles, stage.batch):
        for tile, placement, probability in zip(batch, placements, predictor(images), strict=True):
            position = next(owner)
            rows = assemblies[position].add(tile.image_id, [Predicted(placement.undo(probability), None)])
            if rows is not None:
                false = _false_in(rows, pool.samples[position], reader.classes.activation)
                _count(counts[position], false, rows.top, occupancies[position].cell)
    table = [
        (pool.samples[position].image_id, position, row, column, found[row, column])
        for position, found in enumerate(counts)
        for row, column in np.argwhere(found).tolist()
    ]
    write_text(path, format_table(_COLUMNS_OF_PLACES, table))
    return counts


def _seen(probability: Probability, activation: Activation) -> npt.NDArray[np.bool_]:
    """Where any class of the foreground is predicted, `bool (batch or rows, …)` without the axis of the classes."""
    chosen = probability.argmax(axis=-1) > 0 if activation == "softmax" else (probability > 0.5).any(axis=-1)
    found: npt.NDArray[np.bool_] = np.asarray(chosen)
    return found


def _false_in(rows: Rows, sample: Sample, activation: Activation) -> npt.NDArray[np.bool_]:
    """Where foreground is predicted and background is true, `bool (rows, width)`."""
    probability = rows.probabilities[0]
    labels = replace(sample, window=Window(rows.top, 0, *probability.shape[:2])).labels()
    false: npt.NDArray[np.bool_] = _seen(probability, activation) & (labels == 0)
    return false


def _count(cells: Integers, false: npt.NDArray[np.bool_], top: int, cell: int) -> None:
    """Add the false pixels of rows, the first of which is row `top` of the image, to the cells that they lie in."""
    in_columns = np.add.reduceat(false.astype(np.int64), edges_of(false.shape[1], cell)[:-1], axis=1)
    np.add.at(cells, (top + np.arange(len(false))) // cell, in_columns)
