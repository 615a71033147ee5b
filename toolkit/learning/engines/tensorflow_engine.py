"""TensorFlow as an engine: one graph for a set of views, which reads the weights of the networks as they are."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from toolkit.core.arrays import Presence, Probability
from toolkit.core.images.views import View
from toolkit.core.masks.labels import Activation
from toolkit.learning.engines.engine import MeanOverViews, NetworkOf
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.runtime import compiled, in_float32, tf

Predict = Callable[[Any], tuple[Any, Any, Outputs]]
"""From images to the mean probability, the mean presence or None, and the outputs for the first view, as tensors."""


class TensorFlowEngine:
    """Graphs of TensorFlow; changed weights need no `refresh`."""

    def __init__(self, activation: Activation, at_once: int) -> None:
        self._activation, self._at_once = activation, at_once

    def mean_over(self, views: Sequence[View], network_of: NetworkOf) -> MeanOverViews:
        """See `Engine`."""
        predict = compiled_mean(views, network_of, self._activation, self._at_once, coarse=False)

        def mean(images: Any) -> tuple[Probability, Presence | None]:
            probability, presence, _ = predict(images)
            return probability.numpy(), None if presence is None else presence.numpy()

        return mean

    def refresh(self) -> None:
        """See `Engine`: there is nothing to do."""


def compiled_mean(
    views: Sequence[View], network_of: NetworkOf, activation: Activation, at_once: int, *, coarse: bool
) -> Predict:
    """The mean over views as one graph, for any number of images, computed `at_once` at a time.

    `coarse` says whether the outputs for the first view have the coarse masks, which a loss may need.
    """

    def predict(images: Any) -> Any:
        outputs = [
            network_of(view).outputs(view.apply(images, tf.transpose), training=False, coarse=coarse) for view in views
        ]
        maps, presences = zip(*(probabilities_of(output, activation) for output in outputs), strict=True)
        undone = [view.undo(found, tf.transpose) for view, found in zip(views, maps, strict=True)]
        presence = [found for found in presences if found is not None]
        return _mean(undone), _mean(presence) if presence else None, outputs[0]

    autograph = any(network_of(view).autograph for view in views)
    return _size_at_a_time(compiled(predict, autograph=autograph), at_once)


def probabilities_of(outputs: Outputs, activation: Activation) -> tuple[Any, Any]:
    """The probabilities of the masks, `float32 (batch, height, width, classes)`, and the presence, (batch, classes).

    The presence is the probability that each class occurs: classes may occur together, whatever the activation of the
    masks. It is None without a presence head.
    """
    activate = tf.sigmoid if activation == "sigmoid" else tf.nn.softmax
    presence = None if outputs.presence is None else tf.sigmoid(in_float32(outputs.presence))
    return activate(in_float32(outputs.logits)), presence


def _size_at_a_time(predict: Predict, size: int) -> Predict:
    """The same for any number of images, computed `size` images at a time.

    The last images are filled up by repeating one, which every network accepts, also one of plugins.
    """

    def predict_all(images: Any) -> Any:
        count = len(images)
        missing = -count % size
        filled = tf.concat([images, tf.repeat(images[-1:], missing, axis=0)], axis=0) if missing else images
        found = [predict(filled[start : start + size]) for start in range(0, count, size)]
        return found[0] if count == size else tf.nest.map_structure(partial(_first_of, count), *found)

    return predict_all


def _first_of(count: int, *outputs: Any) -> Any:
    """One output of a network for the first `count` images; None if the network does not have it."""
    return None if outputs[0] is None else tf.concat(outputs, axis=0)[:count]


def _mean(tensors: Sequence[Any]) -> Any:
    return tf.add_n(tensors) / len(tensors)
