"""Unlabelled images as training reads them: with the labels that the networks allowed for one fold have made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Floats, Integers, Labels, Size
from toolkit.core.ensembling.means import Blender
from toolkit.core.images.windows import Window
from toolkit.core.recipe.probabilities import Stored, quantise, to_levels, to_probability, weighted_mean
from toolkit.core.sampling.pseudo_labels import LabelRule, Levels
from toolkit.errors import DataError
from toolkit.files.data.neighbours import is_left_out
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.training_pool import Sample
from toolkit.files.images.recently_decoded import RecentlyDecoded
from toolkit.files.images.window_reading import cut
from toolkit.files.predictions.store import ProbabilityStore


@dataclass(frozen=True)
class LabelMaps:
    """The probabilities of images by the networks that may label them for one fold.

    Attributes:
        stores: for each member of the teacher, those of its folds.
        weights: of the members.
        blender: of the members; the folds of one are averaged before.
    """

    stores: tuple[tuple[ProbabilityStore, ...], ...]
    weights: tuple[float, ...]
    blender: Blender

    def voices(self, image_id: str) -> list[list[Stored]]:
        """The map of each network, (height, width, classes), member by member; raises StorageError, ChangedError."""
        return [[store.read(image_id) for store in of_member] for of_member in self.stores]

    def mean(self, voices: Sequence[Sequence[Stored]]) -> Levels:
        """The mean of these maps as levels, `uint8 (height, width, classes)`."""
        members = [_mean(of_member) for of_member in voices]
        if len(members) == 1:
            return to_levels(members[0])
        return quantise(self.blender.blend(dict(enumerate(members)), self.weights, "uint8"))

    def levels(self, image_id: str) -> Levels:
        """The label of an image as levels, `uint8 (height, width, classes)`."""
        return self.mean(self.voices(image_id))


def _mean(maps: Sequence[Stored]) -> Stored:
    if len(maps) == 1:
        return maps[0]
    return quantise(weighted_mean([to_probability(stored) for stored in maps], [1.0] * len(maps)))


@dataclass(frozen=True)
class PseudoLabelled(LabelledImages):
    """Images whose labels are probabilities of networks.

    `rule` says how they are read: as certain classes, or, with a number in `plane`, as the levels of one class.
    """

    maps: LabelMaps = field(kw_only=True)
    rule: LabelRule = field(kw_only=True)
    plane: int | None = field(default=None, kw_only=True)
    _recent: RecentlyDecoded = field(default_factory=RecentlyDecoded, kw_only=True, repr=False, compare=False)

    def read_as(self, rule: LabelRule, plane: int | None = None) -> "PseudoLabelled":
        """The same, read in another way."""
        return replace(self, rule=rule, plane=plane)

    def read_labels(self, image_id: str) -> Labels:
        """The class of each pixel, or the levels of one, `uint8 (height, width)`.

        Raises:
            DataError: the image has another size than its label.
            StorageError: the label is damaged.
            ChangedError: the labels were replaced since they were found.
        """
        return self._read_as_said(self._levels(image_id))

    def window_labels(self, image_id: str, window: Window) -> Labels:
        """The same of a window inside the image."""
        return self._read_as_said(cut(self._recent.get(image_id, lambda: self._levels(image_id)), window))

    def _levels(self, image_id: str) -> Levels:
        levels = self.maps.levels(image_id)
        size = self.images.size(image_id)
        if levels.shape[:2] != size:
            raise DataError(
                f"{image_id}: the pseudo-label is {levels.shape[0]}×{levels.shape[1]}, but the image is "
                f"{size[0]}×{size[1]}",
                "The image has changed: make the labels again with tk pseudo.",
            )
        return levels

    def _read_as_said(self, levels: Levels) -> Labels:
        return self.rule.labels(levels) if self.plane is None else self.rule.plane(levels, self.plane)


@dataclass(frozen=True)
class PseudoPool:
    """The pseudo-labelled images that one fold may learn from.

    Attributes:
        source: of images and labels.
        ids: of the images; those that show what the fold holds out are not among them.
        sizes: (height, width) of each.
        confidence: of their labels, `float64 (images,)`, 0–1.
        has_foreground: whether the label of each has any, `bool (images,)`.
        models: the names of the networks that made the labels.
        left_out: how many images were left out because they show what the fold holds out.
    """

    source: PseudoLabelled
    ids: tuple[str, ...]
    sizes: Mapping[str, Size]
    confidence: Floats
    has_foreground: npt.NDArray[np.bool_]
    models: tuple[str, ...]
    left_out: int

    @cached_property
    def samples(self) -> list[Sample]:
        """The images as samples of training."""
        return [Sample(self.source, image_id) for image_id in self.ids]

    def taken(self, minimum: float) -> Integers:
        """The positions of the images whose labels are certain enough and which are trained on, `int64 (count,)`."""
        trains = np.array([not is_left_out(self.source.images, image_id) for image_id in self.ids], np.bool_)
        return np.flatnonzero((self.confidence >= minimum) & trains)


PseudoPools = Mapping[tuple[str, int], PseudoPool]
"""By the name of the teacher and the fold."""
