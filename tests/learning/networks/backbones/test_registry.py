"""Covers toolkit/learning/networks/backbones/registry.py, keras_applications.py and convnext.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.config.keras.backbones import BACKBONES, UNPUBLISHED
from toolkit.config.training.networks import NetworkSpec
from toolkit.errors import WeightsError
from toolkit.files.disk.installed_weights import PACKAGES
from toolkit.learning.networks.backbones.encoders import build_encoder, dilated, features_by_stride
from toolkit.learning.networks.backbones.first_convolution import preprocessing
from toolkit.learning.networks.backbones.keras_applications import NAMES, keras_network
from toolkit.learning.networks.backbones.registry import ADDED, library
from toolkit.learning.networks.network import build_network
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.train

DOWNLOAD = "tf_keras.src.utils.data_utils.get_file"
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3)).astype(np.float32)


def donor(backbone: str, shape: tuple[int, int, int] = (64, 96, 3)) -> Any:
    """The network of Keras with weights and statistics that all differ from their usual start."""
    model = keras_network(backbone, shape)
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.Normalization):
            # As published: mean and variance of the colours of ImageNet.
            mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
            layer.set_weights([mean, deviation**2, np.array(0)])
            layer.finalize_state()
        elif layer.weights:
            layer.set_weights(
                [array + (array.ndim == 1) * random.uniform(0, 0.3, array.shape) for array in layer.get_weights()]
            )
    return model


def test_every_backbone_of_the_configuration_exists_once() -> None:
    assert library() is library()
    assert set(BACKBONES) == set(library().get_available_backbone_names())
    assert set(ADDED) <= set(BACKBONES)
    assert set(ADDED) - set(UNPUBLISHED) <= {*PACKAGES, *NAMES} <= set(BACKBONES)
    assert set(UNPUBLISHED) <= set(ADDED)


@pytest.mark.parametrize("backbone", ["efficientnetlite2", "efficientnetv2b0", "efficientnetv2s", "convnexttiny"])
def test_features_are_the_last_of_their_resolution_before_the_next(backbone: str) -> None:
    encoder = build_encoder(backbone, (64, 96, 3), None)
    features = features_by_stride(encoder, backbone)
    assert set(features) == {4, 8, 16, 32} | ({2} if backbone != "convnexttiny" else set())
    for stride, tensor in features.items():
        assert tensor.shape[1:3] == (64 // stride, 96 // stride)


@pytest.mark.parametrize("backbone", ["mobilenetv2", "efficientnetb0", "efficientnetv2b0", "convnexttiny"])
def test_published_weights_of_keras_give_its_features(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = donor(backbone)
    published.save_weights(tmp_path / "published.h5")
    monkeypatch.setattr(DOWNLOAD, lambda *_, **__: str(tmp_path / "published.h5"))
    encoder = build_encoder(backbone, (64, 96, 3), "imagenet")
    prepared = preprocessing(backbone, 3, "mean")(IMAGES)
    # EfficientNet of Keras scales the colours by itself.
    expected = published(IMAGES if backbone == "efficientnetb0" else prepared, training=False)
    received = encoder(prepared, training=False)
    np.testing.assert_allclose(received, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("backbone", ["efficientnetb0", "efficientnetb1"])
def test_efficientnet_has_the_layers_of_keras(backbone: str) -> None:
    def shapes(model: Any) -> dict[str, list[Any]]:
        normalisations = (tf.keras.layers.Normalization,)
        weighted = [layer for layer in model.layers if layer.weights and not isinstance(layer, normalisations)]
        return {layer.name: [weight.shape for weight in layer.weights] for layer in weighted}

    assert shapes(build_encoder(backbone, (32, 32, 3), None)) == shapes(keras_network(backbone))


@pytest.mark.parametrize("backbone", ["efficientnetv2b3", "efficientnetv2s", "convnexttiny"])
def test_input_is_scaled_as_by_the_layers_that_keras_would_add(backbone: str) -> None:
    network = getattr(tf.keras.applications, NAMES[backbone])
    whole = network(include_top=False, weights=None, input_shape=(32, 32, 3), include_preprocessing=True)
    first = next(layer for layer in whole.layers if layer.weights or hasattr(layer, "layers"))
    scaled = tf.keras.Model(
        whole.input, first.input if not hasattr(first, "layers") else first.inbound_nodes[-1].input_tensors
    )
    images = IMAGES[:, :32, :32]
    np.testing.assert_allclose(preprocessing(backbone, 3, "mean")(images), scaled(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("backbone", "offset"), [("efficientnetlite0", 1), ("efficientnetv2b0", 1), ("convnexttiny", 0)]
)
def test_dilation_gives_the_features_in_between(backbone: str, offset: int) -> None:
    encoder = build_encoder(backbone, (64, 96, 3), None)
    images = IMAGES / 128 - 1
    coarse, fine = (model(images, training=False).numpy() for model in (encoder, dilated(encoder, 16)))
    scale = np.abs(coarse).max()
    # Squeeze-and-excitation averages over the denser map.
    tolerance = 0.01 if backbone == "efficientnetv2b0" else 1e-4
    np.testing.assert_allclose(fine[:, offset::2, offset::2] / scale, coarse / scale, atol=tolerance)


@pytest.mark.parametrize("backbone", ["efficientnetv2b0", "convnexttiny"])
def test_a_network_learns_deterministically(backbone: str) -> None:
    options = {"decoder_filters": (32, 32, 16, 16, 8)}
    network = build_network(NetworkSpec(architecture="Unet", backbone=backbone, shape=(32, 64, 4), options=options), 0)
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 64, 4), dtype=np.uint8)

    def gradients(seed: int) -> list[np.ndarray]:
        network.draw_dropout(seed)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(network.outputs(images, training=True).logits))
        return [gradient.numpy() for gradient in tape.gradient(loss, network.trainable_variables)]

    first = gradients(1)
    assert all(np.isfinite(gradient).all() for gradient in first)
    assert all(map(np.array_equal, first, gradients(1)))
    drops = backbone == "efficientnetv2b0"
    assert all(map(np.array_equal, first, gradients(2))) == (not drops)


@pytest.mark.parametrize("architecture", ["PSPNet", "DeepLabV3Plus", "RefineNet"])
def test_convnext_needs_no_features_at_half_of_the_sides(architecture: str) -> None:
    network = build_network(NetworkSpec(architecture=architecture, backbone="convnexttiny", shape=(96, 96, 3)), 0)
    assert network.model.output_shape == (None, 96, 96, 1)


@pytest.mark.parametrize(("backbone", "channels"), [("mobilenetv2", 3), ("efficientnetv2b0", 4)])
def test_a_failed_download_names_both_ways_out(backbone: str, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Exception("URL fetch failure on https://example.org/weights.h5: None -- Not found")

    monkeypatch.setattr(DOWNLOAD, fail)
    values = {"architecture": "Unet", "backbone": backbone, "shape": (32, 32, channels), "encoder_weights": "imagenet"}
    with pytest.raises(WeightsError, match=f"imagenet weights of {backbone} could not be downloaded") as caught:
        build_network(NetworkSpec.model_validate(values), 0)
    assert "encoder_weights=null" in caught.value.advice
