"""Networks as one graph of TensorFlow: from uint8 images to probabilities, in float32."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from toolkit.errors import ConfigError, ExportError
from toolkit.learning.networks.fast_layers import DilatedConvolution, RepeatedPixels
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.networks.rebuilding import Layer, all_layers, rebuilt
from toolkit.learning.plugins import Plugins
from toolkit.learning.predicting.exporting.weighted_networks import WeightedNetworks
from toolkit.learning.runtime import configure, tf, with_constants
from toolkit.messages import Progress, Task

INPUT, PROBABILITIES, PRESENCE = "images", "probabilities", "presence"
"""The names of the input and of the outputs in every format."""


@dataclass(frozen=True, eq=False)
class ExportedGraph:
    """The weighted mean of networks, whose input is `uint8 (batch, height, width, channels)`.

    Attributes:
        shape: (height, width, channels); height and width are None if they may be any that the networks accept.
        outputs: the names of the outputs, sorted: `presence`, if there is a presence head, and `probabilities`.
        owner: holds the variables that the function reads.
    """

    shape: tuple[int | None, int | None, int]
    outputs: tuple[str, ...]
    owner: Any
    _predict: Any

    def function(self, batch: int | None) -> Any:
        """The concrete function for `batch` images at once, or for any number; it returns a dict of the outputs."""
        return self._predict.get_concrete_function(tf.TensorSpec((batch, *self.shape), tf.uint8, name=INPUT))

    def constants(self, batch: int | None) -> tuple[Any, str, tuple[str, ...]]:
        """A GraphDef with the weights as constants, the name of its input tensor, and those of its outputs."""
        frozen = with_constants(self.function(batch))
        return (
            frozen.graph.as_graph_def(),
            frozen.inputs[0].name,
            tuple(tensor.name for tensor in frozen.outputs),  # as in `outputs`: TensorFlow sorts the keys of a dict
        )

    @property
    def bytes_of_weights(self) -> int:
        """The size of all weights in float32."""
        return sum(int(variable.shape.num_elements()) * variable.dtype.size for variable in self.owner.variables)


def build_graph(
    members: Sequence[WeightedNetworks], size: tuple[int, int] | None, *, any_size: bool, task: Task, progress: Progress
) -> ExportedGraph:
    """Build the networks with their weights.

    Args:
        members: the networks.
        size: (height, width) of the input; that of prediction if None.
        any_size: whether the graph takes images of any height and width.
        task: advances with each network.
        progress: says which own modules are run.

    Raises:
        NetworkError: the networks cannot be built for this size.
        WeightsError: weights do not fit.
    """
    configure("float32")
    tf.keras.backend.clear_session()
    built: list[tuple[Network, float]] = []
    for member in members:
        built += _networks(member, size, task, progress)
    config = members[0].networks.config
    activate = tf.sigmoid if config.activation == "sigmoid" else tf.nn.softmax

    def predict(images: Any) -> dict[str, Any]:
        found = [(network.outputs(images, training=False), share) for network, share in built]
        outputs = {PROBABILITIES: _mean([(activate(one.logits), share) for one, share in found], PROBABILITIES)}
        presences = [(tf.sigmoid(one.presence), share) for one, share in found if one.presence is not None]
        return outputs | ({PRESENCE: _mean(presences, PRESENCE)} if presences else {})

    owner = tf.Module()
    owner.weights = [variable for network, _ in built for variable in network.model.variables]
    height, width, channels = config.prediction_shape
    if size is not None:
        height, width = size
    has_presence = any(member.networks.config.presence_head for member in members)
    return ExportedGraph(
        (None, None, channels) if any_size else (height, width, channels),
        (PRESENCE, PROBABILITIES) if has_presence else (PROBABILITIES,),
        owner,
        tf.function(predict, autograph=any(network.autograph for network, _ in built)),
    )


def _networks(
    member: WeightedNetworks, size: tuple[int, int] | None, task: Task, progress: Progress
) -> list[tuple[Network, float]]:
    config = member.networks.config
    shape = config.prediction_shape if size is None else (*size, config.shape[2])
    # All weights are replaced by those of a file: the published ones are not downloaded.
    bare = config.network_spec(shape).model_copy(update={"encoder_weights": None})
    plugins = Plugins.of(member.networks.experiment, progress)
    found = []
    for path, share in member.weights():
        network = build_network(bare, config.seed, plugins=plugins)
        network = replace(network, model=_with_plain_layers(network.model))
        network.load_weights(path)
        found.append((network, share))
        task.advance()
    return found


class _PlainDilation(tf.keras.layers.Conv2D):  # type: ignore[misc] # TensorFlow has no types
    """A dilated convolution as one operation, which converters know; Keras divides it into several on a processor."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution of features (batch, height, width, channels), without bias."""
        return tf.nn.conv2d(inputs, kernel, 1, self.padding.upper(), dilations=self.dilation_rate)


_PLAIN = {DilatedConvolution: _PlainDilation, RepeatedPixels: tf.keras.layers.UpSampling2D}
"""Layers that are fast in TensorFlow on one device, and what they become in a file that runs elsewhere."""


def _with_plain_layers(model: Any) -> Any:
    if not any(type(layer) in _PLAIN for layer in all_layers(model)):
        return model

    def replace_layer(layer: Layer) -> Layer:
        plain = _PLAIN.get(type(layer))
        return layer if plain is None else plain.from_config(layer.get_config())

    return rebuilt(model, replace_layer)


def _mean(tensors: Sequence[tuple[Any, float]], name: str) -> Any:
    total = sum(share for _, share in tensors)
    if len(tensors) == 1:
        return tf.identity(tensors[0][0], name)
    return tf.identity(tf.add_n([tensor * (share / total) for tensor, share in tensors]), name)


def refuse_large(graph: ExportedGraph, title: str) -> None:
    """Refuse networks whose weights do not fit into one file of the formats that hold them in a single message.

    Raises:
        ConfigError: they are too large.
    """
    found = graph.bytes_of_weights
    if found > _LARGEST:
        raise ConfigError(
            f"the weights take {found / 1e9:.1f} GB, but a file of {title} holds at most 2 GB",
            "Export the folds alone (--fold N), or write a SavedModel: --format savedmodel",
        )


_LARGEST = 2**31 - 2**26


def not_converted(error: Exception, name: str, title: str) -> ExportError:
    """The error about a network that the library of a format cannot convert, write or run."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ExportError(
        f"{name} cannot be exported to {title}: {lines[-1].strip()[:300]}",
        "Try another format with --format: savedmodel takes every network.",
    )
