import numpy as np
import pytest

from toolkit.config.training.architectures import UnetOptions
from toolkit.learning.networks.decoders.blocks.attention import after_block, gated, on_skip, squeeze_and_excitation
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.tf

RANDOM = np.random.default_rng(0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def weighted(model: tf.keras.Model) -> dict[str, list[np.ndarray]]:
    """Random weights for all layers, biases included, by the last word of their names."""
    for layer in model.layers:
        layer.set_weights([RANDOM.normal(size=weight.shape) for weight in layer.get_weights()])
    return {layer.name.partition("_")[2]: layer.get_weights() for layer in model.layers if layer.weights}


def test_scse_adds_the_features_weighted_by_channel_and_by_pixel() -> None:
    inputs = tf.keras.Input((4, 6, 32))
    model = tf.keras.Model(inputs, squeeze_and_excitation(inputs, "x"))
    weights = weighted(model)
    x = RANDOM.normal(size=(2, 4, 6, 32)).astype(np.float32)
    by_pixel = sigmoid(x @ weights["spatial"][0][0, 0] + weights["spatial"][1])
    reduced = relu(x.mean(axis=(1, 2)) @ weights["reduce"][0][0, 0] + weights["reduce"][1])
    by_channel = sigmoid(reduced @ weights["excite"][0][0, 0] + weights["excite"][1])
    assert reduced.shape == (2, 32 // 16)
    expected = x * by_pixel + x * by_channel[:, None, None]
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("channels", "parameters"), [(16, 66), (64, 645)])
def test_scse_has_as_many_parameters_as_elsewhere(channels: int, parameters: int) -> None:
    """The numbers are those of `SCSEModule` in segmentation_models_pytorch 0.6.0."""
    inputs = tf.keras.Input((4, 6, channels))
    assert tf.keras.Model(inputs, squeeze_and_excitation(inputs, "x")).count_params() == parameters


def test_a_gate_weighs_pixels_at_the_size_of_the_coarser_features() -> None:
    skip_input, coarser_input = tf.keras.Input((4, 4, 6)), tf.keras.Input((2, 2, 5))
    model = tf.keras.Model([skip_input, coarser_input], gated(skip_input, coarser_input, "x"))
    weights = weighted(model)
    coarse_only = tf.keras.Model(model.input, model.get_layer("x_weight").output)
    skip = RANDOM.normal(size=(1, 4, 4, 6)).astype(np.float32)
    coarser = RANDOM.normal(size=(1, 2, 2, 5)).astype(np.float32)
    kernel = weights["features"][0]
    seen = np.array([[np.einsum("abc,abcf->f", skip[0, y : y + 2, x : x + 2], kernel) for x in (0, 2)] for y in (0, 2)])
    signal = coarser[0] @ weights["signal"][0][0, 0] + weights["signal"][1]
    by_hand = sigmoid(relu(seen + signal) @ weights["weight"][0][0, 0] + weights["weight"][1])
    np.testing.assert_allclose(coarse_only([skip, coarser])[0], by_hand, rtol=1e-4, atol=1e-5)
    corners = model([skip, coarser])[0].numpy()[::3, ::3]  # where enlarging does not interpolate
    np.testing.assert_allclose(corners, skip[0, ::3, ::3] * by_hand, rtol=1e-4, atol=1e-5)


def test_without_attention_features_are_passed_on() -> None:
    skip, coarser = tf.keras.Input((4, 4, 6)), tf.keras.Input((2, 2, 5))
    plain, scse, gate = (UnetOptions.model_validate({"decoder_attention": kind}) for kind in ("none", "scse", "gate"))
    for options in (plain, gate):
        assert after_block(options, skip, "x") is skip
    for options in (plain, scse):
        assert on_skip(options, skip, coarser, "y") is skip
    assert after_block(scse, skip, "x") is not skip
    assert on_skip(gate, skip, coarser, "y") is not skip
