import numpy as np
import pytest

from toolkit.config.training.networks import NetworkSpec
from toolkit.errors import NetworkError
from toolkit.learning.networks.network import Network, build_network

pytestmark = pytest.mark.train

FILTERS = 32
CONVOLUTION = 9 * FILTERS * FILTERS + FILTERS


def build(options: dict[str, object], **changes: object) -> Network:
    values = {"architecture": "RefineNet", "backbone": "resnet18", "shape": (32, 64, 3), "options": options}
    return build_network(NetworkSpec.model_validate(values | changes), 0)


@pytest.fixture(scope="module")
def usual() -> Network:
    """The network as it is without options."""
    return build({})


def decoder_size(network: Network) -> int:
    layers = [layer for layer in network.model.layers if layer.name not in network.encoder]
    return sum(int(np.prod(weight.shape)) for layer in layers for weight in layer.weights)


@pytest.mark.parametrize(
    ("options", "convolutions"),
    [
        # Residual units of two convolutions each: `units` at the input, one at the end of the block, two before the
        # head. One convolution for each pooling.
        ({}, 2 * (2 + 1 + 2) + 2),
        ({"rcu_kwargs": {"units": 1}}, 2 * (1 + 1 + 2) + 2),
        ({"crp_kwargs": {"pools": 4}}, 2 * (2 + 1 + 2) + 4),
    ],
)
def test_one_block_on_one_layer_by_hand(options: dict[str, object], convolutions: int) -> None:
    network = build({"refine_net_blocks": (("stage3_unit1_relu1",),), "reduce_channel_scale": 4} | options)
    reduction = 9 * 128 * FILTERS + FILTERS
    head = 9 * FILTERS + 1
    assert decoder_size(network) == reduction + convolutions * CONVOLUTION + head
    assert "stage2_unit2_conv2" in network.encoder
    assert "stage3_unit1_conv1" not in network.encoder


def test_fusion_adds_a_convolution_for_each_input() -> None:
    layers = ("stage3_unit1_relu1", "stage3_unit1_conv2")
    names = {layer.name for layer in build({"refine_net_blocks": (layers,)}).model.layers}
    assert {name for name in names if "mrf" in name} == {
        "refine0_mrf0_conv", "refine0_mrf1_conv", "refine0_mrf_add", "refine0_mrf1_upsampling",
    }  # fmt: skip


def test_without_blocks_four_strides_are_refined_one_after_the_other(usual: Network) -> None:
    names = (("relu1",), ("stage4_unit1_relu1",), ("stage3_unit1_relu1",), ("stage2_unit1_relu1",))
    named = build({"refine_net_blocks": names})
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        usual.outputs(images, False).logits.numpy(), named.outputs(images, False).logits.numpy()
    )


def test_blocks_of_several_layers_by_the_names_of_keras() -> None:
    blocks = (("conv5_block2_out", "conv4_block2_out"), ("conv3_block2_out", "conv2_block2_out"))
    network = build({"refine_net_blocks": blocks, "reduce_channel_scale": 16}, shape=(32, 32, 3))
    assert network.outputs(np.zeros((1, 32, 32, 3), np.uint8), training=False).logits.shape == (1, 32, 32, 1)


def test_begins_at_a_size_that_can_be_learned_from(usual: Network) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 64, 3), dtype=np.uint8)
    assert np.abs(usual.outputs(images, training=True).logits).max() < 10


def test_an_unknown_layer_is_an_error() -> None:
    with pytest.raises(NetworkError, match="resnet18 has no layer stage5_unit1_relu1"):
        build({"refine_net_blocks": (("stage5_unit1_relu1",),)})
