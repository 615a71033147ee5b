"""Covers toolkit/learning/networks/network.py, registry.py, outputs.py, rebuilding.py, and of the decoders

toolkit/learning/networks/decoders/deeplab.py.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.config.keras.backbones import BACKBONES
from toolkit.config.training.architectures import ARCHITECTURES
from toolkit.config.training.networks import NetworkSpec
from toolkit.errors import ConfigError, NetworkError, WeightsError
from toolkit.learning.networks.backbones.encoders import build_encoder
from toolkit.learning.networks.backbones.first_convolution import preprocessing
from toolkit.learning.networks.backbones.registry import library
from toolkit.learning.networks.decoders import unet
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.networks.rebuilding import all_layers
from toolkit.learning.networks.registry import builder_of
from toolkit.learning.runtime import configure, segmentation_models, tf

pytestmark = pytest.mark.train

Same = Callable[[list[np.ndarray], list[np.ndarray]], bool]

GATED: dict[str, object] = {"decoder_attention": "gate", "head": "hypercolumn", "deep_supervision": True}

SMALL: dict[str, dict[str, object]] = {
    "Unet": {"decoder_filters": (32, 32, 16, 16, 8), "decoder_block_type": "transpose"} | GATED,
    "FPN": {"pyramid_block_filters": 16, "pyramid_dropout": 0.3, "decoder_attention": "gate", "deep_supervision": True},
    "Linknet": GATED,
    "PSPNet": {"downsample_factor": 4, "psp_conv_filters": 16, "psp_dropout": 0.3, "decoder_attention": "scse"},
    "DeepLabV3Plus": {"aspp_filters": 16, "decoder_filters": 16, "dropout": 0.3, "decoder_attention": "gate"},
    "RefineNet": {"reduce_channel_scale": 16, "dropout": 0.3} | GATED,
    "ModularUnet": {"depth": 2, "start_filters": 4, "dropout": 0.3} | GATED,
    "UnetPlusPlus": {"decoder_filters": (32, 32, 16, 16, 8)} | GATED,
    "MAnet": {"decoder_filters": (32, 32, 16, 16, 8)} | GATED | {"decoder_attention": "scse"},
    "Segformer": {"decoder_filters": 16, "dropout": 0.3, "decoder_attention": "scse", "deep_supervision": True},
}

COARSE_MASKS = {"PSPNet": 0, "DeepLabV3Plus": 0, "RefineNet": 3, "ModularUnet": 1, "Segformer": 3}
"""How many; 4 elsewhere."""

DEEPEST = {"PSPNet": 64, "ModularUnet": 16}
"""Channels of the deepest features, 512 elsewhere: PSPNet looks no further than an eighth of the sides."""


def spec(**changes: object) -> NetworkSpec:
    values = {"backbone": "vgg16", "encoder_weights": None, "shape": (32, 64, 3)}
    return NetworkSpec.model_validate(values | changes)


def small(architecture: str, **changes: object) -> NetworkSpec:
    shape = (48, 72, 3) if architecture == "PSPNet" else (32, 64, 3)
    return spec(**({"architecture": architecture, "options": SMALL[architecture], "shape": shape} | changes))


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module", params=SMALL)
def architecture(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def network(architecture: str) -> Network:
    """One of each architecture, with a backbone that normalises batches; every test leaves its weights as they were."""
    configure("float32")
    changes = {"backbone": "resnet18", "classes": 2, "presence_head": True, "batch_norm_momentum": 0.75}
    return build_network(small(architecture, **changes), 0)


def loss_of(network: Network, images: np.ndarray) -> Any:
    outputs = network.outputs(images, training=True)
    loss = tf.add_n([tf.reduce_mean(tf.square(tensor)) for tensor in (outputs.logits, *outputs.auxiliary)])
    return loss + tf.reduce_mean(tf.square(outputs.presence))


def gradients(network: Network, images: np.ndarray) -> tuple[float, list[np.ndarray]]:
    with tf.GradientTape() as tape:
        loss = loss_of(network, images)
    return float(loss), [tensor.numpy() for tensor in tape.gradient(loss, network.trainable_variables)]


def test_every_architecture_of_the_configuration_exists() -> None:
    assert set(ARCHITECTURES) == {*SMALL, "DeepLabV3"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_names_a_builder_that_takes_the_parameters_of_a_builder(architecture: str) -> None:
    inspect.signature(builder_of(architecture)).bind(
        spec(architecture=architecture), ARCHITECTURES[architecture](), None
    )


def test_every_network_ends_in_float32_logits_and_learns_deterministically(
    architecture: str, network: Network, same_arrays: Same
) -> None:
    images = random_images(2, *network.model.input_shape[1:])
    outputs = network.outputs(images, training=False)
    assert outputs.presence.shape == (2, 2)
    assert len(outputs.auxiliary) == COARSE_MASKS.get(architecture, 4)
    for tensor in (outputs.logits, *outputs.auxiliary):
        assert tensor.shape == (2, *images.shape[1:3], 2)
        assert tensor.dtype == tf.float32
    assert np.ptp(outputs.logits.numpy()) > 0

    # A pass changes the running statistics alone, which training does not use.
    network.draw_dropout(1)
    loss, first = gradients(network, images)
    assert all(np.isfinite(array).all() for array in first)
    assert all(array.any() for array in first[-3:])
    again, second = gradients(network, images)
    assert loss == again
    assert same_arrays(first, second)
    network.draw_dropout(2)
    has_dropout = "dropout" in " ".join(SMALL[architecture])
    assert (float(loss_of(network, images)) == loss) == (not has_dropout)


def test_the_batch_norm_momentum_of_every_network_is_the_configured_one(network: Network) -> None:
    layers = [layer for layer in all_layers(network.model) if isinstance(layer, tf.keras.layers.BatchNormalization)]
    assert {layer.momentum for layer in layers} == {0.75}


def test_the_presence_head_looks_at_the_deepest_features(architecture: str, network: Network) -> None:
    assert network.model.get_layer("presence").kernel.shape == (DEEPEST.get(architecture, 512), 2)


def test_a_frozen_encoder_stays_as_it_is_with_its_statistics(network: Network) -> None:
    free, whole = len(network.trainable_variables), network.model.get_weights()
    network.freeze_encoder(True)
    assert 0 < len(network.trainable_variables) < free
    before = {layer.name: layer.get_weights() for layer in network.model.layers if layer.weights}
    optimizer = tf.keras.optimizers.SGD(1.0)
    images = random_images(2, *network.model.input_shape[1:])
    optimizer.apply_gradients(zip(gradients(network, images)[1], network.trainable_variables, strict=True))
    changed = {
        name for name, arrays in before.items()
        if not all(map(np.array_equal, arrays, network.model.get_layer(name).get_weights()))
    }  # fmt: skip
    network.model.set_weights(whole)
    assert not changed & set(network.encoder)
    assert changed >= set(network.heads)
    network.freeze_encoder(False)
    assert len(network.trainable_variables) == free


@pytest.mark.parametrize("architecture", SMALL)
def test_outputs_are_float32_under_mixed_precision(architecture: str) -> None:
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        network = build_network(small(architecture, presence_head=True), 0)
        outputs = network.outputs(random_images(1, *network.model.input_shape[1:]), training=False)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    kept = tf.nest.flatten(tuple(outputs))
    assert {tensor.dtype for tensor in kept} == {tf.float32}
    assert {layer.compute_dtype for layer in network.model.layers if layer.weights} >= {"bfloat16"}


def test_deeplab_goes_by_two_names() -> None:
    assert ARCHITECTURES["DeepLabV3"] is ARCHITECTURES["DeepLabV3Plus"]


@pytest.mark.parametrize("architecture", SMALL)
def test_initial_weights_and_names_derive_from_seed_and_specification_alone(
    architecture: str, same_arrays: Same
) -> None:
    built = small(architecture)
    first = build_network(built, 1, 0).model
    build_network(small("ModularUnet", classes=3), 5, 5)
    again = build_network(built, 1, 0).model
    other = build_network(built, 1, 1).model
    assert same_arrays(first.get_weights(), again.get_weights())
    assert not same_arrays(first.get_weights(), other.get_weights())
    assert [layer.name for layer in first.layers] == [layer.name for layer in again.layers]


def test_a_library_network_is_the_same_with_and_without_a_presence_head() -> None:
    images = random_images(1, 48, 72, 3)
    plain, headed = (build_network(small("PSPNet", presence_head=head), 1) for head in (False, True))
    assert plain.outputs(images, training=False).presence is None
    np.testing.assert_array_equal(
        plain.outputs(images, False).logits.numpy(), headed.outputs(images, False).logits.numpy()
    )


def test_images_are_prepared_as_the_backbone_was_trained() -> None:
    images = random_images(1, 2, 3, 3)
    for backbone in BACKBONES:
        expected = library().get_preprocessing(backbone)(images.astype(np.float32))
        prepared = preprocessing(backbone, 3, "mean")(tf.cast(images, tf.float32)).numpy()
        np.testing.assert_allclose(prepared, expected, rtol=1e-4, atol=1e-4)
    network = build_network(small("PSPNet"), 0)
    expected = segmentation_models.get_preprocessing("vgg16")(images.astype(np.float32))
    np.testing.assert_allclose(network.preprocess(tf.cast(images, tf.float32)).numpy(), expected, atol=1e-4)


@pytest.mark.parametrize(
    "backbone",
    ["vgg16", "resnet18", "mobilenet"],
)
def test_the_encoder_of_a_library_network_is_the_whole_backbone(backbone: str) -> None:
    network = build_network(spec(backbone=backbone), 0)
    tf.keras.backend.reset_uids()
    assert set(network.encoder) == {layer.name for layer in build_encoder(backbone, (32, 64, 3), None).layers}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"shape": (32, 32, 5)},
        {"encoder_weights": "pascal_voc", "architecture": "DeepLabV3"},
    ],
    ids=str,
)
def test_a_failed_download_names_both_ways_out(monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Exception("URL fetch failure on https://example.org/weights.h5: None -- Not found")

    monkeypatch.setattr(tf.keras.utils, "get_file", fail)
    with pytest.raises(WeightsError) as caught:
        build_network(spec(**({"encoder_weights": "imagenet"} | changes)), 0)
    assert "encoder_weights=null" in str(caught.value)
    assert ".h5" in str(caught.value)
    assert "vgg16" in str(caught.value)
    told = "vgg16 has no pascal_voc weights; using imagenet weights instead"
    assert (told in caught.value.message) == ("encoder_weights" in changes)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """An encoder, and the file of its weights."""
    donor = build_encoder("vgg16", (32, 32, 3), None)
    path = tmp_path_factory.mktemp("published") / "published.h5"
    donor.save_weights(path)
    return donor, str(path)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"shape": (32, 32, 5)},
        {"architecture": "RefineNet"},
        {"architecture": "DeepLabV3"},
    ],
    ids=str,
)
def test_published_weights_reach_every_number_of_channels(
    published: tuple[Any, str], monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    donor, path = published
    monkeypatch.setattr(tf.keras.utils, "get_file", lambda *_, **__: path)
    network = build_network(spec(**({"encoder_weights": "imagenet"} | changes)), 0)
    for name in ("block1_conv2", "block5_conv3"):
        expected, received = donor.get_layer(name).get_weights(), network.model.get_layer(name).get_weights()
        assert all(map(np.array_equal, expected, received))
    assert bool(network.notes) == ("shape" in changes)


def test_pascal_voc_means_imagenet_and_this_is_reported(
    published: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    donor, path = published
    monkeypatch.setattr(tf.keras.utils, "get_file", lambda *_, **__: path)
    network = build_network(small("PSPNet", encoder_weights="pascal_voc"), 0)
    first, expected = (model.get_layer("block1_conv1").get_weights()[0] for model in (network.model, donor))
    assert np.array_equal(first, expected)
    assert "pascal_voc" in network.notes[0]


def test_the_error_of_a_network_that_cannot_be_built_names_backbone_and_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("negative dimension")

    monkeypatch.setattr(unet, "encoder_features", fail)
    with pytest.raises(NetworkError, match=r"Unet with backbone vgg16 .* \[32, 64, 3\]: negative dimension"):
        build_network(spec(), 0)


def test_the_error_of_an_unsupported_shape_names_the_next_larger_one() -> None:
    with pytest.raises(NetworkError, match=r"next larger shape is \[48, 64, 3\]"):
        build_network(spec(architecture="DeepLabV3", shape=(33, 64, 3)), 0)


def mine(shape: tuple[int, int, int], classes: int, *, backbone: str | None, width: int, **_: Any) -> Any:
    inputs = tf.keras.Input(shape)
    x = tf.keras.layers.Conv2D(width, 3, strides=2, padding="same", name=f"of_{backbone}")(inputs)
    x = tf.keras.layers.Dropout(0.5)(x)
    return tf.keras.Model(inputs, tf.keras.layers.Conv2DTranspose(classes, 2, strides=2)(x))


def test_an_architecture_of_plugins_gets_pixels_and_becomes_a_network_like_any_other(tmp_path: Path) -> None:
    built = spec(architecture="mine", options={"width": 7}, shape=(10, 6, 4), classes=3, presence_head=True)
    network = build_network(built, 0, plugins={"mine": mine})
    images = random_images(2, 10, 6, 4)
    np.testing.assert_array_equal(network.preprocess(tf.cast(images, tf.float32)).numpy(), images)
    assert network.outputs(images, training=False).logits.shape == (2, 10, 6, 3)
    assert network.model.get_layer("presence").kernel.shape == (7, 3)
    assert network.model.get_layer("of_vgg16")
    network.draw_dropout(1)
    first = network.outputs(images, training=True).logits.numpy()
    np.testing.assert_array_equal(first, network.outputs(images, training=True).logits.numpy())
    with pytest.raises(NetworkError, match="architectures of plugins"):
        network.freeze_encoder(True)
    other = build_network(built, 1, plugins={"mine": mine})
    other.save_weights(tmp_path / "w.h5")
    network.load_weights(tmp_path / "w.h5")
    np.testing.assert_array_equal(
        network.outputs(images, False).logits.numpy(), other.outputs(images, False).logits.numpy()
    )


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda *_, **__: 3, "returned int"),
        (
            lambda shape, classes, **_: mine(shape, classes + 1, backbone="", width=2),
            r"output shape .* expected",
        ),
        (
            lambda shape, classes, **_: mine((8, 8, 3), classes, backbone="", width=2),
            r"input shape .* expected",
        ),
        (lambda shape: None, "mine cannot be built"),
    ],
)
def test_an_architecture_of_plugins_must_be_a_model_of_these_shapes(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        build_network(spec(architecture="mine"), 0, plugins={"mine": function})


def ending_in(*layers: Any) -> Callable[..., Any]:
    def build(shape: tuple[int, int, int], classes: int, **_: Any) -> Any:
        inputs = tf.keras.Input(shape)
        x = tf.keras.layers.Conv2D(classes, 3, padding="same")(inputs)
        for layer in layers:
            x = layer(x)
        return tf.keras.Model(inputs, x)

    return build


def nested(tensor: Any) -> Any:
    inputs = tf.keras.Input(tensor.shape[1:])
    return tf.keras.Model(inputs, tf.keras.layers.Conv2D(tensor.shape[-1], 1, activation="softmax")(inputs))(tensor)


@pytest.mark.parametrize(
    ("layers", "activation"),
    [
        ([tf.keras.layers.Activation("sigmoid")], "sigmoid"),
        ([tf.keras.layers.Softmax()], "softmax"),
        ([tf.nn.softmax, tf.keras.layers.Reshape((32, 64, 2)), tf.keras.layers.Activation("linear")], "softmax"),
        ([tf.sigmoid], "sigmoid"),
        ([nested], "softmax"),
        ([tf.keras.layers.Lambda(lambda x: 1 / (1 + tf.exp(-x)))], "a function with values from 0 to 1"),
    ],
    ids=["layer", "Softmax", "reshaped", "operation", "nested", "Lambda"],
)
def test_an_architecture_of_plugins_that_returns_probabilities_is_refused(layers: list[Any], activation: str) -> None:
    with pytest.raises(ConfigError, match=f"the architecture mine ends in {activation}, .* logits"):
        build_network(spec(architecture="mine", classes=2), 0, plugins={"mine": ending_in(*layers)})


@pytest.mark.parametrize(
    "layers",
    [[], [tf.keras.layers.Activation("linear")], [tf.keras.layers.Lambda(lambda x: 2 * x)], [lambda x: x * 3]],
    ids=["none", "linear", "Lambda", "operation"],
)
def test_an_architecture_of_plugins_may_end_in_anything_else(layers: list[Any]) -> None:
    assert build_network(spec(architecture="mine", classes=2), 0, plugins={"mine": ending_in(*layers)}).model


def test_an_architecture_that_was_not_loaded_is_an_error() -> None:
    with pytest.raises(NetworkError, match=r"my\.net was not loaded"):
        build_network(spec(architecture="my.net"), 0)
