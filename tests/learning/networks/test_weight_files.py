from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from toolkit.config.training.networks import NetworkSpec
from toolkit.errors import WeightsError
from toolkit.learning.networks.backbones.encoders import build_encoder
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.networks.weight_files import load_encoder_file, read_weights, weighted_layers, write_weights
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.train

Same = Callable[[list[np.ndarray], list[np.ndarray]], bool]
PLAIN = {"depth": 1, "start_filters": 2, "convolutions": 1}


def build(*seed: int, **changes: object) -> Network:
    return build_network(
        NetworkSpec.model_validate({"backbone": "vgg16", "shape": (32, 32, 3)} | changes), *seed or (0,)
    )


def plain(*seed: int, **changes: object) -> Network:
    return build(*seed, **({"architecture": "ModularUnet", "options": PLAIN, "shape": (8, 8, 3)} | changes))


def smallest_with_an_encoder(*seed: int, **changes: object) -> Network:
    return build(
        *seed, **({"architecture": "PSPNet", "options": {"psp_conv_filters": 8}, "shape": (48, 48, 3)} | changes)
    )


def of(network: Network, layer: str) -> np.ndarray:
    return np.asarray(network.model.get_layer(layer).get_weights()[0])


@pytest.fixture(scope="module")
def encoder() -> Any:
    """An encoder with a first kernel that no network begins with."""
    encoder = build_encoder("vgg16", (48, 48, 3), None)
    kernel, bias = encoder.get_layer("block1_conv1").get_weights()
    encoder.get_layer("block1_conv1").set_weights([np.full_like(kernel, 0.25), bias])
    return encoder


@pytest.fixture(scope="module")
def encoder_file(encoder: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of the encoder."""
    path = tmp_path_factory.mktemp("weights") / "encoder.h5"
    write_weights(path, encoder)
    return path


def test_loading_undoes_saving(tmp_path: Path, same_arrays: Same) -> None:
    first, second = plain(1), plain(2)
    first.save_weights(tmp_path / "best.weights.h5")
    second.load_weights(tmp_path / "best.weights.h5")
    assert same_arrays(first.model.get_weights(), second.model.get_weights())


def test_a_network_is_written_to_the_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        plain(1).save_weights(tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_freezing_does_not_change_what_is_written(tmp_path: Path) -> None:
    network = plain(1)
    network.save_weights(tmp_path / "free.h5")
    network.freeze_encoder(True)
    network.save_weights(tmp_path / "frozen.h5")
    assert (tmp_path / "free.h5").read_bytes() == (tmp_path / "frozen.h5").read_bytes()


def test_keras_reads_our_files_and_we_read_those_of_keras(tmp_path: Path, same_arrays: Same) -> None:
    first, second, third = plain(1), plain(2), plain(3)
    first.save_weights(tmp_path / "ours.h5")
    second.model.load_weights(tmp_path / "ours.h5", by_name=True)
    second.model.save_weights(tmp_path / "theirs.h5")
    third.load_weights(tmp_path / "theirs.h5")
    assert same_arrays(first.model.get_weights(), third.model.get_weights())


def test_more_names_than_an_attribute_holds_are_read_back(tmp_path: Path, same_arrays: Same) -> None:
    inputs = tf.keras.Input((1,))
    names = [f"{'x' * 2500}{number}" for number in range(30)]
    layers = [tf.keras.layers.Dense(1, name=name)(inputs) for name in names]
    model = tf.keras.Model(inputs, layers)
    write_weights(tmp_path / "long.h5", model)
    stored = read_weights(tmp_path / "long.h5")
    assert list(stored) == [layer.name for layer in weighted_layers(model)]
    assert same_arrays([array for arrays in stored.values() for array in arrays], model.get_weights())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": PLAIN | {"start_filters": 3}}, r"layer down0_0_conv has shapes 3×3×3×3, expected 3×3×3×2"),
        ({"options": PLAIN | {"depth": 2}}, r"layers that the network does not have: down2_0_conv"),
        ({"options": PLAIN | {"upsampling": "nearest"}}, r"no layer up0_transpose"),
        ({"classes": 2}, r"layer head_conv has shapes 1×1×2×2, 2, expected 1×1×2×1, 1"),
    ],
)
def test_weights_of_another_network_are_refused_with_the_layer(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    plain(**changes).save_weights(tmp_path / "other.h5")
    network = plain(5)
    before = network.model.get_weights()
    with pytest.raises(WeightsError, match=message):
        network.load_weights(tmp_path / "other.h5")
    assert all(map(np.array_equal, before, network.model.get_weights()))


def test_files_that_are_not_weights_are_an_error(tmp_path: Path) -> None:
    network = plain()
    network.save_weights(tmp_path / "cut.h5")
    content = (tmp_path / "cut.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.h5").write_text("not HDF5")
    network.model.save_weights(tmp_path / "numbered.weights.h5")
    for name, message in (("cut.h5", "cut"), ("text.h5", "text"), ("numbered.weights.h5", "layout of Keras 3")):
        for load in (network.load_weights, network.load_initial_weights):
            with pytest.raises(WeightsError, match=message):
                load(tmp_path / name)
    for load in (network.load_weights, network.load_initial_weights):
        with pytest.raises(WeightsError, match="there is no file"):
            load(tmp_path / "missing.h5")


def test_weights_of_another_network_initialise_the_shared_layers(tmp_path: Path, encoder: Any) -> None:
    donor = build(1, architecture="Linknet")
    donor.save_weights(tmp_path / "linknet.h5")
    taught = build(2, architecture="FPN", options={"pyramid_block_filters": 8})
    report = taught.load_initial_weights(tmp_path / "linknet.h5")
    assert (report.loaded, report.heads) == (len(weighted_layers(encoder)), ())
    assert report.layers == report.loaded + len(report.missing) == len(weighted_layers(taught.model))
    assert "head_conv" in report.missing
    assert np.array_equal(of(taught, "block5_conv3"), of(donor, "block5_conv3"))
    assert f"{report.loaded} of {report.layers}" in str(report)


def test_a_head_of_another_number_of_classes_keeps_its_weights_and_is_reported(tmp_path: Path) -> None:
    plain(1, classes=3, presence_head=True).save_weights(tmp_path / "three.h5")
    taught = plain(2, classes=2, presence_head=True)
    before = {name: of(taught, name) for name in ("head_conv", "presence", "down0_0_conv")}
    report = taught.load_initial_weights(tmp_path / "three.h5")
    assert set(report.heads) == {"head_conv", "presence"}
    assert report.loaded == report.layers - 2
    assert "the number of classes differs" in str(report)
    changed = [name for name, array in before.items() if not np.array_equal(array, of(taught, name))]
    assert changed == ["down0_0_conv"]


def test_initial_weights_of_another_shape_are_refused_with_the_layer(tmp_path: Path) -> None:
    plain(1, options=PLAIN | {"start_filters": 3}).save_weights(tmp_path / "wide.h5")
    network = plain(2)
    before = network.model.get_weights()
    with pytest.raises(WeightsError, match=r"layer down0_0_conv has shapes 3×3×3×3, expected 3×3×3×2"):
        network.load_initial_weights(tmp_path / "wide.h5")
    assert all(map(np.array_equal, before, network.model.get_weights()))


def test_initial_weights_without_any_layer_of_the_network_are_refused(tmp_path: Path) -> None:
    plain().save_weights(tmp_path / "plain.h5")
    with pytest.raises(WeightsError, match="shares no layer name with the network"):
        smallest_with_an_encoder().load_initial_weights(tmp_path / "plain.h5")


@pytest.mark.parametrize(
    "architecture",
    ["PSPNet", "Unet", "DeepLabV3Plus", "RefineNet"],
)
def test_encoder_weights_of_a_file_reach_every_architecture(
    encoder_file: Path, same_arrays: Same, architecture: str
) -> None:
    sides = {"PSPNet": 48}.get(architecture, 32)
    taught = build(8, architecture=architecture, encoder_weights=encoder_file, shape=(sides, sides, 3))
    stored = read_weights(encoder_file)
    assert (of(taught, "block1_conv1") == 0.25).all()
    for name in taught.encoder:
        assert same_arrays(stored.get(name, []), taught.model.get_layer(name).get_weights())
    assert f"{len(stored)} of {len(stored)} layers" in taught.notes[0]


def test_encoder_weights_of_a_whole_network_are_found_by_name(tmp_path: Path) -> None:
    donor = smallest_with_an_encoder(7)
    donor.save_weights(tmp_path / "whole.h5")
    taught = smallest_with_an_encoder(8, encoder_weights=tmp_path / "whole.h5")
    assert np.array_equal(of(taught, "block3_conv3"), of(donor, "block3_conv3"))
    assert not np.array_equal(of(taught, "final_conv"), of(donor, "final_conv"))


def test_encoder_weights_with_other_numbers_in_their_names_fit_in_order(tmp_path: Path, same_arrays: Same) -> None:
    donor, encoder = (
        tf.keras.Sequential([tf.keras.layers.Conv2D(2, 1, name=f"conv2d_{start + number}") for number in range(3)])
        for start in (7, 0)
    )
    for model in (donor, encoder):
        model.build((None, 8, 8, 2))
    write_weights(tmp_path / "later.h5", donor)
    assert load_encoder_file(encoder, "seresnet18", tmp_path / "later.h5").loaded == 3
    assert same_arrays(encoder.get_weights(), donor.get_weights())


def test_encoder_weights_of_a_larger_backbone_are_found_by_name(tmp_path: Path, encoder: Any) -> None:
    write_weights(tmp_path / "larger.h5", build_encoder("vgg19", (32, 32, 3), None))
    report = load_encoder_file(encoder, "vgg16", tmp_path / "larger.h5")
    assert report.loaded == report.layers == len(weighted_layers(encoder))


def test_the_error_of_encoder_weights_that_do_not_fit_says_why(tmp_path: Path, encoder: Any) -> None:
    def attempt(name: str) -> None:
        load_encoder_file(encoder, "vgg16", tmp_path / name)

    with pytest.raises(WeightsError, match="there is no file"):
        attempt("imagnet.h5")
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(WeightsError, match=r"encoder_weights: .*text\.h5"):
        attempt("text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_group("another_layer").create_dataset("kernel", data=np.zeros(3))
    with pytest.raises(WeightsError, match=r"not fit vgg16: it has none of the 13 layers.*another_layer.*block1_conv1"):
        attempt("other.h5")
    with h5py.File(tmp_path / "few.h5", "w") as file:
        file.create_group("block1_conv1").create_dataset("kernel", data=np.zeros((3, 3, 3, 64)))
    with pytest.raises(WeightsError, match="it has 1 of the 13 layers"):
        attempt("few.h5")
    write_weights(tmp_path / "deep.h5", build_encoder("vgg16", (32, 32, 4), None))
    with pytest.raises(WeightsError, match=r"layer block1_conv1 has shapes 3×3×4×64, 64, expected 3×3×3×64, 64"):
        attempt("deep.h5")
