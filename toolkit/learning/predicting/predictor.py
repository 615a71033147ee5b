"""Prediction: from batches of images to probability maps at each image's own size."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from toolkit.core.arrays import Presence, Probability
from toolkit.core.images.resizing import Placement
from toolkit.core.images.tiles import UNTILED, Mosaic
from toolkit.core.images.views import View, parse_views
from toolkit.core.masks.labels import Activation
from toolkit.core.recipe.probabilities import mean_presence, weighted_mean
from toolkit.files.data.sources import Images
from toolkit.learning.engines.engine import Engine, MeanOverViews
from toolkit.learning.engines.tensorflow_engine import TensorFlowEngine, compiled_mean
from toolkit.learning.networks.network import Network
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.reading.batches import prediction_batches
from toolkit.learning.reading.sample_reader import SampleReader, Tile
from toolkit.learning.runtime import has_gpu
from toolkit.messages import Task

Size = tuple[int, int]
Views = tuple[View, ...]

MOST_AT_ONCE = 4
"""The most images that a processor predicts at once: more are hardly faster."""
_FEWEST_AT_ONCE = 2  # with only AVX2, oneDNN is six times slower for a single image
_VIEWS_AT_ONCE = 4


@dataclass(frozen=True)
class Predicted:
    """The prediction for one image: `probability` is `float32 (height, width, classes)`, 0–1.

    `presence` is `float32 (classes,)`, 0–1, or None if the network has no presence head.
    """

    probability: Probability
    presence: Presence | None


def images_at_once(batch: int) -> int:
    """How many images the networks of an experiment always predict at once; `batch` is that of its last stage.

    The last digits of a prediction depend on the number of images that are computed together, but not on these images.
    So the number is the same for all predictions of an experiment, and batches are filled up to it.

    On a processor it is small, because a single image takes as long as a full batch. On a GPU it is the batch.
    """
    return batch if has_gpu() else _at_once_on_processor(batch)


def whole_batches(batch: int, *, is_tiled: bool) -> int:
    """After how many images or tiles a batch ends on every machine; `batch` is that of the last stage.

    With tiles it is that of processors alone: images have various numbers of tiles, and few ends of images would be
    ends of larger batches.
    """
    on_processor = _at_once_on_processor(batch)
    return on_processor if is_tiled else math.lcm(on_processor, batch)


def _at_once_on_processor(batch: int) -> int:
    return min(max(batch, _FEWEST_AT_ONCE), MOST_AT_ONCE)


class Predictor:
    """The mean prediction over a set of views, at the size of the network and with its present weights."""

    def __init__(self, network: Network, views: str, activation: Activation, *, at_once: int) -> None:
        """Compile the network for batches of `at_once` images; smaller ones are filled up."""
        self._predict = compiled_mean(parse_views(views), lambda view: network, activation, at_once, coarse=True)

    def __call__(self, images: Any) -> Probability:
        """Probabilities `float32 (batch, height, width, classes)` of images `uint8 (batch, height, width, channels)`.

        Validation and prediction use the same graph with the same number of images, so that their results agree to the
        last bit.
        """
        return self.with_outputs(images)[0]

    def with_outputs(self, images: Any) -> tuple[Probability, Outputs]:
        """The probabilities, and the outputs of the network for the first view, which is the image itself."""
        probability, _, outputs = self._predict(images)
        return probability.numpy(), outputs


class ViewsPredictor:
    """The mean predictions over several sets of views of any scales, at the images' own sizes.

    The views of a set are computed together, so that its predictions do not depend on the other sets.
    """

    def __init__(
        self,
        networks: Mapping[Size, Network],
        shapes: Mapping[float, Size],
        sets: Sequence[Views],
        activation: Activation,
        *,
        at_once: int,
        engine: Engine | None = None,
    ) -> None:
        """Prepare the networks.

        Args:
            networks: the same network for each input size (height, width) that the views need.
            shapes: the input size at each scale; transposed views swap height and width.
            sets: the sets of views.
            activation: of the classes.
            at_once: how many images the networks always predict at once.
            engine: computes them; TensorFlow by default.
        """
        self._engine = engine or TensorFlowEngine(activation, at_once)
        self.shapes, self.at_once = list(shapes.values()), at_once
        self._sets = [
            [
                _Group(number, len(views), self._engine.mean_over(views, partial(_at, networks, size)))
                for number, (scale, size) in enumerate(shapes.items())
                for views in _groups_of([view for view in every if view.scale == scale])
            ]
            for every in sets
        ]

    def refresh(self) -> None:
        """Use the present weights of the networks; must be called after they have changed."""
        self._engine.refresh()

    def __call__(self, pixels: Sequence[Any], placements: Sequence[Sequence[Placement]]) -> Iterator[list[Predicted]]:
        """The predictions for one image after the other, with each set of views.

        Args:
            pixels: images `uint8 (batch, height, width, channels)`, once for each of `shapes`.
            placements: the place of each image in these, for each of `shapes`.
        """
        found = [[group.arrays(pixels) for group in groups] for groups in self._sets]
        for row, placed in enumerate(zip(*placements, strict=True)):
            yield [
                _mean_of_groups(groups, arrays, placed, row) for groups, arrays in zip(self._sets, found, strict=True)
            ]


@dataclass(frozen=True)
class Rows:
    """Rows of the maps of one image, the first of which is row `top`, for each set of views.

    `size` is (height, width) of the image. `probabilities` are `float32 (rows, width, classes)` each. `presences` are
    those of the whole image, and come with its last rows.
    """

    image_id: str
    size: Size
    top: int
    probabilities: Sequence[Probability]
    presences: Sequence[Presence | None]
    is_last: bool


def predict_tiles(
    predict: ViewsPredictor, reader: SampleReader, images: Images, tiles: Sequence[Tile], task: Task
) -> Iterator[list[Predicted]]:
    """The predictions for one tile after the other with each set of views, at the tile's own size.

    The task advances by one with each tile.
    """
    for batch, placements, pixels in prediction_batches(reader, images, tiles, predict.at_once, predict.shapes):
        yield from predict(pixels, placements)
        task.advance(len(batch))


class Assembly:
    """Assembles the predictions for tiles to rows of their images."""

    def __init__(self, reader: SampleReader, images: Images) -> None:
        self._reader, self._images = reader, images
        self._size: Size = (0, 0)
        self._mosaics: list[Mosaic] = []
        self._left, self._top = 0, 0
        self._presences: list[Presence | None] = []

    def add(self, image_id: str, predicted: Sequence[Predicted]) -> Rows | None:
        """Add the prediction for the next tile; the tiles of an image come in order, before those of the next image.

        Returns:
            The rows that are finished with this tile, or None. The presence of an image is the largest of its tiles.
        """
        if not self._left:
            self._begin(image_id, predicted)
        self._left -= 1
        rows = [mosaic.add(one.probability) for mosaic, one in zip(self._mosaics, predicted, strict=True)]
        found = zip(self._presences, predicted, strict=True)
        self._presences = [_larger(before, one.presence) for before, one in found]
        if not len(rows[0]):
            return None
        top, is_last = self._top, not self._left
        self._top += len(rows[0])
        return Rows(image_id, self._size, top, rows, self._presences if is_last else [None] * len(rows), is_last)

    def _begin(self, image_id: str, predicted: Sequence[Predicted]) -> None:
        height, width, classes = predicted[0].probability.shape
        whole = self._reader.tiling == UNTILED
        self._size = (height, width) if whole else self._images.size(image_id)
        grid = self._reader.grid(self._size)
        self._mosaics = [Mosaic(grid, classes) for _ in predicted]
        self._presences = [None] * len(predicted)
        self._left, self._top = len(grid.windows), 0


def whole_maps(predicted: Iterable[Rows]) -> Iterator[tuple[str, list[Predicted]]]:
    """Ids and whole maps, for each set of views, from rows in the order of the images."""
    collected: list[Rows] = []
    for rows in predicted:
        collected.append(rows)
        if rows.is_last:
            columns = zip(*(one.probabilities for one in collected), strict=True)
            maps = [column[0] if len(column) == 1 else np.concatenate(column) for column in columns]
            found = zip(maps, rows.presences, strict=True)
            yield rows.image_id, [Predicted(probability, presence) for probability, presence in found]
            collected = []


def _larger(one: Presence | None, other: Presence | None) -> Presence | None:
    return other if one is None or other is None else np.maximum(one, other)


@dataclass(frozen=True)
class _Group:
    """Views of a set that are computed together: `count` views of the scale with this number."""

    number: int
    count: int
    mean: MeanOverViews

    def arrays(self, pixels: Sequence[Any]) -> tuple[Any, Any]:
        """The mean probability and presence of a batch."""
        return self.mean(pixels[self.number])


def _groups_of(views: Sequence[View]) -> list[Views]:
    """Views in groups that are computed together: a graph of all views would need the memory of all at once."""
    return [tuple(views[start : start + _VIEWS_AT_ONCE]) for start in range(0, len(views), _VIEWS_AT_ONCE)]


def _at(networks: Mapping[Size, Network], size: Size, view: View) -> Network:
    return networks[view.size(size)]


def _mean_of_groups(
    groups: Sequence[_Group], found: Sequence[tuple[Any, Any]], placed: Sequence[Placement], row: int
) -> Predicted:
    """The mean over all views of a set, for one image of a batch."""
    maps = [placed[group.number].undo(arrays[0][row]) for group, arrays in zip(groups, found, strict=True)]
    presences = [None if presence is None else presence[row] for _, presence in found]
    counts = [group.count for group in groups]
    return Predicted(maps[0] if len(maps) == 1 else weighted_mean(maps, counts), mean_presence(presences, counts))
