from pathlib import Path

import numpy as np
import pytest

from toolkit.config.keras.backbones import FirstConvolution
from toolkit.config.training.networks import NetworkSpec
from toolkit.errors import WeightsError
from toolkit.learning.networks.backbones.encoders import build_encoder
from toolkit.learning.networks.backbones.first_convolution import adapted, preprocessing
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.networks.weight_files import write_weights
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.train

FIRST = {"resnet18": "bn0", "vgg16": "block1_conv1", "mobilenet": "conv1_bn"}
GREY: dict[str, FirstConvolution] = {"resnet18": "mean", "vgg16": "copy", "mobilenet": "zero"}
RGB = np.random.default_rng(1).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=list(FIRST))
def pretrained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A backbone and a file of weights for three channels, with statistics that differ from colour to colour."""
    encoder = build_encoder(request.param, (32, 32, 3), None)
    random = np.random.default_rng(0)
    for layer in encoder.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in layer.weights])
    path = tmp_path_factory.mktemp("weights") / "encoder.h5"
    write_weights(path, encoder)
    return request.param, path


def build(pretrained: tuple[str, Path], channels: int, how: str) -> Network:
    backbone, path = pretrained
    options = {"downsample_factor": 4, "psp_conv_filters": 8}
    values = {"backbone": backbone, "encoder_weights": path, "shape": (48, 48, channels), "first_convolution": how}
    return build_network(NetworkSpec.model_validate(values | {"architecture": "PSPNet", "options": options}), 0)


def response(network: Network, images: np.ndarray) -> np.ndarray:
    """The output of the first convolution and of the normalisation after it."""
    (name,) = {layer.name for layer in network.model.layers} & set(FIRST.values())
    first = tf.keras.Model(network.model.input, network.model.get_layer(name).output)
    return np.asarray(first(network.preprocess(tf.cast(images, tf.float32)), training=False))


def assert_close(received: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(received, expected, atol=1e-5 * np.abs(expected).max())


@pytest.fixture(scope="module")
def expected(pretrained: tuple[str, Path]) -> np.ndarray:
    """The response to three channels, the same for every way to adapt others."""
    return response(build(pretrained, 3, "copy"), RGB)


def test_copied_colours_respond_like_the_colours(pretrained: tuple[str, Path], expected: np.ndarray) -> None:
    assert_close(response(build(pretrained, 6, "copy"), np.concatenate([RGB, RGB], axis=-1)), expected)


def test_channels_that_begin_at_zero_are_not_looked_at(pretrained: tuple[str, Path], expected: np.ndarray) -> None:
    further = np.random.default_rng(2).integers(0, 256, (2, 48, 48, 2), dtype=np.uint8)
    assert_close(response(build(pretrained, 5, "zero"), np.concatenate([RGB, further], axis=-1)), expected)


def test_a_grey_image_is_enough(pretrained: tuple[str, Path]) -> None:
    how = GREY[pretrained[0]]
    network = build(pretrained, 1, how)
    assert np.isfinite(network.outputs(RGB[..., :1], training=False).logits.numpy()).all()
    assert any(f"from 3 to 1 channels ({how})" in note for note in network.notes)


def test_by_the_mean_equal_channels_respond_like_equal_colours() -> None:
    kernel = np.random.default_rng(0).normal(size=(7, 7, 3, 8)).astype(np.float32)
    for channels in (1, 2, 4, 5):
        (mixed,) = adapted([kernel], [(7, 7, channels, 8)], "resnet18", "mean", "conv0")
        np.testing.assert_allclose(mixed.sum(axis=2), kernel.sum(axis=2), atol=1e-5)
        assert mixed.dtype == np.float32
        np.testing.assert_array_equal(mixed, np.repeat(mixed[:, :, :1], channels, axis=2))


@pytest.mark.parametrize("channels", [3, 4, 5, 7])
def test_copies_share_the_weight_of_their_colour(channels: int) -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype(np.float32)
    (mixed,) = adapted([kernel], [(3, 3, channels, 4)], "resnet18", "copy", "conv0")
    for colour in range(3):
        np.testing.assert_allclose(mixed[:, :, colour::3].sum(axis=2), kernel[:, :, colour], atol=1e-6)


def test_by_hand_with_two_channels() -> None:
    kernel = np.array([1, 2, 6], np.float32).reshape(1, 1, 3, 1)
    expected = {"mean": [4.5, 4.5], "copy": [1.5, 3], "zero": [1, 2]}
    for how, values in expected.items():
        (mixed,) = adapted([kernel], [(1, 1, 2, 1)], "resnet18", how, "conv0")  # type: ignore[arg-type]
        np.testing.assert_allclose(mixed.ravel(), values)
    # vgg16 takes blue, green, red: its first kernel is for the third colour of an image.
    (mixed,) = adapted([kernel], [(1, 1, 2, 1)], "vgg16", "zero", "block1_conv1")
    np.testing.assert_allclose(mixed.ravel(), [6, 2])


def test_statistics_of_an_input_normalisation_are_shared_out_unscaled() -> None:
    statistics = np.array([1, 2, 6], np.float32)
    expected = {"mean": [3, 3, 3, 3], "copy": [1, 2, 6, 1], "zero": [1, 2, 6, 3]}
    for how, values in expected.items():
        (mixed,) = adapted([statistics], [(4,)], "resnet18", how, "bn_data")  # type: ignore[arg-type]
        np.testing.assert_allclose(mixed, values)


def test_other_differences_are_refused() -> None:
    with pytest.raises(WeightsError, match="layer conv0 has shape"):
        adapted([np.zeros((7, 7, 3, 8))], [(7, 7, 4, 9)], "resnet18", "mean", "conv0")


@pytest.mark.parametrize("backbone", ["vgg16", "densenet121", "mobilenet"])
def test_each_channel_is_scaled_like_its_colour(backbone: str) -> None:
    def prepare(channels: int, how: FirstConvolution) -> np.ndarray:
        images = tf.fill((1, 1, 1, channels), 100.0)
        return np.ravel(preprocessing(backbone, channels, how)(images))

    colours = prepare(3, "mean")
    mean = colours.mean()
    image_order = colours[::-1] if backbone == "vgg16" else colours
    np.testing.assert_allclose(prepare(2, "mean"), [mean, mean], rtol=1e-4)
    np.testing.assert_allclose(prepare(4, "copy"), image_order[[0, 1, 2, 0]], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(prepare(4, "zero"), [*image_order, mean], rtol=1e-4, atol=1e-4)
