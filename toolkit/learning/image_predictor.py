"""New images predicted by an experiment or an ensemble, without any of its own data."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from toolkit.core.arrays import Integers
from toolkit.core.blend import mean_presence, to_stored
from toolkit.core.means import Blender, count_levels
from toolkit.files.fitted import Blend, Fitted, Networks, classes_of
from toolkit.files.sources import Images
from toolkit.files.store import ProbabilityStore
from toolkit.learning.plugins import Own
from toolkit.learning.predicting import Predicting
from toolkit.learning.prediction import Predicted
from toolkit.messages import Progress, Task


class ImagePredictor:
    """Predicts with the networks of one experiment, or with the blend of several."""

    def __init__(self, fitted: Fitted, progress: Progress) -> None:
        """Build the networks.

        Raises:
            ConfigError: two scales of the views come to the same size of the network's input.
        """
        self._predict = _OfNetworks(fitted, progress) if isinstance(fitted, Networks) else _OfBlend(fitted, progress)

    def predict(self, images: Images, ids: Sequence[str], task: Task) -> Iterator[tuple[str, Predicted]]:
        """Ids and what is predicted of them, in their order; `task` advances once for each tile and network.

        The maps of all `ids` are in memory at once. What comes for an image does not depend on the others.

        Raises:
            DataError: an image cannot be read.
        """
        return self._predict(images, ids, task)

    def steps(self, images: Images, image_id: str) -> int:
        """How often a task advances for an image.

        Raises:
            DataError: its size cannot be read.
        """
        return self._predict.steps(images, image_id)


class _OfNetworks:
    def __init__(self, networks: Networks, progress: Progress) -> None:
        self._networks = networks
        own = Own(networks.experiment.config, progress)
        self._predicting = Predicting(networks.experiment, networks.config, networks.precision, own, [networks.views])

    def __call__(self, images: Images, ids: Sequence[str], task: Task) -> Iterator[tuple[str, Predicted]]:
        for image_id, (found,) in self._predicting.predict(self._networks.weights, images, ids, task):
            yield image_id, found

    def steps(self, images: Images, image_id: str) -> int:
        return self._networks.count * self._predicting.count(images, [image_id])


class _OfBlend:
    def __init__(self, blend: Blend, progress: Progress) -> None:
        self._blend, self._progress = blend, progress
        self._members = [ImagePredictor(member, progress) for member in blend.members]

    def __call__(self, images: Images, ids: Sequence[str], task: Task) -> Iterator[tuple[str, Predicted]]:
        blend = self._blend
        # Kept as their stores would be: the blend of these is what the ensemble was tuned on.
        found = [
            {
                image_id: (to_stored(predicted.probability, member.stored_type), predicted.presence)
                for image_id, predicted in predictor.predict(images, ids, task)
            }
            for predictor, member in zip(self._members, blend.members, strict=True)
        ]
        for image_id in ids:
            of_members = [one.pop(image_id) for one in found]
            maps = {number: stored for number, (stored, _) in enumerate(of_members)}
            probability = self._blender.blend(maps, blend.weights, blend.stored_type)
            yield image_id, Predicted(probability, mean_presence([said for _, said in of_members], blend.weights))

    def steps(self, images: Images, image_id: str) -> int:
        return sum(member.steps(images, image_id) for member in self._members)

    @cached_property
    def _blender(self) -> Blender:
        blend = self._blend
        activation = classes_of(blend).activation
        if blend.mean != "rank":
            return Blender(blend.mean, activation)
        return Blender(blend.mean, activation, np.stack([self._counts(folder) for folder in blend.ranked_on]))

    def _counts(self, folder: Path) -> Integers:
        """Pixels of each level in all predictions of a member, `int64 (classes, 256)`."""
        store = ProbabilityStore(folder)
        with self._progress.task("counting levels", len(store.ids)) as task:
            counts = count_levels(store.read(store.ids[0]))
            for image_id in store.ids[1:]:
                counts += count_levels(store.read(image_id))
                task.advance()
        return counts
