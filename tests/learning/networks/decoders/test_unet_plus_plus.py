"""Covers toolkit/learning/networks/decoders/unet_plus_plus.py and manet.py."""

import numpy as np
import pytest

from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.train


def build(architecture: str, **options: object) -> Network:
    spec = NetworkSpec(architecture=architecture, options=options, backbone="resnet18", shape=(64, 96, 3))
    return build_network(spec, 0)


@pytest.mark.parametrize(
    ("architecture", "parameters"), [("Unet", 3_151_552), ("UnetPlusPlus", 4_793_792), ("MAnet", 10_498_816)]
)
def test_the_decoder_has_as_many_parameters_as_elsewhere(architecture: str, parameters: int) -> None:
    """The numbers are those of the decoders in segmentation_models_pytorch 0.6.0 on its resnet18 and resnet34."""
    network = build(architecture)
    assert network.outputs(np.zeros((1, 64, 96, 3), np.uint8), training=False).logits.shape == (1, 64, 96, 1)
    layers = [layer for layer in network.model.layers if layer.name not in {*network.encoder, "final_conv"}]
    assert sum(int(np.prod(weight.shape)) for layer in layers for weight in layer.trainable_weights) == parameters


def test_the_nodes_of_unet_plus_plus_are_nested() -> None:
    """Each node sees the node below and before it, and all earlier ones of its row."""
    network = build("UnetPlusPlus", deep_supervision=True)
    channels = [64, 64, 128, 256, 512]  # of the encoder, rows from the largest features
    for row in range(4):
        for column in range(1, 5 - row):
            is_last = row + column == 4 and column > 1  # of its row; the node below it has the filters of the decoder
            below = (256, 128, 64)[column - 2] if is_last else channels[row + 1]
            seen = network.model.get_layer(f"node{row}_{column}a_conv").kernel.shape[2]
            assert seen == below + column * channels[row]
    heads = [layer.name for layer in network.model.layers if layer.name.endswith("_head_conv")]
    assert sorted(heads) == [f"node0_{column}_head_conv" for column in (1, 2, 3, 4)]


def test_the_shares_of_the_attention_between_positions_sum_to_one() -> None:
    network = build("MAnet", attention_filters=4, reduction=64)
    shares = tf.keras.Model(network.model.input, network.model.get_layer("position_shares").output)
    images = np.random.default_rng(0).normal(size=(2, 64, 96, 3)).astype(np.float32)
    found = shares(images, training=False).numpy()
    assert found.shape == (2, 6, 6)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-5)
    assert network.model.get_layer("position_query_conv").kernel.shape == (1, 1, 512, 4)
    assert network.model.get_layer("decoder_stage0_high_reduce").kernel.shape == (1, 1, 256, 256 // 64)
