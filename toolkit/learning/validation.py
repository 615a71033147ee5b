"""Judging an epoch on the images that the fold holds out, as they would be kept and submitted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.settings import Stage
from toolkit.core.arrays import Image, Probability
from toolkit.core.blend import to_stored
from toolkit.core.judging import Judge
from toolkit.core.sampling import select_images
from toolkit.errors import TrainingError
from toolkit.learning.batches import validation_batches
from toolkit.learning.prediction import Predictor
from toolkit.learning.runtime import tf
from toolkit.learning.training_data import Run, TrainingData
from toolkit.messages import Task

LOWER_LR = "Lower lr and train again (tk fit EXPERIMENT --restart), or try it in a new experiment."
"""What to do when numbers become infinite."""

_EXAMPLES_AT_MOST = 16


@dataclass(frozen=True)
class Example:
    """A validation image with the planes of its truth and its prediction, all at the network's size."""

    image: Image
    planes: npt.NDArray[np.uint8]
    probability: Probability


class Validation:
    """The validation images of one stage of one fold."""

    def __init__(self, predictor: Predictor, loss: Any, stage: Stage, data: TrainingData, run: Run) -> None:
        self._predictor, self._loss, self._stage, self._data = predictor, loss, stage, data
        held_out = data.pool.validation_part(run.fold)
        chosen = select_images(data.pool.has_foreground[held_out], stage.validation_negatives, data.seed, run.fold)
        self._samples = [data.pool.samples[position] for position in held_out[chosen]]
        self.examples: list[Example] = []

    def __len__(self) -> int:
        """Number of images."""
        return len(self._samples)

    def run(self, where: str, task: Task, keep_examples: bool) -> tuple[float, dict[str, float]]:
        """Mean loss at the network's size, and every metric at the images' own.

        Raises:
            TrainingError: a prediction is not a number.
        """
        data, reader = self._data, self._data.reader_of(self._stage)
        judge = Judge(data.metrics, reader.classes.activation)
        total = 0.0
        self.examples = []
        progress = tf.constant(1.0)
        for samples, placements, images, targets in validation_batches(reader, self._samples, self._stage.batch):
            probabilities, outputs = self._predictor.with_outputs(images)
            total += float(self._loss(targets, outputs, progress)) * len(samples)
            for sample, placement, probability in zip(samples, placements, probabilities, strict=True):
                if not np.isfinite(probability).all():
                    raise TrainingError(f"{where}: the prediction of {sample.image_id} is not a number", LOWER_LR)
                stored = to_stored(placement.undo(probability), data.stored_probability)
                objects = sample.objects() if judge.needs_objects else None
                judge.add(stored, sample.labels(), objects)
            if keep_examples:
                self._keep(images, targets, probabilities)
            task.advance(len(samples))
        return total / len(self._samples), judge.scores()

    def _keep(self, images: Any, targets: Any, probabilities: Probability) -> None:
        room = _EXAMPLES_AT_MOST - len(self.examples)
        for image, target, probability in zip(images[:room], targets[:room], probabilities[:room], strict=True):
            self.examples.append(Example(image.numpy(), target.numpy(), probability))
