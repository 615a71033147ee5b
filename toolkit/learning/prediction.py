"""From images to probability maps at each image's own size."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from toolkit.learning.runtime import compiled, tf
from toolkit.messages import Task

Size = tuple[int, int]
Views = tuple[View, ...]


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
        self._predict = _compiled_means([parse_views(views)], lambda view: network, activation)

    def __call__(self, images: Any) -> Probability:
        """Probabilities `float32 (batch, height, width, classes)` of images `uint8 (batch, height, width, channels)`.

        The same graph serves validation and prediction, so that their figures agree to the last bit.
        """
        return self.with_outputs(images)[0]

    def with_outputs(self, images: Any) -> tuple[Probability, Outputs]:
        """Probabilities as above, and the network's outputs for the first view, which is the image itself."""
        ((probability, _),), outputs = self._predict(images)
        return probability.numpy(), outputs


class ViewsPredictor:
    """The mean predictions over several sets of views, of any scales, at the images' own sizes.

    A view that several sets have is computed once. Networks follow their weights.
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
        self._parts = [[tuple(view for view in views if view.scale == scale) for views in sets] for scale in shapes]
        self._predict = [
            _compiled_means(parts, lambda view, size=size: networks[view.size(size)], activation)  # type: ignore[misc]
            for parts, size in zip(self._parts, self.shapes, strict=True)
        ]

    def __call__(self, pixels: Sequence[Any], placements: Sequence[Sequence[Placement]]) -> Iterator[list[Predicted]]:
        """What is predicted of one image after the other, with each set of views.

        Args:
            pixels: images `uint8 (batch, height, width, channels)`, once for each of `shapes`.
            placements: where these images lie in them.
        """
        means = [predict(images)[0] for predict, images in zip(self._predict, pixels, strict=True)]
        arrays = tf.nest.map_structure(lambda tensor: tensor if tensor is None else tensor.numpy(), means)
        for row, placed in enumerate(zip(*placements, strict=True)):
            yield [
                _joined(row, placed, [of_scale[number] for of_scale in arrays], [len(views) for views in parts])
                for number, parts in enumerate(zip(*self._parts, strict=True))
            ]


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
    return None if outputs.presence is None else tf.sigmoid(outputs.presence)


def _compiled_means(
    sets: Sequence[Views], network_of: Callable[[View], Network], activation: Activation
) -> Callable[[Any], tuple[list[tuple[Any, Any]], Outputs]]:
    """From images to the mean probability and presence of each set of views, and the outputs for the first view.

    Both are None for a set without views, and presence without an emptiness head.
    """
    activate = tf.sigmoid if activation == "sigmoid" else tf.nn.softmax
    every = list(dict.fromkeys(view for views in sets for view in views))

    def predict(images: Any) -> Any:
        outputs = {view: network_of(view).outputs(view.apply(images, tf.transpose), training=False) for view in every}
        undone = {view: view.undo(activate(outputs[view].logits), tf.transpose) for view in every}
        presence = {view: presence_of(outputs[view]) for view in every}
        return [(_mean(undone, views), _mean(presence, views)) for views in sets], outputs[every[0]]

    return compiled(predict)


def _mean(found: Mapping[View, Any], views: Views) -> Any:
    tensors = [found[view] for view in views if found[view] is not None]
    return tf.add_n(tensors) / len(tensors) if tensors else None


def _joined(
    row: int, placed: Sequence[Placement], means: Sequence[tuple[Any, Any]], counts: Sequence[int]
) -> Predicted:
    """The mean over scales, of one image of a batch; each scale has a mean over so many views of its own."""
    scales = [index for index, count in enumerate(counts) if count]
    maps = [placed[scale].undo(means[scale][0][row]) for scale in scales]
    weights = [counts[scale] for scale in scales]
    presences = [None if means[scale][1] is None else means[scale][1][row] for scale in scales]
    return Predicted(maps[0] if len(maps) == 1 else weighted_mean(maps, weights), mean_presence(presences, weights))
