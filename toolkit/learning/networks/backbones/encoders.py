"""Encoders: their features and strides, and the parts that networks are assembled from."""

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from toolkit.config.keras.block_names import keras_block_names
from toolkit.config.training.networks import NetworkSpec
from toolkit.errors import NetworkError, nearest
from toolkit.learning.networks.backbones.registry import has_own_weights, library, own_weights
from toolkit.learning.networks.rebuilding import Layer, rebuilt
from toolkit.learning.networks.weight_files import weighted_layers
from toolkit.learning.runtime import tf

Tensor = Any
"""A symbolic tensor of Keras, `(batch, height, width, channels)`."""


@dataclass(frozen=True)
class Parts:
    """The parts of an architecture, symbolic tensors of one graph.

    `logits` and `auxiliary` are (batch, height, width, classes); `deepest` are the last features of the encoder;
    `encoder` has the names of its layers, which take the encoder weights and which freezing freezes.
    """

    inputs: Tensor
    logits: Tensor
    deepest: Tensor
    encoder: tuple[str, ...]
    auxiliary: tuple[Tensor, ...] = ()


Builder = Callable[[NetworkSpec, Any, str | None], Parts]
"""Builds an architecture from a specification, its options, and the name of published encoder weights or None."""


def build_encoder(backbone: str, shape: tuple[int, int, int], weights: str | None) -> Any:
    """An encoder as a `tf.keras.Model`, from preprocessed images to features with sides 32 times smaller.

    `weights` is `imagenet`, or None for random weights.

    Raises:
        WeightsError: the Python package with the weights is not installed or damaged.
    """
    own = weights is not None and has_own_weights(backbone)
    with any_number_of_channels():
        encoder = library().Backbones.get_backbone(
            backbone,
            input_shape=shape,
            weights=None if own else weights,
            include_top=False,
            backend=tf.keras.backend,
            layers=tf.keras.layers,
            models=tf.keras.models,
            utils=tf.keras.utils,
        )
    if own:
        found = own_weights(encoder, backbone)
        for layer in weighted_layers(encoder):
            layer.set_weights(found[layer.name])
    return encoder


@contextmanager
def any_number_of_channels() -> Iterator[None]:
    """Suppress the warning of keras_applications that images usually have 1 or 3 channels."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*model usually expects 1 or 3 input channels.*")
        yield


def features_by_stride(encoder: Any, backbone: str) -> dict[int, Tensor]:
    """The last features and those for skip connections, by their stride: how many times smaller their sides are."""
    named = library().Backbones.get_feature_layers(backbone)
    tensors = [_layer(encoder, name).output for name in named]
    return {_stride(encoder, tensor): tensor for tensor in [*tensors, encoder.output]}


def feature_named(encoder: Any, backbone: str, name: str) -> Tensor:
    """The output of a layer of the backbone.

    Names of Keras' own ResNets (conv5_block3_out) are understood as well: they mean the activation after that block.

    Raises:
        NetworkError: the backbone has no such layer.
    """
    names = [layer.name for layer in encoder.layers]
    found = name if name in names else _name_in_resnet(name, names)
    if found is None:
        of_keras = keras_block_names(backbone)
        near = nearest(name, [*of_keras, *names])
        guess = f"Did you mean {near!r}?" if near else f"Its last layers are {', '.join(of_keras[-3:] or names[-3:])}."
        raise NetworkError(
            f"refine_net_blocks: {backbone} has no layer {name}",
            f"{guess} Without refine_net_blocks the default four layers are used.",
        )
    return encoder.get_layer(found).output


def _name_in_resnet(name: str, names: list[str]) -> str | None:
    """The library's name for conv4_block6_out of Keras: the activation with which the next block begins."""
    match = re.fullmatch(r"conv([2-5])_block(\d+)_out", name)
    if match is None or f"stage{int(match[1]) - 1}_unit{match[2]}_relu1" not in names:
        return None
    stage, unit = int(match[1]) - 1, int(match[2])
    followers = (f"stage{stage}_unit{unit + 1}_relu1", f"stage{stage + 1}_unit1_relu1", "relu1")
    return next((follower for follower in followers if follower in names), None)


def _layer(encoder: Any, name: str | int) -> Layer:
    return encoder.get_layer(name=name) if isinstance(name, str) else encoder.get_layer(index=name)


def _stride(encoder: Any, tensor: Tensor) -> int:
    sides: tuple[int, int] = encoder.input_shape[1], tensor.shape[1]
    return round(sides[0] / sides[1])


def dilated(encoder: Any, output_stride: int) -> Any:
    """The encoder without strides beyond `output_stride`, its later convolutions dilated instead.

    Every layer keeps its weights and its field of view, but computes more densely (Chen et al. 2017, arXiv:1706.05587).
    Pooling windows are not dilated. The model may have several outputs.

    Raises:
        NetworkError: the features do not have the requested stride.
    """
    replaced: list[tuple[Layer, Layer]] = []
    strides = _strides_before(encoder)

    def replace(layer: Layer) -> Layer:
        changes = _dilation(layer, strides[layer.name], output_stride)
        if not changes:
            return layer
        changed = type(layer).from_config(layer.get_config() | changes)
        replaced.append((layer, changed))
        return changed

    model = rebuilt(encoder, replace)
    for layer, changed in replaced:
        changed.set_weights(layer.get_weights())
    deepest = tf.nest.flatten(model.output)[-1]
    if (deepest.shape[1] * output_stride, deepest.shape[2] * output_stride) != tuple(encoder.input_shape[1:3]):
        raise NetworkError(
            f"{encoder.name} cannot be given an output stride of {output_stride}: for an input of "
            f"{encoder.input_shape[1]}×{encoder.input_shape[2]} its features are {deepest.shape[1]}×{deepest.shape[2]}"
        )
    return model


def _strides_before(model: Any) -> dict[str, int]:
    """By the name of each layer, how many times the layers before it have shrunk the sides."""
    strides: dict[str, int] = {}
    for layer in model.layers:  # each layer comes after its inputs
        before = tf.nest.flatten(layer.inbound_nodes[0].inbound_layers)
        strides[layer.name] = max((strides[other.name] * _stride_of_layer(other) for other in before), default=1)
    return strides


def _stride_of_layer(layer: Layer) -> int:
    return max(getattr(layer, "strides", (1,)))


def _dilation(layer: Layer, stride: int, output_stride: int) -> dict[str, Any]:
    """The changes to a layer's configuration, empty for most; `stride` is that of the layers before it."""
    rate = stride // output_stride
    if rate == 0:
        return {}
    if isinstance(layer, tf.keras.layers.ZeroPadding2D):
        convolution = _after(layer)
        if not isinstance(convolution, _convolutions()) or convolution.padding != "valid":
            return {}
        sums = [(side - 1) * rate for side in convolution.kernel_size]
        return {"padding": tuple((total // 2, total - total // 2) for total in sums)}
    if isinstance(layer, _convolutions()):
        dilation = rate if max(layer.kernel_size) > 1 else 1
        unchanged = dilation == 1 and max(layer.strides) == 1
        return {} if unchanged else {"strides": (1, 1), "dilation_rate": (dilation, dilation)}
    if isinstance(layer, tf.keras.layers.MaxPooling2D | tf.keras.layers.AveragePooling2D):
        return {"strides": (1, 1), "padding": "same"} if max(layer.strides) > 1 else {}
    return {}


def _convolutions() -> Any:
    return tf.keras.layers.Conv2D, tf.keras.layers.DepthwiseConv2D


def _after(layer: Layer) -> Layer:
    """The first layer after a padding, past those that split channels into groups."""
    found = layer.outbound_nodes[0].outbound_layer
    while isinstance(found, tf.keras.layers.Lambda):
        found = found.outbound_nodes[0].outbound_layer
    return found
