"""Validation: the loss and the scores of an epoch on the images that the fold holds out.

Scores are computed from the maps as they would be stored, with the masks that would be submitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.stage_values import Stage
from toolkit.core.arrays import Floats, Image, Integers, Probability
from toolkit.core.images.resizing import scale_map
from toolkit.core.metrics.scorer import Scorer, recorded_scores
from toolkit.core.recipe.probabilities import Stored, to_stored
from toolkit.core.sampling.epoch_sampling import select_images
from toolkit.errors import TrainingError
from toolkit.files.datasets.scored_size import at_scored_size
from toolkit.files.datasets.training_pool import Sample
from toolkit.learning.predicting.predictor import Assembly, Predicted, Predictor
from toolkit.learning.reading.batches import validation_batches
from toolkit.learning.runtime import tf
from toolkit.learning.training.epoch_data import Run, TrainingData
from toolkit.messages import Task

LOWER_LR = "Lower lr and train again (tk fit EXPERIMENT --restart), or try it in a new experiment."
"""Advice for a loss or prediction that is not a finite number."""

_EXAMPLES_AT_MOST = 16


@dataclass(frozen=True)
class Example:
    """A validation image or a tile of one at the network's size, with the planes of its truth and its prediction."""

    image: Image
    planes: npt.NDArray[np.uint8]
    probability: Probability


def validated_positions(stage: Stage, data: TrainingData, run: Run) -> Integers:
    """The positions of the images that a stage of a fold validates, in the pool, `int64 (images,)`."""
    held_out = data.pool.validation_positions(run.fold)
    chosen = select_images(data.pool.has_foreground[held_out], stage.validation_negatives, data.seed, run.fold)
    return held_out[chosen]


def validated_tiles(stage: Stage, data: TrainingData, positions: Integers) -> list[Sample]:
    """What the network sees of the images at some positions: whole images, or their tiles."""
    reader = data.reader_of(stage)
    return [tile for position in positions for tile in reader.tiles(data.pool.samples[position])]


class Validation:
    """The validation images of one stage of one fold.

    `positions` are those of the images in the pool, `int64 (images,)`: all that the fold holds out, unless
    `validation_negatives` leaves some out. After a run `statistics` are those of the primary metric, (images, k), and
    `examples` are the first images.
    """

    def __init__(
        self, predictor: Predictor, loss: Any, stage: Stage, data: TrainingData, run: Run, *, at_most: int | None = None
    ) -> None:
        """Choose the images; `at_most` takes only so many of them, to measure the speed."""
        self._predictor, self._loss, self._stage, self._data = predictor, loss, stage, data
        self._size = data.plan.config.scored_size
        self.positions = validated_positions(stage, data, run)[:at_most]
        self._tiles = validated_tiles(stage, data, self.positions)
        self.examples: list[Example] = []
        self.statistics: Floats = np.empty((0, 0))

    def __len__(self) -> int:
        """The number of images, or of their tiles."""
        return len(self._tiles)

    def run(self, where: str, task: Task, keep_examples: bool) -> tuple[float, dict[str, float]]:
        """Validate the network as it is.

        Args:
            where: the stage and epoch, for messages.
            task: advances by one with each image or tile.
            keep_examples: whether to keep the first images in `examples`.

        Returns:
            The mean loss over what the network sees (images or tiles), and each recorded score of the whole images,
            the primary metric first, at the competition's size if it has one, and at their own otherwise.

        Raises:
            TrainingError: a prediction is not a number.
        """
        data, reader = self._data, self._data.reader_of(self._stage)
        scorer = Scorer(data.plan.recorded, reader.classes.activation)
        assembly = Assembly(reader, data.pool.main.images)
        total = 0.0
        self.examples = []
        progress = tf.constant(1.0)
        maps: list[Any] = []
        for tiles, placements, images, targets in validation_batches(reader, self._tiles, self._stage.batch):
            probabilities, outputs = self._predictor.with_outputs(images)
            total += float(self._loss(targets, outputs, progress)) * len(tiles)
            for tile, placement, probability in zip(tiles, placements, probabilities, strict=True):
                if not np.isfinite(probability).all():
                    raise TrainingError(f"{where}: the prediction of {tile.title} is not a number", LOWER_LR)
                rows = assembly.add(tile.image_id, [Predicted(placement.undo(probability), None)])
                if rows is not None:
                    maps.append(rows.probabilities[0] if self._size else self._stored(rows.probabilities[0]))
                    if rows.is_last:
                        self._score(scorer, maps, replace(tile, window=None))
                        maps.clear()
            if keep_examples:
                self._keep(images, targets, probabilities)
            task.advance(len(tiles))
        scored = scorer.scored()
        self.statistics = scored.statistics[0]
        return total / len(self._tiles), recorded_scores(scored.metrics, scored.statistics, reader.classes.names)

    def _score(self, scorer: Scorer, maps: Sequence[Any], sample: Sample) -> None:
        """Add an image to the scores, from the rows of its map."""
        whole = maps[0] if len(maps) == 1 else np.concatenate(maps)
        if self._size is not None:
            whole = self._stored(scale_map(whole, self._size))
            sample = replace(sample, source=at_scored_size(sample.source, self._data.plan.config.data.competition))
        scorer.add(whole, sample.labels(), sample.objects() if scorer.needs_objects else None)

    def _stored(self, probability: Probability) -> Stored:
        return to_stored(probability, self._data.plan.config.stored_probability)

    def _keep(self, images: Any, targets: Any, probabilities: Probability) -> None:
        left = _EXAMPLES_AT_MOST - len(self.examples)
        for image, target, probability in zip(images[:left], targets[:left], probabilities[:left], strict=True):
            self.examples.append(Example(image.numpy(), target.numpy(), probability))
