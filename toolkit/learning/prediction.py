"""From images to probability maps at each image's own size."""

from collections.abc import Iterator, Sequence
from typing import Any

from toolkit.core.arrays import Probability
from toolkit.core.labels import Activation
from toolkit.core.views import VIEWS
from toolkit.files.sources import Images
from toolkit.learning.batches import SampleReader, prediction_batches
from toolkit.learning.networks import Network
from toolkit.learning.outputs import Outputs
from toolkit.learning.runtime import compiled, tf
from toolkit.messages import Task


class Predictor:
    """The mean prediction of a network over a set of views, each undone; follows the network's weights."""

    def __init__(self, network: Network, views: str, activation: Activation) -> None:
        activate = tf.sigmoid if activation == "sigmoid" else tf.nn.softmax

        def predict(images: Any) -> Any:
            outputs = [network.outputs(view.apply(images), training=False) for view in VIEWS[views]]
            undone = [view.undo(activate(output.logits)) for view, output in zip(VIEWS[views], outputs, strict=True)]
            return tf.add_n(undone) / len(undone), outputs[0]

        self._predict = compiled(predict)

    def __call__(self, images: Any) -> Probability:
        """Probabilities `float32 (batch, height, width, classes)` of images `uint8 (batch, height, width, channels)`.

        The same graph serves validation and prediction, so that their figures agree to the last bit.
        """
        probability: Probability = self._predict(images)[0].numpy()
        return probability

    def with_outputs(self, images: Any) -> tuple[Probability, Outputs]:
        """Probabilities as above, and the network's outputs for the first view, which is the image itself."""
        probability, outputs = self._predict(images)
        return probability.numpy(), outputs


def predict_images(
    predict: Predictor, reader: SampleReader, images: Images, ids: Sequence[str], *, batch: int, task: Task
) -> Iterator[tuple[str, Probability]]:
    """Ids and probabilities `float32 (height, width, classes)` at each image's own size, in the order of `ids`."""
    for names, placements, pixels in prediction_batches(reader, images, ids, batch):
        for image_id, placement, probability in zip(names, placements, predict(pixels), strict=True):
            yield image_id, placement.undo(probability)
        task.advance(len(names))
