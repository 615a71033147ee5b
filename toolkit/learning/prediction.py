"""From images to probability maps at each image's own size."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from toolkit.core.arrays import Presence, Probability
from toolkit.core.blend import mean_presence, weighted_mean
from toolkit.core.labels import Activation
from toolkit.core.placement import Placement
from toolkit.core.views import View, parse_views
from toolkit.files.sources import Images
from toolkit.learning.batches import SampleReader, prediction_batches
from toolkit.learning.networks import Network
from toolkit.learning.outputs import Outputs
from toolkit.learning.runtime import compiled, in_float32, tf
from toolkit.messages import Task

Size = tuple[int, int]
Views = tuple[View, ...]

_VIEWS_AT_ONCE = 4


@dataclass(frozen=True)
class Predicted:
    """What is predicted of one image.

    `probability` is `float32 (height, width, classes)`, 0–1; `presence` is there if the network has an emptiness head.
    """

    probability: Probability
    presence: Presence | None


class Predictor:
    """The mean prediction of a network over a set of views at its own size; follows the network's weights."""

    def __init__(self, network: Network, views: str, activation: Activation) -> None:
        self._predict = _compiled_mean(parse_views(views), lambda view: network, activation)

    def __call__(self, images: Any) -> Probability:
        """Probabilities `float32 (batch, height, width, classes)` of images `uint8 (batch, height, width, channels)`.

        The same graph serves validation and prediction, so that their figures agree to the last bit.
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
    ) -> None:
        """Compile.

        Args:
            networks: the same network for inputs of each size (height, width) that is asked for.
            shapes: the size at each scale; views that are transposed take it the other way round.
            sets: the sets of views.
            activation: of the classes.
        """
        self.shapes = list(shapes.values())
        self._sets = [
            [
                _Part(number, len(views), _compiled_mean(views, partial(_at, networks, size), activation))
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


def predict_images(
    predict: ViewsPredictor, reader: SampleReader, images: Images, ids: Sequence[str], *, batch: int, task: Task
) -> Iterator[tuple[str, list[Predicted]]]:
    """Ids and what is predicted with each set of views, at each image's own size, in the order of `ids`."""
    for names, placements, pixels in prediction_batches(reader, images, ids, batch, predict.shapes):
        yield from zip(names, predict(pixels, placements), strict=True)
        task.advance(len(names))


def presence_of(outputs: Outputs) -> Any:
    """Whether each class occurs at all, `float32 (batch, classes)`, 0–1; None without an emptiness head.

    Classes may occur together whatever the activation of the masks.
    """
    return None if outputs.presence is None else tf.sigmoid(in_float32(outputs.presence))


@dataclass(frozen=True)
class _Part:
    """Some views of a set, all of the scale that has this number."""

    number: int
    count: int
    predict: Callable[[Any], tuple[Any, Any, Outputs]]

    def arrays(self, pixels: Sequence[Any]) -> tuple[Any, Any]:
        """Mean probability and presence of a batch."""
        probability, presence, _ = self.predict(pixels[self.number])
        return probability.numpy(), None if presence is None else presence.numpy()


def _in_parts(views: Sequence[View]) -> list[Views]:
    """Views that are computed together: what a graph runs at the same time takes memory at the same time."""
    return [tuple(views[start : start + _VIEWS_AT_ONCE]) for start in range(0, len(views), _VIEWS_AT_ONCE)]


def _at(networks: Mapping[Size, Network], size: Size, view: View) -> Network:
    return networks[view.size(size)]


def _compiled_mean(
    views: Views, network_of: Callable[[View], Network], activation: Activation
) -> Callable[[Any], tuple[Any, Any, Outputs]]:
    """From images to the mean probability, the mean presence if there is any, and the outputs for the first view."""
    activate = tf.sigmoid if activation == "sigmoid" else tf.nn.softmax

    def predict(images: Any) -> Any:
        outputs = [network_of(view).outputs(view.apply(images, tf.transpose), training=False) for view in views]
        maps = [activate(in_float32(output.logits)) for output in outputs]
        undone = [view.undo(found, tf.transpose) for view, found in zip(views, maps, strict=True)]
        presence = [found for found in map(presence_of, outputs) if found is not None]
        return _mean(undone), _mean(presence) if presence else None, outputs[0]

    return compiled(predict)


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
