from typing import Any

import numpy as np
import pytest

from toolkit.errors import NetworkError
from toolkit.learning.networks.backbones.encoders import build_encoder, dilated, feature_named, features_by_stride
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.train


@pytest.mark.parametrize("backbone", ["vgg16", "resnet18", "densenet121"])
def test_features_halve_the_sides_up_to_a_32nd(backbone: str) -> None:
    features = features_by_stride(build_encoder(backbone, (64, 96, 3), None), backbone)
    assert {2, 4, 8, 16, 32} <= set(features)
    for stride, tensor in features.items():
        assert tensor.shape[1:3] == (64 // stride, 96 // stride)


@pytest.mark.parametrize(
    ("backbone", "offset"),
    [
        ("vgg16", 0),
        ("resnet18", 0),
        ("mobilenet", 1),
        ("mobilenetv2", 1),
    ],
)
def test_dilation_gives_the_features_in_between_and_keeps_the_others(backbone: str, offset: int) -> None:
    encoder = build_encoder(backbone, (64, 96, 3), None)
    dense = dilated(encoder, 16)
    images = np.random.default_rng(0).normal(size=(1, 64, 96, 3)).astype(np.float32)
    coarse, fine = encoder(images).numpy(), dense(images).numpy()
    assert fine.shape[1:3] == (4, 6)
    # Where a stride begins depends on how the backbone pads.
    scale = np.abs(coarse).max()
    np.testing.assert_allclose(fine[:, offset::2, offset::2] / scale, coarse / scale, atol=1e-5)


def of_every_kind(shape: tuple[int, int, int]) -> Any:
    """A small encoder with every kind of layer by which backbones shrink the sides and gate channels."""
    layers = tf.keras.layers
    inputs = x = layers.Input(shape)
    x = layers.Conv2D(4, 7, strides=2, padding="valid")(layers.ZeroPadding2D(3)(x))
    x = layers.MaxPooling2D(3, strides=2, padding="valid")(layers.ZeroPadding2D(1)(x))
    x = layers.DepthwiseConv2D(3, strides=2, padding="valid")(layers.ZeroPadding2D(((0, 1), (0, 1)))(x))
    x = layers.Add()([layers.Conv2D(4, 1)(x), layers.Conv2D(4, 3, padding="same")(x)])
    x = layers.AveragePooling2D(2)(x)
    gate = layers.Dense(4)(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Conv2D(4, 3, padding="same")(layers.Multiply()([x, gate]))
    x = layers.Add()([layers.Conv2D(4, 1, strides=2)(x), layers.Conv2D(4, 3, strides=2, padding="same")(x)])
    return tf.keras.Model(inputs, layers.Conv2D(4, 3, padding="same")(x))


@pytest.mark.parametrize(
    "backbone",
    ["of every kind", "vgg16", "resnet18", "mobilenet"],
)
def test_dilation_does_not_depend_on_the_size(backbone: str) -> None:
    def rates(side: int) -> list[tuple[int, ...]]:
        tf.keras.backend.reset_uids()
        shape = (side, 64, 3)
        encoder = of_every_kind(shape) if backbone == "of every kind" else build_encoder(backbone, shape, None)
        model = dilated(encoder, 8)
        assert model.output_shape[1:3] == (side // 8, 8)
        return [layer.dilation_rate for layer in model.layers if hasattr(layer, "dilation_rate")]

    assert rates(64) == rates(40)
    assert {(1, 1), (2, 2)} <= set(rates(40))


def test_dilation_reaches_an_8th_and_several_outputs() -> None:
    encoder = build_encoder("resnet18", (64, 64, 3), None)
    low = features_by_stride(encoder, "resnet18")[4]
    outputs = dilated(tf.keras.Model(encoder.input, [low, encoder.output]), 8).outputs
    assert [tuple(tensor.shape[1:3]) for tensor in outputs] == [(16, 16), (8, 8)]


def test_layers_of_resnets_go_by_the_names_of_keras_too() -> None:
    encoder = build_encoder("resnet50", (32, 32, 3), None)
    same = {
        "conv5_block3_out": "relu1",
        "conv4_block6_out": "stage4_unit1_relu1",
        "conv3_block4_out": "stage3_unit1_relu1",
        "conv2_block2_out": "stage1_unit3_relu1",
    }
    for name, ours in same.items():
        assert feature_named(encoder, "resnet50", name) is encoder.get_layer(ours).output
    for name in ("conv5_block4_out", "conv6_block1_out", "stage4_unit1_relu"):
        with pytest.raises(NetworkError, match=f"resnet50 has no layer {name}"):
            feature_named(encoder, "resnet50", name)


def test_the_error_of_an_unknown_layer_names_the_nearest() -> None:
    encoder = build_encoder("resnet18", (32, 32, 3), None)
    with pytest.raises(NetworkError, match="stage4_unit1_relu1"):
        feature_named(encoder, "resnet18", "stage4_unit1_rellu1")


def test_any_number_of_channels_is_taken_without_a_warning() -> None:
    assert build_encoder("vgg16", (32, 32, 7), None).input_shape == (None, 32, 32, 7)
