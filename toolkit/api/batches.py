"""Predictions from Python: maps of single images, and batches of images with truth and maps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.commands.ensembling.member_predictions import predict_member
from toolkit.commands.scoring.scores import labels_of
from toolkit.core.arrays import Image, Presence, Probability
from toolkit.core.recipe.probabilities import to_probability
from toolkit.errors import ConfigError, listing
from toolkit.files.datasets.truth import truth_of
from toolkit.files.experiment.folds_csv import read_folds
from toolkit.files.experiment.members import Member
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.messages import Progress


@dataclass(frozen=True, eq=False)
class PredictedMap:
    """The prediction of one image at its own size.

    `arr` is `float32 (height, width, classes)`, 0–1; `image` is `uint8 (height, width, channels)`; `presence` is the
    output of the presence head, `float32 (classes,)`, 0–1, None without one.
    """

    arr: Probability
    image: Image
    presence: Presence | None = None


@dataclass(frozen=True, eq=False)
class EvaluatedBatch:
    """Images with their truth and their predictions by networks that were not trained on them.

    `data` are their ids. `images` are `uint8 (height, width, channels)`. `truth` is `uint8 (height, width, classes)`:
    1 for pixels of the class, 0 for others, 255 in all planes for ignored pixels. All lists have the same order.
    """

    data: Sequence[str]
    images: Sequence[Image]
    truth: Sequence[npt.NDArray[np.uint8]]
    predicted_maps_aug: Sequence[PredictedMap]

    @property
    def probabilities(self) -> list[Probability]:
        """The maps as arrays, `float32 (height, width, classes)`, 0–1."""
        return [predicted.arr for predicted in self.predicted_maps_aug]

    def __len__(self) -> int:
        """The number of images."""
        return len(self.data)


def evaluated_batches(
    member: Member, fold: int | None, views: str, batch: int, progress: Progress
) -> Iterator[EvaluatedBatch]:
    """Batches of the images that a fold holds out; of all folds in turn if `fold` is None.

    Raises:
        ConfigError: there is no such fold.
        NotReadyError: a fold is not trained.
    """
    experiment = member.experiment
    truth = truth_of(experiment, read_resolved(experiment))
    images = truth.labelled.images
    folds = read_folds(experiment.folds, images.ids)
    count = int(folds.max()) + 1
    numbers = range(count) if member.part.fold is None else [member.part.fold]
    if fold is not None and fold not in numbers:
        raise ConfigError(f"fold: there is no fold {fold}; {member.name} has {listing(numbers)}")
    wanted = numbers if fold is None else [fold]
    positions = np.concatenate([np.flatnonzero(folds == number) for number in wanted])
    store = ProbabilityStore(predict_member(member, "oof", views, progress))
    for start in range(0, len(positions), batch):
        ids = [images.ids[position] for position in positions[start : start + batch]]
        read = [images.read(image_id) for image_id in ids]
        maps = [
            PredictedMap(to_probability(store.read(image_id)), image, store.presence(image_id))
            for image_id, image in zip(ids, read, strict=True)
        ]
        yield EvaluatedBatch(
            ids, read, [truth.classes.planes(labels_of(truth.labelled, store, one)) for one in ids], maps
        )
