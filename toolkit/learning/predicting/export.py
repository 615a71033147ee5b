"""A trained network as one Keras model, from pixel values to probabilities."""

from pathlib import Path
from typing import Any

from toolkit.files.experiment.fitted import Networks
from toolkit.learning.networks.network import build_network
from toolkit.learning.plugins import Plugins
from toolkit.learning.runtime import configure, in_float32, parse_precision, tf
from toolkit.messages import Progress


def keras_model(networks: Networks, weights: Path, progress: Progress) -> Any:
    """A network of an experiment with one of its weight files, as a plain Keras model.

    Returns:
        A tf.keras model from pixel values (batch, height, width, channels), 0–255, to probabilities `float32 (batch,
        height, width, classes)`. With a presence head it returns a list: these and the presence `float32 (batch,
        classes)`.

    Raises:
        WeightsError: the weights do not fit the network.
    """
    config = networks.config
    configure(parse_precision(networks.precision))
    shape = config.prediction_shape
    bare = config.network_spec(shape).model_copy(update={"encoder_weights": None})
    network = build_network(bare, config.seed, plugins=Plugins.of(networks.experiment, progress))
    network.load_weights(weights)
    images = tf.keras.Input(shape, name="images")
    outputs = network.outputs(images, coarse=False)
    activate = tf.sigmoid if config.activation == "sigmoid" else tf.nn.softmax
    found = [activate(in_float32(outputs.logits))]
    if outputs.presence is not None:
        found.append(tf.sigmoid(in_float32(outputs.presence)))
    return tf.keras.Model(images, found if len(found) > 1 else found[0], name=networks.experiment.name)
