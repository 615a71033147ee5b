import numpy as np
import pytest

from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.network import build_network

pytestmark = pytest.mark.train


@pytest.mark.parametrize("backbone", ["mitb0", "resnet18"])
def test_logits_have_the_size_of_the_input(backbone: str) -> None:
    spec = NetworkSpec(architecture="Segformer", backbone=backbone, shape=(64, 96, 4), classes=3)
    network = build_network(spec, 0)
    assert network.model.output_shape == (None, 64, 96, 3)


def test_every_level_of_the_encoder_reaches_the_logits() -> None:
    spec = NetworkSpec(
        architecture="Segformer", backbone="resnet18", shape=(64, 64, 3), options={"decoder_filters": 8, "dropout": 0}
    )
    model = build_network(spec, 0).model
    levels = [model.get_layer(f"decoder_level{stride}") for stride in (32, 16, 8, 4)]
    images = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    before = model(images, training=False).numpy()
    for level in levels:
        kernel, bias = level.get_weights()
        level.set_weights([kernel + 1, bias])
        assert np.abs(model(images, training=False).numpy() - before).max() > 1e-4
        level.set_weights([kernel, bias])
