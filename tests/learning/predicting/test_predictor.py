from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from toolkit.config.training.networks import NetworkSpec
from toolkit.core.images.resizing import place
from toolkit.core.images.views import VIEWS, View, parse_views
from toolkit.core.masks.labels import Activation, Classes
from toolkit.files.data.sources import Images, find_images
from toolkit.files.experiment.workspace import Workspace
from toolkit.learning.augmentation.augmentation import FixedTransforms
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.predicting.predictor import Predicted, Predictor, ViewsPredictor, images_at_once
from toolkit.learning.reading.sample_reader import SampleReader
from toolkit.learning.runtime import Precision, configure, tf

pytestmark = pytest.mark.train

PredictImages = Callable[..., list[tuple[str, list[Predicted]]]]


def build(size: tuple[int, int] = (16, 32), presence_head: bool = False) -> Network:
    """Three classes, from any even sides; the weights are always the same."""
    options = {"depth": 1, "convolutions": 1, "start_filters": 4, "normalisation": "none"}
    return build_network(
        NetworkSpec(
            architecture="ModularUnet", options=options, backbone=None, encoder_weights=None, shape=(*size, 3),
            classes=3, batch_norm_momentum=0.9, first_convolution="mean", presence_head=presence_head,
        ),
        7,
    )  # fmt: skip


@pytest.fixture(scope="module")
def network() -> Network:
    """Three classes, from 16×32 pixels."""
    return build()


@pytest.fixture
def images(tiny_competition: Workspace) -> Images:
    return find_images(tiny_competition.root / "data" / "test" / "images", "data.test")


def pixels(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 16, 32, 3), np.uint8)


def by_hand(logits: np.ndarray, activation: Activation) -> np.ndarray:
    if activation == "sigmoid":
        return 1 / (1 + np.exp(-logits))
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_probabilities_are_the_activation_of_the_logits(network: Network, activation: Activation) -> None:
    predict = Predictor(network, "none", activation, at_once=4)
    probability = predict(tf.constant(pixels()))
    assert probability.shape == (2, 16, 32, 3)
    assert probability.dtype == np.float32
    logits = network.outputs(tf.constant(pixels()), training=False).logits.numpy()
    assert logits.std() > 0.01
    np.testing.assert_allclose(probability, by_hand(logits, activation), atol=1e-5)
    again, outputs = predict.with_outputs(tf.constant(pixels()))
    assert np.array_equal(again, probability)
    np.testing.assert_allclose(outputs.logits, logits, atol=1e-5)


def test_classes_that_exclude_each_other_sum_to_one(network: Network) -> None:
    probability = Predictor(network, "flips", "softmax", at_once=4)(tf.constant(pixels()))
    np.testing.assert_allclose(probability.sum(axis=-1), 1, atol=1e-5)


def test_views_are_undone_before_their_mean(network: Network) -> None:
    plain = Predictor(network, "none", "softmax", at_once=4)
    expected = np.mean(
        [view.undo(plain(tf.constant(np.array(view.apply(pixels()))))) for view in VIEWS["flips"]], axis=0
    )
    found, outputs = Predictor(network, "flips", "softmax", at_once=4).with_outputs(tf.constant(pixels()))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found - plain(tf.constant(pixels()))).max() > 1e-4
    np.testing.assert_allclose(outputs.logits, network.outputs(tf.constant(pixels()), training=False).logits, atol=1e-5)


def test_a_predictor_follows_the_weights_of_its_network(network: Network) -> None:
    predict = Predictor(network, "none", "softmax", at_once=4)
    before = predict(tf.constant(pixels()))
    kept = network.model.get_weights()
    network.model.set_weights([np.zeros_like(values) for values in kept])
    try:
        np.testing.assert_allclose(predict(tf.constant(pixels())), 1 / 3, atol=1e-6)
    finally:
        network.model.set_weights(kept)
    assert np.array_equal(predict(tf.constant(pixels())), before)


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_images_are_predicted_at_their_own_size_in_the_order_of_the_ids(
    network: Network, images: Images, resize: str, predict_images: PredictImages
) -> None:
    reader = SampleReader((16, 32), resize, Classes(("a", "b", "c"), "softmax"), FixedTransforms((), str, 3))
    ids = images.ids[::-1]

    def found(at_once: int) -> dict[str, np.ndarray]:
        sets = [VIEWS["none"]]
        predict = ViewsPredictor({(16, 32): network}, {1.0: (16, 32)}, sets, "softmax", at_once=at_once)
        predicted = predict_images(predict, reader, images, ids)
        return {image_id: only.probability for image_id, (only,) in predicted}

    several = found(4)
    assert list(several) == list(ids)
    assert {probability.shape for probability in several.values()} == {(40, 48, 3)}
    assert all(np.abs(probability.sum(axis=-1) - 1).max() < 1e-4 for probability in several.values())
    for image_id, probability in found(1).items():
        np.testing.assert_allclose(several[image_id], probability, atol=1e-5)
    placed, placement = reader.place(images.read(ids[0]))
    expected = placement.undo(Predictor(network, "none", "softmax", at_once=4)(tf.constant(placed[None]))[0])
    np.testing.assert_allclose(several[ids[0]], expected, atol=1e-5)


class Counting:
    """A network whose output is the number of images computed at once, as the last digits of real ones depend on it."""

    autograph = False

    def outputs(self, images: Any, training: bool, *, coarse: bool) -> Outputs:
        seen = tf.cast(images[..., :1], tf.float32) / 255 + tf.cast(tf.shape(images)[0], tf.float32)
        return Outputs(seen, (seen + 1,), tf.reduce_mean(seen, axis=(1, 2)))


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 9])
def test_a_network_always_sees_so_many_images_and_others_do_not_matter(count: int) -> None:
    images = pixels(count)
    probability, outputs = Predictor(Counting(), "none", "sigmoid", at_once=4).with_outputs(tf.constant(images))
    expected = images[..., :1].astype(np.float32) / 255 + 4
    np.testing.assert_allclose(outputs.logits, expected, atol=1e-6)
    np.testing.assert_allclose(outputs.auxiliary[0], expected + 1, atol=1e-6)
    np.testing.assert_allclose(outputs.presence, expected.mean(axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(probability, by_hand(expected, "sigmoid"), atol=1e-6)


@pytest.fixture
def back_to_float32() -> Iterator[None]:
    """Whatever a test has configured does not reach the next."""
    yield
    configure("float32")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_prediction_for_an_image_does_not_depend_on_the_others(precision: Precision, back_to_float32: None) -> None:
    configure(precision)
    predict = Predictor(build(presence_head=True), "flips", "softmax", at_once=4)
    images = pixels(11)
    together, outputs = predict.with_outputs(tf.constant(images))
    for first, last in ((0, 1), (1, 2), (2, 5), (5, 9), (4, 11)):
        found, others = predict.with_outputs(tf.constant(images[first:last]))
        assert np.array_equal(found, together[first:last])
        assert np.array_equal(others.presence, outputs.presence[first:last])


def test_a_processor_predicts_few_images_at_once_and_a_gpu_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    for devices, expected in (([], [2, 3, 4, 4]), (["a GPU"], [1, 3, 4, 16])):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind, found=devices: found)
        assert [images_at_once(batch) for batch in (1, 3, 4, 16)] == expected


def test_progress_advances_with_the_images(network: Network, images: Images, predict_images: PredictImages) -> None:
    reader = SampleReader((16, 32), "stretch", Classes(("a", "b", "c"), "softmax"), FixedTransforms((), str, 3))
    steps: list[int] = []

    class Steps:
        def advance(self, count: int = 1, status: str = "") -> None:
            steps.append(count)

    predict = ViewsPredictor({(16, 32): network}, {1.0: (16, 32)}, [VIEWS["none"]], "softmax", at_once=4)
    predict_images(predict, reader, images, images.ids, task=Steps())
    assert steps == [4, 2]


# Several sets of views, at several scales

SCALED = {0.5: (8, 16), 1.0: (16, 32), 1.5: (24, 48)}


def one_view_by_hand(view: View, reader: SampleReader, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability at the image's own size and presence, with a network that is built for this view alone."""
    size = SCALED[view.scale]
    placement = place((image.shape[0], image.shape[1]), reader.shape, reader.resize).at(size)
    seen = np.ascontiguousarray(view.apply(placement.image(image)[None]))
    outputs = build(view.size(size), presence_head=True).outputs(tf.constant(seen), training=False)
    probability = view.undo(by_hand(outputs.logits.numpy(), "softmax"))[0]
    return placement.undo(np.ascontiguousarray(probability)), by_hand(outputs.presence.numpy(), "sigmoid")[0]


def test_every_set_gets_the_mean_over_its_views(images: Images, predict_images: PredictImages) -> None:
    reader = SampleReader((16, 32), "pad", Classes(("a", "b", "c"), "softmax"), FixedTransforms((), str, 3))
    sets = [parse_views(text) for text in ("none", "d4", "view:hflip,rot90@0.5,hflip@1.5")]
    sizes = [size for shape in SCALED.values() for size in (shape, shape[::-1])]
    networks = {size: build(size, presence_head=True) for size in sizes}
    predict = ViewsPredictor(networks, SCALED, sets, "softmax", at_once=2)
    by_view = {
        view: one_view_by_hand(view, reader, images.read(images.ids[1]))
        for view in dict.fromkeys(view for views in sets for view in views)
    }
    predicted = dict(predict_images(predict, reader, images, images.ids[:3]))
    found = predicted[images.ids[1]]
    for views, ours in zip(sets, found, strict=True):
        probability, presence = (np.mean(several, axis=0) for several in zip(*map(by_view.get, views), strict=True))
        assert ours.probability.dtype == np.float32
        assert ours.presence is not None
        np.testing.assert_allclose(ours.probability, probability, atol=1e-5)
        np.testing.assert_allclose(ours.presence, presence, atol=1e-5)
    assert np.abs(found[0].probability - found[1].probability).max() > 1e-3
    assert np.abs(found[0].probability - found[2].probability).max() > 1e-3


def test_a_set_does_not_depend_on_the_sets_beside_it(
    network: Network, images: Images, predict_images: PredictImages
) -> None:
    reader = SampleReader((16, 32), "stretch", Classes(("a", "b", "c"), "softmax"), FixedTransforms((), str, 3))

    def found(*texts: str) -> np.ndarray:
        sets = [parse_views(text) for text in texts]
        predict = ViewsPredictor({(16, 32): network}, {1.0: (16, 32)}, sets, "softmax", at_once=4)
        return predict_images(predict, reader, images, images.ids)[0][1][-1].probability

    assert np.array_equal(found("flips"), found("none", "hflip", "flips"))
