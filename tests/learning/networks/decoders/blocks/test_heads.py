"""Covers toolkit/learning/networks/decoders/blocks/heads.py, and what networks do with its coarse masks."""

from pathlib import Path

import numpy as np
import pytest

from toolkit.config.training.networks import NetworkSpec
from toolkit.core.images.views import VIEWS
from toolkit.learning.engines.tensorflow_engine import compiled_mean
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.runtime import configure

pytestmark = pytest.mark.train

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 16, 32, 3), dtype=np.uint8)


def build(seed: int = 0, **options: object) -> Network:
    configure("float32")
    options = {"depth": 2, "start_filters": 4, "convolutions": 1} | options
    spec = NetworkSpec(architecture="ModularUnet", options=options, shape=(16, 32, 3), classes=2, presence_head=True)
    return build_network(spec, seed)


def test_a_hypercolumn_is_all_levels_at_the_size_of_the_finest() -> None:
    plain, column = build(), build(head="hypercolumn")
    assert plain.model.get_layer("head_conv").kernel.shape == (1, 1, 4, 2)
    assert column.model.get_layer("head_conv").kernel.shape == (1, 1, 8 + 4, 2)
    assert column.outputs(IMAGES, training=False).logits.shape == (4, 16, 32, 2)


def test_coarse_masks_are_the_finest_first_and_enlarged() -> None:
    network = build(depth=3, deep_supervision=True)
    fine, coarse = (mask.numpy() for mask in network.outputs(IMAGES, training=False).auxiliary)
    assert fine.shape == coarse.shape == (4, 16, 32, 2)
    # Bilinear enlargement repeats the outermost pixels: one row of 2 times the sides, two of 4 times.
    assert np.array_equal(coarse[:, 0], coarse[:, 1])
    assert not np.array_equal(fine[:, 0], fine[:, 1])


def test_coarse_masks_are_no_part_of_prediction(tmp_path: Path) -> None:
    network = build(deep_supervision=True)
    whole, finest = (network.outputs(IMAGES, training=False, coarse=coarse) for coarse in (True, False))
    assert (len(whole.auxiliary), finest.auxiliary) == (1, ())
    names = {layer.name for layer in network.model.layers} - {layer.name for layer in network.finest.layers}
    assert {name for name in names if name.startswith("head")} == {"head1_conv", "head1_upsampling"}
    validated, predicted = (
        compiled_mean(VIEWS["none"], lambda view: network, "sigmoid", 2, coarse=coarse)(IMAGES)
        for coarse in (True, False)
    )
    assert predicted[2].auxiliary == ()
    for one, other in zip(validated[:2], predicted[:2], strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())

    network.save_weights(tmp_path / "w.h5")
    other = build(1, deep_supervision=True)
    other.load_weights(tmp_path / "w.h5")
    np.testing.assert_array_equal(other.outputs(IMAGES, False).logits.numpy(), whole.logits.numpy())
    without = build(1)
    without.load_initial_weights(tmp_path / "w.h5")
    np.testing.assert_array_equal(without.outputs(IMAGES, False).logits.numpy(), whole.logits.numpy())
