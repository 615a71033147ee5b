import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from toolkit.config.training.networks import NetworkSpec
from toolkit.errors import NetworkError
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.networks.rebuilding import all_layers
from toolkit.learning.networks.seeded_dropout import DropoutSeed, SeededDropout, with_seeded_dropout
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.train

WITH_DROPOUT: list[Any] = [
    {"backbone": "efficientnetb0"},
    {"architecture": "FPN", "options": {"pyramid_dropout": 0.3}},
    {"architecture": "PSPNet", "options": {"psp_dropout": 0.3, "downsample_factor": 4}, "shape": (48, 48, 3)},
    {"architecture": "DeepLabV3Plus"},
    {"architecture": "RefineNet", "options": {"dropout": 0.3}},
    {"architecture": "ModularUnet", "options": {"depth": 1, "start_filters": 4, "dropout": 0.3}},
]

# A processor can only be divided into several devices before TensorFlow has computed anything.
IN_A_NEW_PROCESS = """
from toolkit.learning.runtime import tf
device = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)

import numpy as np
from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.seeded_dropout import DropoutSeed, SeededDropout
from toolkit.learning.networks.network import build_network

options = {"depth": 1, "start_filters": 4, "dropout": 0.5}
network = build_network(NetworkSpec(architecture="ModularUnet", options=options, shape=(8, 8, 3)), 3)
network.draw_dropout(2**31 - 1)
print(network.outputs(np.full((2, 8, 8, 3), 200, np.uint8), training=True).logits.numpy().tobytes().hex())

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    seed = DropoutSeed()
    dropout = SeededDropout(0.5, None, seed, 0)
    seed.set(3)
run = tf.function(lambda: strategy.run(lambda: dropout(tf.ones((1, 100)), training=True)))
for drawn in strategy.experimental_local_results(run()):
    print(drawn.numpy().tobytes().hex())
"""


@pytest.fixture(scope="module")
def new_process() -> list[str]:
    """What a new process draws: for a network, and for one layer on two devices."""
    done = subprocess.run([sys.executable, "-c", IN_A_NEW_PROCESS], check=True, capture_output=True, timeout=600)
    return done.stdout.decode().split()


@pytest.fixture(scope="module", params=WITH_DROPOUT, ids=str)
def network(request: pytest.FixtureRequest) -> Network:
    """Every network that has dropout, of an architecture or a backbone."""
    return build_network(NetworkSpec.model_validate({"backbone": "vgg16", "shape": (32, 32, 3)} | request.param), 0)


def layer(rate: float, noise_shape: tuple[int | None, ...] | None = None) -> tuple[SeededDropout, DropoutSeed]:
    seed = DropoutSeed()
    return SeededDropout(rate, noise_shape, seed, 0), seed


def test_equal_seeds_give_equal_outputs_and_others_others(network: Network) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, *network.model.input_shape[1:]), dtype=np.uint8)
    compiled = tf.function(lambda: network.outputs(images, training=True).logits)
    drawn = []
    for seed in (5, 6, 5):
        network.draw_dropout(seed)
        drawn.append(compiled().numpy())
    np.testing.assert_array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0], drawn[1])
    network.draw_dropout(6)
    again = network.outputs(images, training=False).logits.numpy()
    network.draw_dropout(5)
    np.testing.assert_array_equal(network.outputs(images, training=False).logits.numpy(), again)


def test_no_other_layer_draws_at_random(network: Network) -> None:
    layers = all_layers(network.model)
    assert not [each for each in layers if isinstance(each, tf.keras.__internal__.layers.BaseRandomLayer)]
    seeded = [each for each in layers if isinstance(each, SeededDropout)]
    assert seeded
    assert sorted(each.number for each in seeded) == list(range(len(seeded)))


def test_a_new_process_draws_the_same(new_process: list[str]) -> None:
    options = {"depth": 1, "start_filters": 4, "dropout": 0.5}
    network = build_network(NetworkSpec(architecture="ModularUnet", options=options, shape=(8, 8, 3)), 3)
    network.draw_dropout(2**31 - 1)
    here = network.outputs(np.full((2, 8, 8, 3), 200, np.uint8), training=True).logits.numpy()
    assert new_process[0] == here.tobytes().hex()


def test_values_are_dropped_at_the_rate_and_kept_on_average() -> None:
    dropout, seed = layer(0.25)
    ones = tf.ones((1, 40, 50, 5))
    drawn = []
    for number in range(20):
        seed.set(number)
        drawn.append(dropout(ones, training=True).numpy())
    values = np.stack(drawn)
    np.testing.assert_array_equal(np.unique(values), np.array([0, 1 / 0.75], np.float32))
    assert values.mean() == pytest.approx(1, abs=5 * np.sqrt(0.25 / 0.75 / values.size))
    # No place is dropped more often than others: 20 draws of 0.25 each stay below 17.
    assert (values == 0).sum(axis=0).max() <= 16


def test_masks_of_layers_differ() -> None:
    seed = DropoutSeed()
    first, second = (SeededDropout(0.5, None, seed, number)(tf.ones((1, 1000)), training=True) for number in (0, 1))
    assert np.mean(first.numpy() == second.numpy()) == pytest.approx(0.5, abs=0.1)


def test_a_mask_is_shared_along_the_axes_of_size_1() -> None:
    dropout, seed = layer(0.5, (None, 1, 1, None))
    seed.set(4)
    drawn = dropout(tf.ones((6, 3, 4, 5)), training=True).numpy()
    np.testing.assert_array_equal(drawn, np.broadcast_to(drawn[:, :1, :1], drawn.shape))
    assert len(np.unique(drawn[:, 0, 0], axis=0)) > 1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_type_is_kept_and_the_mask_does_not_depend_on_it(dtype: str) -> None:
    dropout, seed = layer(0.5)
    seed.set(9)
    expected = dropout(tf.ones((4, 100)), training=True).numpy() == 0
    half = SeededDropout(0.5, None, seed, 0, dtype=dtype)(tf.ones((4, 100), dtype), training=True)
    assert half.dtype == dtype
    np.testing.assert_array_equal(tf.cast(half, tf.float32).numpy() == 0, expected)


def test_dropout_in_nested_models_is_replaced_with_all_weights_shared() -> None:
    layers = tf.keras.layers
    nested = tf.keras.Sequential([layers.Input((4, 4, 3)), layers.Dense(2), layers.SpatialDropout2D(0.5)])
    inputs = layers.Input((4, 4, 3))
    model = tf.keras.Model(inputs, layers.Dropout(0.5)(nested(inputs)) * 2.0)
    rebuilt, seed = with_seeded_dropout(model)
    images = tf.random.stateless_normal((1, 4, 4, 3), (0, 0))
    np.testing.assert_array_equal(rebuilt(images, training=False), model(images, training=False))
    assert [id(weight) for weight in rebuilt.weights] == [id(weight) for weight in model.weights]
    drawn = []
    for number in (1, 1, 2):
        seed.set(number)
        drawn.append(rebuilt(images, training=True).numpy())
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_other_random_layers_are_refused() -> None:
    inputs = tf.keras.layers.Input((4,))
    with pytest.raises(NetworkError, match="GaussianNoise"):
        with_seeded_dropout(tf.keras.Model(inputs, tf.keras.layers.GaussianNoise(0.1)(inputs)))


def test_replicas_draw_each_their_own_and_the_first_draws_as_if_alone(new_process: list[str]) -> None:
    _, first, second = new_process
    alone, seed = layer(0.5)
    seed.set(3)
    assert alone(tf.ones((1, 100)), training=True).numpy().tobytes().hex() == first != second
