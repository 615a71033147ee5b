"""Which negatives are hard: those that the weights before a stage see foreground in."""

import numpy as np

from toolkit.config.settings import Stage
from toolkit.core.arrays import Floats
from toolkit.core.labels import VOID
from toolkit.errors import StorageError
from toolkit.files.experiment import StageFolder
from toolkit.files.tables import format_table, read_table
from toolkit.files.writing import write_text
from toolkit.learning.batches import validation_batches
from toolkit.learning.prediction import Predictor
from toolkit.learning.training_data import Run, TrainingData

_COLUMNS = ("image_id", "weight")


def weigh_negatives(
    predictor: Predictor, stage: Stage, data: TrainingData, run: Run, folder: StageFolder
) -> Floats | None:
    """Weights for drawing, `float64 (samples,)`, above 0; None if the stage does not ask for them.

    A negative of the training part weighs 1 + hard_negatives × (its false pixels / the most of any), by the weights
    that the network has when the stage begins; they are kept for a stage that goes on after an interruption.
    """
    if not stage.hard_negatives:
        return None
    path = folder.negative_weights
    if path.is_file():
        rows = read_table(path, len(_COLUMNS), str(path), StorageError).rows
        return np.array([float(weight) for _, weight in rows])
    pool = data.pool
    negatives = [position for position in pool.training_part(run.fold) if not pool.has_foreground[position]]
    false_pixels = np.zeros(len(pool.samples))
    samples = [pool.samples[position] for position in negatives]
    at = 0
    for part, _, images, targets in validation_batches(data.reader_of(stage), samples, stage.batch):
        probability = predictor(images)
        if data.reader.classes.activation == "softmax":
            found = probability.argmax(axis=-1) > 0
        else:
            found = (probability > 0.5).any(axis=-1)
        found &= targets[..., 0].numpy() != VOID
        false_pixels[negatives[at : at + len(part)]] = found.sum(axis=(1, 2))
        at += len(part)
    weights: Floats = 1 + stage.hard_negatives * false_pixels / max(1.0, false_pixels.max())
    table = [(sample.image_id, weight) for sample, weight in zip(pool.samples, weights, strict=True)]
    write_text(path, format_table(_COLUMNS, table))
    return weights
