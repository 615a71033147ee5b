"""Covers toolkit/learning/engines/engine.py, tensorflow_engine.py, openvino_engine.py and frozen_graph.py."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

import numpy as np
import pytest

from toolkit.config.training.execution import EngineName
from toolkit.config.training.networks import NetworkSpec
from toolkit.core.images.views import VIEWS
from toolkit.core.masks.labels import Activation
from toolkit.learning.engines.engine import Engine, build_engine
from toolkit.learning.engines.frozen_graph import frozen_graph
from toolkit.learning.engines.openvino_engine import ConversionError
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.runtime import configure, tf

pytestmark = pytest.mark.train

ENGINES = get_args(EngineName)
SIZE = (16, 32)


def build(
    size: tuple[int, int] = SIZE, presence_head: bool = True, plugins: Mapping[str, Callable[..., Any]] | None = None
) -> Network:
    """Three classes; the weights are always the same."""
    options = {"depth": 1, "convolutions": 1, "start_filters": 4} if plugins is None else {}
    return build_network(
        NetworkSpec(
            architecture="ModularUnet" if plugins is None else next(iter(plugins)), options=options, backbone=None,
            encoder_weights=None, shape=(*size, 3), classes=3, batch_norm_momentum=0.9, first_convolution="mean",
            presence_head=presence_head,
        ),
        7, plugins=plugins or {},
    )  # fmt: skip


@pytest.fixture(scope="module")
def networks() -> dict[tuple[int, int], Network]:
    """The same weights for both orientations of the input."""
    configure("float32")
    return {size: build(size) for size in (SIZE, SIZE[::-1])}


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), np.uint8)


def engine_of(name: EngineName, activation: Activation = "softmax") -> Engine:
    return build_engine(name, activation, 4, "float32")


def plain(engine: Engine, network: Network) -> Callable[[Any], tuple[np.ndarray, np.ndarray | None]]:
    return engine.mean_over(VIEWS["none"], lambda view: network)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("views", ["none", "flips", "d4"])
def test_engines_agree(networks: dict[tuple[int, int], Network], activation: Activation, views: str) -> None:
    found = []
    for name in ENGINES:
        mean = engine_of(name, activation).mean_over(VIEWS[views], lambda view: networks[view.size(SIZE)])
        probability, presence = mean(tf.constant(pixels(5)))
        assert probability.shape == (5, *SIZE, 3)
        assert presence is not None
        assert presence.shape == (5, 3)
        assert probability.dtype == presence.dtype == np.float32
        found.append((probability, presence))
    assert found[0][0].std() > 0.01
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", ENGINES)
def test_without_a_presence_head_there_is_no_presence(name: EngineName) -> None:
    probability, presence = plain(engine_of(name), build(presence_head=False))(tf.constant(pixels(2)))
    assert probability.shape == (2, *SIZE, 3)
    assert presence is None


@pytest.mark.parametrize("name", ENGINES)
def test_the_prediction_for_an_image_does_not_depend_on_the_others(
    networks: dict[tuple[int, int], Network], name: EngineName
) -> None:
    mean = plain(engine_of(name), networks[SIZE])
    images = pixels(11)
    together = mean(tf.constant(images))[0]
    for first, last in ((0, 1), (1, 2), (2, 5), (5, 9), (4, 11)):
        assert np.array_equal(mean(tf.constant(images[first:last]))[0], together[first:last])


@pytest.mark.parametrize("name", ENGINES)
def test_after_a_refresh_changed_weights_count(name: EngineName) -> None:
    network, engine = build(), engine_of(name)
    mean = plain(engine, network)
    before = mean(tf.constant(pixels(2)))[0]
    kept = network.model.get_weights()
    network.model.set_weights([np.zeros_like(values) for values in kept])
    engine.refresh()
    np.testing.assert_allclose(mean(tf.constant(pixels(2)))[0], 1 / 3, atol=1e-6)
    network.model.set_weights(kept)
    engine.refresh()
    assert np.array_equal(mean(tf.constant(pixels(2)))[0], before)


def test_openvino_keeps_its_weights_until_it_is_refreshed() -> None:
    network = build()
    mean = plain(engine_of("openvino"), network)
    before = mean(pixels(2))[0]
    network.model.set_weights([np.zeros_like(values) for values in network.model.get_weights()])
    assert np.array_equal(mean(pixels(2))[0], before)


def in_python(shape: tuple[int, int, int], classes: int, **_: Any) -> Any:
    """A network with an operation that only TensorFlow can run."""
    images = tf.keras.Input(shape)
    seen = tf.keras.layers.Conv2D(classes, 1)(images)

    def doubled(tensor: Any) -> Any:
        found = tf.numpy_function(lambda array: 2 * array, [tensor], tf.float32)
        return tf.ensure_shape(found, (None, *shape[:2], classes))

    return tf.keras.Model(images, tf.keras.layers.Lambda(doubled)(seen))


def test_a_network_that_cannot_be_converted_is_refused_with_the_reason() -> None:
    network = build(presence_head=False, plugins={"in_python": in_python})
    assert plain(engine_of("tensorflow"), network)(tf.constant(pixels(2)))[0].shape == (2, *SIZE, 3)
    with pytest.raises(ConversionError) as raised:
        plain(engine_of("openvino"), network)(pixels(2))
    assert raised.value.message
    assert "--engine tensorflow" in raised.value.advice


def test_a_frozen_graph_has_no_variables_and_gives_their_present_values() -> None:
    weight = tf.Variable(np.ones((2, 2), np.float32))
    offset = tf.constant([5.0, 6.0])
    function = tf.function(lambda x: tf.matmul(x, weight) + offset).get_concrete_function(tf.TensorSpec((1, 2)))
    frozen = frozen_graph(function)
    graph = tf.compat.v1.GraphDef.FromString(frozen.serialised)
    assert not [node.op for node in graph.node if "Variable" in node.op]
    inputs = [node.name for node in graph.node if node.op == "Placeholder"]
    values = [value for value in (frozen.value(f"{name}:0") for name in inputs) if value is not None]
    assert len(inputs) == len(values) + 1  # the images have no value
    assert sorted(value.ndim for value in values)[-1] == 2
    weight.assign(np.full((2, 2), 3, np.float32))
    assert any(np.array_equal(found, weight.numpy()) for name in inputs if (found := frozen.value(name)) is not None)


def test_a_graph_that_changes_a_variable_is_not_frozen() -> None:
    count = tf.Variable(0.0)
    function = tf.function(lambda x: x + count.assign_add(1)).get_concrete_function(tf.TensorSpec((1, 2)))
    with pytest.raises(ValueError, match="not converted"):
        frozen_graph(function)
