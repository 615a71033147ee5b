from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from toolkit.config.models import BACKBONES, SIDE_MULTIPLES, Config
from toolkit.errors import NetworkError, WeightsError
from toolkit.learning.networks import ARCHITECTURES, build_network
from toolkit.learning.runtime import segmentation_models, tf

pytestmark = pytest.mark.train

Same = Callable[[list[np.ndarray], list[np.ndarray]], bool]


def config(**changes: object) -> Config:
    values = {"data": {"images": "a", "masks": "b"}, "stages": ({"epochs": 1},), "backbone": "resnet18"}
    return Config.model_validate(values | {"encoder_weights": None, "shape": (32, 64, 3)} | changes)


def test_every_backbone_and_architecture_of_the_configuration_exists() -> None:
    assert set(BACKBONES) == set(segmentation_models.get_available_backbone_names())
    assert set(ARCHITECTURES) == set(SIDE_MULTIPLES)


@pytest.mark.parametrize("architecture", ["Unet", "FPN", "Linknet", "PSPNet"])
def test_networks_end_in_float32_logits_of_the_input_size(architecture: str) -> None:
    shape = (96, 48, 3) if architecture == "PSPNet" else (32, 64, 3)
    network = build_network(config(architecture=architecture, shape=shape), 0)
    images = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)
    logits = network.logits(images, training=False).numpy()
    assert logits.shape == (2, *shape[:2], 1)
    assert logits.dtype == np.float32
    assert logits.min() < 0 or logits.max() > 1


@pytest.mark.parametrize("backbone", ["resnet18", "vgg16", "seresnet18", "densenet121", "mobilenetv2", "inceptionv3"])
def test_images_are_prepared_as_the_backbone_was_trained(backbone: str) -> None:
    shape = (96, 96, 3)
    network = build_network(config(backbone=backbone, shape=shape), 0)
    images = np.random.default_rng(0).integers(0, 256, (1, *shape), dtype=np.uint8)
    expected = segmentation_models.get_preprocessing(backbone)(images.astype(np.float32))
    prepared = network.preprocess(tf.cast(images, tf.float32)).numpy()
    np.testing.assert_allclose(prepared, expected, rtol=1e-4, atol=1e-4)
    network.logits(images, training=False)


def test_initial_weights_derive_from_the_seed_alone(same_arrays: Same) -> None:
    first = build_network(config(), 1, 0).model.get_weights()
    build_network(config(architecture="FPN"), 5, 5)
    again = build_network(config(), 1, 0).model.get_weights()
    other = build_network(config(), 1, 1).model.get_weights()
    assert same_arrays(first, again)
    assert not same_arrays(first, other)


def test_loading_undoes_saving(tmp_path: Path, same_arrays: Same) -> None:
    first, second = build_network(config(), 1), build_network(config(), 2)
    first.save_weights(tmp_path / "best.weights.h5")
    second.load_weights(tmp_path / "best.weights.h5")
    assert same_arrays(first.model.get_weights(), second.model.get_weights())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "fold0" / "stage0" / "best.weights.h5"
    build_network(config(), 1).save_weights(path)
    with pytest.raises(WeightsError, match="does not fit"):
        build_network(config(backbone="resnet34"), 1).load_weights(path)


def test_batch_norm_momentum_is_the_configured_one() -> None:
    network = build_network(config(batch_norm_momentum=0.75), 0)
    layers = [layer for layer in network.model.layers if isinstance(layer, tf.keras.layers.BatchNormalization)]
    assert {layer.momentum for layer in layers} == {0.75}


def test_encoder_weights_of_a_local_file_are_loaded_by_layer_name(tmp_path: Path) -> None:
    donor = build_network(config(), 7).model
    donor.save_weights(tmp_path / "encoder.h5")
    taught = build_network(config(encoder_weights=str(tmp_path / "encoder.h5")), 8).model
    untaught = build_network(config(), 8).model
    name = "conv0"
    assert np.array_equal(taught.get_layer(name).get_weights()[0], donor.get_layer(name).get_weights()[0])
    assert not np.array_equal(untaught.get_layer(name).get_weights()[0], donor.get_layer(name).get_weights()[0])


def test_encoder_weights_that_do_not_fit_are_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no file"):
        build_network(config(encoder_weights=str(tmp_path / "imagnet")), 0)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_group("another_layer").create_dataset("kernel", data=np.zeros(3))
    with pytest.raises(WeightsError, match="no layer"):
        build_network(config(encoder_weights=str(tmp_path / "other.h5")), 0)
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(WeightsError, match=r"text\.h5"):
        build_network(config(encoder_weights=str(tmp_path / "text.h5")), 0)


def test_a_download_that_fails_names_both_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Exception("URL fetch failure on https://example.org/weights.h5: None -- Not found")

    monkeypatch.setattr(tf.keras.utils, "get_file", fail)
    with pytest.raises(WeightsError) as caught:
        build_network(config(encoder_weights="imagenet"), 0)
    assert "encoder_weights=null" in str(caught.value)
    assert ".h5" in str(caught.value)
    assert "resnet18" in str(caught.value)


def test_a_network_that_cannot_be_built_is_told_with_backbone_and_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("negative dimension")

    monkeypatch.setitem(ARCHITECTURES, "Unet", fail)
    with pytest.raises(NetworkError, match=r"Unet with backbone resnet18 .* \[32, 64, 3\]: negative dimension"):
        build_network(config(), 0)
