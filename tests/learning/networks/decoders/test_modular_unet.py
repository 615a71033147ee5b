import numpy as np
import pytest

from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.train

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 16, 8, 3), dtype=np.uint8)


def build(shape: tuple[int, int, int] = (16, 8, 3), classes: int = 1, **options: object) -> Network:
    options = {"depth": 1, "start_filters": 2, "convolutions": 1} | options
    return build_network(NetworkSpec(architecture="ModularUnet", options=options, shape=shape, classes=classes), 0)


def test_the_smallest_network_by_hand() -> None:
    down0, down1, transposed, up0, head = 9 * 3 * 2 + 2, 9 * 2 * 4 + 4, 4 * 4 * 2 + 2, 9 * 4 * 2 + 2, 2 + 1
    expected = down0 + down1 + transposed + up0 + head
    assert build(normalisation="none").model.count_params() == expected
    assert build(normalisation="none", upsampling="bilinear").model.count_params() == expected
    further = (9 * 2 * 2 + 2) + (9 * 4 * 4 + 4) + (9 * 2 * 2 + 2)
    assert build(normalisation="none", convolutions=2).model.count_params() == expected + further
    shortcuts = (3 * 2 + 2) + (2 * 4 + 4) + (4 * 2 + 2)
    assert build(normalisation="none", block="residual").model.count_params() == expected + shortcuts


@pytest.mark.parametrize(
    ("block", "normalisation"),
    [
        ("standard", "group"),
        ("standard", "layer"),
        ("standard", "instance"),
        ("residual", "batch"),
        ("residual", "none"),
    ],
)
def test_every_block_goes_with_every_normalisation(block: str, normalisation: str) -> None:
    network = build(block=block, normalisation=normalisation, classes=3, start_filters=6)
    assert network.outputs(IMAGES, training=True).logits.shape == (2, 16, 8, 3)


@pytest.mark.parametrize("normalisation", ["batch", "group", "layer", "instance", "none"])
def test_only_batch_normalisation_looks_at_the_other_images(normalisation: str) -> None:
    network = build(normalisation=normalisation, start_filters=4)
    together, alone = (network.outputs(images, training=True).logits.numpy()[:1] for images in (IMAGES, IMAGES[:1]))
    assert np.allclose(together, alone, atol=1e-5) == (normalisation != "batch")


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    """The logits of the smallest network without normalisation."""
    return np.asarray(build(normalisation="none").outputs(IMAGES, False).logits)


@pytest.mark.parametrize(
    "options",
    [
        {"upsampling": "nearest"},
        {"upsampling": "bilinear"},
        {"activation": "elu"},
        {"activation": "leaky_relu"},
        {"activation": "swish"},
        {"block": "residual"},
        {"dilation": 2},
        {"dilation": (1, 2)},
    ],
    ids=str,
)
def test_every_option_changes_the_output(plain: np.ndarray, options: dict[str, object]) -> None:
    changed = build(normalisation="none", **options)
    assert not np.array_equal(plain, changed.outputs(IMAGES, False).logits.numpy())


def test_dilation_widens_the_field_of_view() -> None:
    def seen(**options: object) -> int:
        network = build((64, 64, 1), normalisation="none", activation="swish", **options)
        images = tf.Variable(tf.ones((1, 64, 64, 1)))
        with tf.GradientTape() as tape:
            centre = network.model(images)[0, 32, 32, 0]
        return int(np.ptp(np.flatnonzero(np.asarray(tape.gradient(centre, images)).any(axis=(0, 2, 3)))))

    assert seen() < seen(dilation=(1, 2)) < seen(dilation=(1, 4)) < seen(dilation=4)


def test_deep_supervision_gives_a_mask_for_each_coarser_level() -> None:
    network = build(depth=3, deep_supervision=True, classes=2)
    outputs = network.outputs(IMAGES, training=False)
    assert [tuple(tensor.shape) for tensor in outputs.auxiliary] == [(2, 16, 8, 2)] * 2
    assert build(depth=3).outputs(IMAGES, training=False).auxiliary == ()


def test_pixels_enter_between_minus_1_and_1() -> None:
    prepared = build().preprocess(tf.constant([0.0, 127.5, 255.0])).numpy()
    np.testing.assert_array_equal(prepared, [-1, 0, 1])


def test_the_encoder_is_the_contracting_path() -> None:
    network = build(depth=2)
    assert {"down0_0_conv", "down2_0_conv"} <= set(network.encoder)
    assert not [name for name in network.encoder if name.startswith(("up", "head"))]
