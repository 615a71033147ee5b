"""From images to probability maps at each image's own size."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from toolkit.core.arrays import Probability
from toolkit.core.views import VIEWS
from toolkit.files.sources import Images
from toolkit.learning.batches import SampleReader, prediction_batches
from toolkit.learning.networks import Network
from toolkit.learning.runtime import tf
from toolkit.messages import Task

Predictor = Callable[[Any], Probability]
"""From images `uint8 (batch, height, width, 3)` to probabilities `float32 (batch, height, width, classes)`."""


def predictor(network: Network, views: str) -> Predictor:
    """The mean prediction of a network over a set of views, each undone; follows the network's weights."""

    @tf.function(reduce_retracing=True)
    def predict(images: Any) -> Any:
        predictions = [
            view.undo(tf.sigmoid(network.logits(view.apply(images), training=False))) for view in VIEWS[views]
        ]
        return tf.add_n(predictions) / len(predictions)

    return lambda images: predict(images).numpy()


def predict_images(
    predict: Predictor, reader: SampleReader, images: Images, ids: Sequence[str], *, batch: int, task: Task
) -> Iterator[tuple[str, Probability]]:
    """Ids and probabilities `float32 (height, width, classes)` at each image's own size, in the order of `ids`."""
    for names, placements, pixels in prediction_batches(reader, images, ids, batch):
        for image_id, placement, probability in zip(names, placements, predict(pixels), strict=True):
            yield image_id, placement.undo(probability)
        task.advance(len(names))
