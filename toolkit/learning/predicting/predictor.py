"""From images to probability maps at each image's own size."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from toolkit.learning.batches import SampleReader, Tile, prediction_batches
from toolkit.learning.networks.network import Network
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.runtime import compiled, in_float32, tf
from toolkit.messages import Task

Size = tuple[int, int]
Views = tuple[View, ...]
_Predict = Callable[[Any], tuple[Any, Any, Outputs]]

MOST_AT_ONCE = 4
"""Images that a processor predicts at once: more hardly bring speed."""
_FEWEST_AT_ONCE = 2  # for a single one oneDNN takes a way that is six times slower where there is only AVX2
_VIEWS_AT_ONCE = 4


@dataclass(frozen=True)
class Predicted:
    """What is predicted of one image.

    `probability` is `float32 (height, width, classes)`, 0–1; `presence` is there if the network has a presence head.
    """

    probability: Probability
    presence: Presence | None


def images_at_once(batch: int) -> int:
    """How many images the networks of an experiment predict at once, always; `batch` is that of its last stage.

    What a network computes of an image depends, in the last digits, on the number of images computed with it, though
    not on what these are. So this number is one for all that an experiment predicts, and missing images are made up.

    On a processor it is small, since a single image costs as much as all of them. A GPU wants its batch filled.
    """
    return batch if tf.config.list_physical_devices("GPU") else min(max(batch, _FEWEST_AT_ONCE), MOST_AT_ONCE)


class Predictor:
    """The mean prediction of a network over a set of views at its own size; follows the network's weights."""

    def __init__(self, network: Network, views: str, activation: Activation, *, at_once: int) -> None:
        """Compile; the network always sees `at_once` images, however many there are."""
        self._predict = _compiled_mean(parse_views(views), lambda view: network, activation, at_once)

    def __call__(self, images: Any) -> Probability:
        """Probabilities `float32 (batch, height, width, classes)` of images `uint8 (batch, height, width, channels)`.

        The same graph serves validation and prediction, for as many images at once, so that their figures agree to the
        last bit.
        """
        return self.with_outputs(images)[0]

    def with_outputs(self, images: Any) -> tuple[Probability, Outputs]:
        """Probabilities as above, and the network's outputs for the first view, which is the image itself."""
        probability, _, outputs = self._predict(images)
        return probability.numpy(), outputs


class ViewsPredictor:
    """The mean predictions over several sets of views, of any scales, at the images' own sizes.

    Each set has graphs of its own: what is predicted with it does not depend on the other sets. Networks follow their
    weights.
    """

    def __init__(
        self,
        networks: Mapping[Size, Network],
        shapes: Mapping[float, Size],
        sets: Sequence[Views],
        activation: Activation,
        *,
        at_once: int,
    ) -> None:
        """Compile.

        Args:
            networks: the same network for inputs of each size (height, width) that is asked for.
            shapes: the size at each scale; views that are transposed take it the other way round.
            sets: the sets of views.
            activation: of the classes.
            at_once: how many images the networks always see, however many there are.
        """
        self.shapes, self.at_once = list(shapes.values()), at_once
        self._sets = [
            [
                _Part(number, len(views), _compiled_mean(views, partial(_at, networks, size), activation, at_once))
                for number, (scale, size) in enumerate(shapes.items())
                for views in _in_parts([view for view in every if view.scale == scale])
            ]
            for every in sets
        ]

    def __call__(self, pixels: Sequence[Any], placements: Sequence[Sequence[Placement]]) -> Iterator[list[Predicted]]:
        """What is predicted of one image after the other, with each set of views.

        Args:
            pixels: images `uint8 (batch, height, width, channels)`, once for each of `shapes`.
            placements: where these images lie in them.
        """
        found = [[part.arrays(pixels) for part in parts] for parts in self._sets]
        for row, placed in enumerate(zip(*placements, strict=True)):
            yield [_joined(parts, arrays, placed, row) for parts, arrays in zip(self._sets, found, strict=True)]


@dataclass(frozen=True)
class Rows:
    """Rows of the maps of one image, from row `top` on, for each set of views.

    `size` is (height, width) of the image; `probabilities` are `float32 (rows, width, classes)` each; `presences` come
    with the last rows, and are of the whole image.
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
    """What is predicted of one tile after the other with each set of views, at the tile's own size."""
    for part, placements, pixels in prediction_batches(reader, images, tiles, predict.at_once, predict.shapes):
        yield from predict(pixels, placements)
        task.advance(len(part))


class Assembly:
    """Puts what is predicted of tiles together to rows of their images."""

    def __init__(self, reader: SampleReader, images: Images) -> None:
        self._reader, self._images = reader, images
        self._size: Size = (0, 0)
        self._mosaics: list[Mosaic] = []
        self._left, self._top = 0, 0
        self._presences: list[Presence | None] = []

    def add(self, image_id: str, predicted: Sequence[Predicted]) -> Rows | None:
        """Add the next tile: all of an image, one after the other, then those of the next.

        Returns:
            The rows that are finished with it, if there are any. What a head says of tiles is true of their image
            where it is most certain: its presence is the largest.
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


def whole_maps(parts: Iterable[Rows]) -> Iterator[tuple[str, list[Predicted]]]:
    """Ids and whole maps of rows that come one after the other."""
    collected: list[Rows] = []
    for part in parts:
        collected.append(part)
        if part.is_last:
            columns = zip(*(one.probabilities for one in collected), strict=True)
            maps = [rows[0] if len(rows) == 1 else np.concatenate(rows) for rows in columns]
            found = zip(maps, part.presences, strict=True)
            yield part.image_id, [Predicted(probability, presence) for probability, presence in found]
            collected = []


def _larger(one: Presence | None, other: Presence | None) -> Presence | None:
    return other if one is None or other is None else np.maximum(one, other)


def presence_of(outputs: Outputs) -> Any:
    """Whether each class occurs at all, `float32 (batch, classes)`, 0–1; None without a presence head.

    Classes may occur together whatever the activation of the masks.
    """
    return None if outputs.presence is None else tf.sigmoid(in_float32(outputs.presence))


@dataclass(frozen=True)
class _Part:
    """Some views of a set, all of the scale that has this number."""

    number: int
    count: int
    predict: _Predict

    def arrays(self, pixels: Sequence[Any]) -> tuple[Any, Any]:
        """Mean probability and presence of a batch."""
        probability, presence, _ = self.predict(pixels[self.number])
        return probability.numpy(), None if presence is None else presence.numpy()


def _in_parts(views: Sequence[View]) -> list[Views]:
    """Views that are computed together: what a graph runs at the same time takes memory at the same time."""
    return [tuple(views[start : start + _VIEWS_AT_ONCE]) for start in range(0, len(views), _VIEWS_AT_ONCE)]


def _at(networks: Mapping[Size, Network], size: Size, view: View) -> Network:
    return networks[view.size(size)]


def _in_equal_parts(predict: _Predict, size: int) -> _Predict:
    """The same for batches of any size, computed `size` images at a time; those that the last part lacks are made up.

    They repeat an image, because anything else might be what a network of the user's own cannot take.
    """

    def in_parts(images: Any) -> Any:
        count = len(images)
        missing = -count % size
        filled = tf.concat([images, tf.repeat(images[-1:], missing, axis=0)], axis=0) if missing else images
        found = [predict(filled[start : start + size]) for start in range(0, count, size)]
        return found[0] if count == size else tf.nest.map_structure(partial(_joined_parts, count), *found)

    return in_parts


def _joined_parts(count: int, *parts: Any) -> Any:
    """One output of a network for the first `count` images; None where there is none."""
    return None if parts[0] is None else tf.concat(parts, axis=0)[:count]


def _compiled_mean(
    views: Views, network_of: Callable[[View], Network], activation: Activation, at_once: int
) -> _Predict:
    """From images to the mean probability, the mean presence if there is any, and the outputs for the first view."""
    activate = tf.sigmoid if activation == "sigmoid" else tf.nn.softmax

    def predict(images: Any) -> Any:
        outputs = [network_of(view).outputs(view.apply(images, tf.transpose), training=False) for view in views]
        maps = [activate(in_float32(output.logits)) for output in outputs]
        undone = [view.undo(found, tf.transpose) for view, found in zip(views, maps, strict=True)]
        presence = [found for found in map(presence_of, outputs) if found is not None]
        return _mean(undone), _mean(presence) if presence else None, outputs[0]

    return _in_equal_parts(compiled(predict), at_once)


def _mean(tensors: Sequence[Any]) -> Any:
    return tf.add_n(tensors) / len(tensors)


def _joined(
    parts: Sequence[_Part], found: Sequence[tuple[Any, Any]], placed: Sequence[Placement], row: int
) -> Predicted:
    """The mean over the parts of a set, of one image of a batch."""
    maps = [placed[part.number].undo(arrays[0][row]) for part, arrays in zip(parts, found, strict=True)]
    presences = [None if presence is None else presence[row] for _, presence in found]
    counts = [part.count for part in parts]
    return Predicted(maps[0] if len(maps) == 1 else weighted_mean(maps, counts), mean_presence(presences, counts))
