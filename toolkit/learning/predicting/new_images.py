"""Prediction of new images by an experiment or an ensemble, without its training data."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np

from toolkit.config.training.execution import EngineName
from toolkit.core.arrays import Presence
from toolkit.core.ensembling.means import Blender
from toolkit.core.images.chunks import chunks
from toolkit.core.recipe.probabilities import Stored, StoredType, mean_presence, to_stored
from toolkit.files.data.sources import Images
from toolkit.files.experiment.fitted import Fitted, FittedEnsemble, Networks, classes_of
from toolkit.learning.plugins import Plugins
from toolkit.learning.predicting.engine_choice import engine_by_auto, engine_that_agrees
from toolkit.learning.predicting.fold_mean import FoldMean
from toolkit.learning.predicting.predictor import Predicted, Rows, whole_maps
from toolkit.messages import Progress, Task


class ImagePredictor:
    """Predicts with the networks of one experiment, or with an ensemble of several."""

    def __init__(self, fitted: Fitted, progress: Progress) -> None:
        """Build the networks.

        Raises:
            ConfigError: two scales of the views give the same input size.
        """
        self._predict = _OfNetworks(fitted, progress) if isinstance(fitted, Networks) else _OfEnsemble(fitted, progress)

    def predict(self, images: Images, ids: Sequence[str], task: Task) -> Iterator[tuple[str, Predicted]]:
        """Ids and predictions, in the order of `ids`; `task` advances once for each tile and network.

        The prediction for an image does not depend on the others. An ensemble holds the stored maps of all members for
        all `ids` in memory.

        Raises:
            DataError: an image cannot be read.
        """
        for image_id, (found,) in whole_maps(self.rows(images, ids, task)):
            yield image_id, found

    def rows(self, images: Images, ids: Sequence[str], task: Task) -> Iterator[Rows]:
        """The same, as rows of one image after the other.

        Raises:
            DataError: an image cannot be read.
        """
        return self._predict(images, ids, task)

    def choose_engines(self, images: Images, ids: Sequence[str]) -> None:
        """Choose what computes the networks by these images, instead of the first that are predicted."""
        self._predict.choose_engines(images, ids)

    def engines(self) -> frozenset[EngineName]:
        """What computes the networks; known for certain once an image was predicted."""
        return self._predict.engines()

    def steps(self, images: Images, image_id: str) -> int:
        """The number of steps by which a task advances for an image.

        Raises:
            DataError: the size of the image cannot be read.
        """
        return self._predict.steps(images, image_id)


class _OfNetworks:
    def __init__(self, networks: Networks, progress: Progress) -> None:
        self._networks, self._progress = networks, progress
        self._engine: EngineName | None = None
        plugins = Plugins.of(networks.experiment, progress)
        self._fold_mean = FoldMean(networks.experiment, networks.config, networks.precision, plugins, [networks.views])

    def __call__(self, images: Images, ids: Sequence[str], task: Task) -> Iterator[Rows]:
        return self._fold_mean.rows(self._networks.weights, images, ids, task, engine=self._chosen(images, ids))

    def choose_engines(self, images: Images, ids: Sequence[str]) -> None:
        self._chosen(images, ids)

    def engines(self) -> frozenset[EngineName]:
        return frozenset({self._engine or self._networks.engine})

    def _chosen(self, images: Images, ids: Sequence[str]) -> EngineName:
        """The engine, chosen with the first images; weights that were not compared before are compared on them."""
        networks = self._networks
        if self._engine is None:
            self._engine, reason = networks.engine, ""
            if (networks.experiment.engine or networks.config.engine) == "auto":
                self._engine, reason = engine_by_auto({networks.engine}, 0)
            if reason:
                self._progress.say(f"{networks.experiment.name}: {reason}; TensorFlow predicts instead")
            if self._engine == "openvino":
                self._engine = engine_that_agrees(
                    networks.experiment,
                    dict.fromkeys(networks.weights, ids),
                    lambda path, some: self._fold_mean.agreement(path, images, some),
                    self._progress,
                    is_locked=False,
                )
        return self._engine

    def steps(self, images: Images, image_id: str) -> int:
        return self._networks.count * self._fold_mean.count(images, [image_id])


class _OfEnsemble:
    def __init__(self, blend: FittedEnsemble, progress: Progress) -> None:
        self._blend, self._progress = blend, progress
        self._members = [ImagePredictor(member, progress) for member in blend.members]

    def __call__(self, images: Images, ids: Sequence[str], task: Task) -> Iterator[Rows]:
        # In the type of the stores: the ensemble was tuned on the mean of stored maps.
        found = [
            dict(_stored_maps(predictor.rows(images, ids, task), member.stored_type))
            for predictor, member in zip(self._members, self._blend.members, strict=True)
        ]
        for image_id in ids:
            yield from self._blended(image_id, [one.pop(image_id) for one in found])

    def _blended(self, image_id: str, found: Sequence[tuple[Stored, Presence | None]]) -> Iterator[Rows]:
        blend = self._blend
        presence = mean_presence([said for _, said in found], blend.weights)
        height, width, _ = found[0][0].shape
        for rows in chunks(found[0][0].shape):
            maps = {number: stored[rows] for number, (stored, _) in enumerate(found)}
            probability = self._blender.blend(maps, blend.weights, blend.stored_type)
            is_last = rows.stop == height
            yield Rows(image_id, (height, width), rows.start, [probability], [presence if is_last else None], is_last)

    def steps(self, images: Images, image_id: str) -> int:
        return sum(member.steps(images, image_id) for member in self._members)

    def choose_engines(self, images: Images, ids: Sequence[str]) -> None:
        for member in self._members:
            member.choose_engines(images, ids)

    def engines(self) -> frozenset[EngineName]:
        return frozenset[EngineName]().union(*(member.engines() for member in self._members))

    @cached_property
    def _blender(self) -> Blender:
        blend = self._blend
        return Blender(blend.mean, classes_of(blend).activation)


def _stored_maps(
    predicted: Iterable[Rows], stored_type: StoredType
) -> Iterator[tuple[str, tuple[Stored, Presence | None]]]:
    """Ids with whole maps in the type of a store, and presences, from rows in the order of the images."""
    stored: Stored = np.empty((0, 0, 0), stored_type)
    for rows in predicted:
        (probability,), (presence,) = rows.probabilities, rows.presences
        if not rows.top:
            stored = np.empty((*rows.size, probability.shape[2]), stored_type)
        stored[rows.top : rows.top + len(probability)] = to_stored(probability, stored_type)
        if rows.is_last:
            yield rows.image_id, (stored, presence)
