from typing import Any

import numpy as np
import pytest

from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks import fast_layers
from toolkit.learning.networks.fast_layers import DilatedConvolution, RepeatedPixels, with_fast_layers
from toolkit.learning.networks.network import build_network
from toolkit.learning.networks.rebuilding import all_layers
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.tf

CASES = [
    # (height, width), kernel, rate, padding: the kernel inside the image, partly outside, and almost all outside.
    ((16, 16), 3, 2, "same"),
    ((16, 12), 3, 12, "same"),
    ((5, 9), 3, 6, "same"),
    ((6, 6), 3, 18, "same"),
    ((8, 8), (2, 3), (3, 5), "same"),
    ((8, 9), 5, 3, "same"),
    ((7, 7), 4, 3, "same"),
    ((20, 20), 3, 4, "valid"),
]


def results(layer: Any, pixels: Any, stored: Any = None) -> tuple[list[Any], list[Any]]:
    """Output and gradients of a layer, and its weights."""
    layer.build(pixels.shape)
    if stored is not None:
        layer.set_weights(stored)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        output = layer(pixels)
        total = tf.reduce_sum(output**2)
    return [output, *tape.gradient(total, [pixels, *layer.trainable_variables])], layer.get_weights()


@pytest.mark.parametrize("direct", [True, False], ids=["oneDNN", "no oneDNN"])
@pytest.mark.parametrize("case", CASES)
def test_it_computes_what_keras_computes(
    case: tuple[tuple[int, int], Any, Any, str], direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, kernel, rate, padding = case
    if not direct:
        monkeypatch.setattr(fast_layers, "_is_trained_directly", lambda: False)
    settings = {"padding": padding, "dilation_rate": rate, "bias_initializer": "ones"}
    pixels = tf.constant(np.random.default_rng(7).normal(size=(2, *size, 4)), tf.float32)
    expected, weights = results(tf.keras.layers.Conv2D(6, kernel, **settings), pixels)
    found, _ = results(DilatedConvolution(6, kernel, **settings), pixels, weights)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * float(tf.reduce_max(abs(one))))


def test_a_kernel_that_lies_outside_is_its_middle() -> None:
    layer = DilatedConvolution(1, 3, padding="same", dilation_rate=4, use_bias=False)
    layer.build((1, 4, 4, 1))
    layer.set_weights([np.arange(9, dtype=np.float32).reshape(3, 3, 1, 1)])
    assert np.array_equal(layer(tf.ones((1, 4, 4, 1))), np.full((1, 4, 4, 1), 4))


def test_a_size_that_is_unknown_is_computed_too() -> None:
    layer = DilatedConvolution(1, 3, padding="same", dilation_rate=2)
    model = tf.keras.Sequential([tf.keras.Input((None, None, 1)), layer])
    assert model(tf.ones((1, 5, 7, 1))).shape == (1, 5, 7, 1)


def test_names_and_weights_stay() -> None:
    layers = tf.keras.layers
    inputs = tf.keras.Input((8, 8, 2))
    x = layers.Conv2D(3, 3, padding="same", name="plain")(inputs)
    x = layers.Conv2D(3, 3, padding="same", dilation_rate=3, name="dilated")(x)
    model = tf.keras.Model(inputs, x)
    fast = with_fast_layers(model)
    kinds = {layer.name: type(layer) for layer in fast.layers}
    assert (kinds["plain"], kinds["dilated"]) == (layers.Conv2D, DilatedConvolution)
    assert [weight.name for weight in fast.weights] == [weight.name for weight in model.weights]
    for one, other in zip(model.get_weights(), fast.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_without_dilation_a_model_is_left_alone() -> None:
    inputs = tf.keras.Input((8, 8, 2))
    model = tf.keras.Model(inputs, tf.keras.layers.Conv2D(3, 3)(inputs))
    assert with_fast_layers(model) is model


@pytest.mark.train
@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("DeepLabV3Plus", {"aspp_filters": 4, "output_stride": 8}),
        ("ModularUnet", {"depth": 1, "start_filters": 2, "dilation": 2}),
    ],
)
def test_no_network_has_a_dilated_convolution_of_keras(architecture: str, options: dict[str, Any]) -> None:
    spec = NetworkSpec(architecture=architecture, options=options, backbone="resnet18", shape=(32, 32, 3))
    kinds = {type(layer) for layer in all_layers(build_network(spec, 1).model) if is_dilated(layer)}
    assert kinds == {DilatedConvolution}


@pytest.mark.parametrize("factor", [2, (3, 4)])
def test_repeated_pixels_are_nearest_neighbours(factor: Any) -> None:
    pixels = tf.constant(np.random.default_rng(7).normal(size=(2, 3, 5, 4)), tf.float32)
    expected, _ = results(tf.keras.layers.UpSampling2D(factor), pixels)
    found, _ = results(RepeatedPixels(factor), pixels)
    assert np.array_equal(expected[0], found[0])
    np.testing.assert_allclose(expected[1], found[1], rtol=1e-6)


def test_a_gpu_upsamples_by_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["one"])
    layers = tf.keras.layers
    inputs = tf.keras.Input((8, 8, 2))
    x = layers.UpSampling2D(interpolation="bilinear", name="smooth")(layers.UpSampling2D(name="nearest")(inputs))
    kinds = {layer.name: type(layer) for layer in with_fast_layers(tf.keras.Model(inputs, x)).layers}
    assert (kinds["nearest"], kinds["smooth"]) == (RepeatedPixels, layers.UpSampling2D)


def is_dilated(layer: Any) -> bool:
    return isinstance(layer, tf.keras.layers.Conv2D) and max(layer.dilation_rate) > 1
