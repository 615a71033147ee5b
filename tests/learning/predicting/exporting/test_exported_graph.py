"""Graphs of networks of every kind; those of trained experiments are in tests/commands/sharing/test_export.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.config.loading import load_config
from toolkit.errors import ConfigError
from toolkit.files.experiment.fitted import Networks
from toolkit.files.experiment.folder import Experiment
from toolkit.learning.networks.network import build_network
from toolkit.learning.predicting.exporting import exported_graph
from toolkit.learning.predicting.exporting.exported_graph import ExportedGraph, build_graph, refuse_large
from toolkit.learning.predicting.exporting.registry import EXPORT_FORMATS, converter_of
from toolkit.learning.predicting.exporting.weighted_networks import WeightedNetworks
from toolkit.learning.runtime import configure, tf
from toolkit.messages import Silent, SilentTask

pytestmark = pytest.mark.train

SMALL = "architecture: ModularUnet\narchitecture_options: {depth: 1, convolutions: 1, start_filters: 4%s}\n"
SEVERAL = "classes: [ground, road, car]\nactivation: softmax\npresence_head: true\n"
OWN = "architecture: mine\n"
CODE = """\
import tensorflow as tf
def mine(shape, classes, backbone=None, encoder_weights=None):
    inputs = tf.keras.Input(shape)
    features = tf.keras.layers.Conv2D(4, 3, padding="same", dilation_rate=12)(inputs / 255)
    return tf.keras.Model(inputs, tf.keras.layers.Conv2D(classes, 1)(features))
"""


def networks(folder: Path, yaml: str, channels: int = 3) -> Networks:
    (folder / "plugins.py").write_text(CODE)
    (folder / "config.yaml").write_text(
        f"data: {{images: ., masks: .}}\nbackbone: null\nencoder_weights: null\nshape: [16, 16, {channels}]\n"
        f"stages: [{{epochs: 1}}]\n{yaml}"
    )
    experiment = Experiment(folder)
    config = load_config(experiment.config).config
    return Networks(experiment, config, "float32", (folder / "a.h5", folder / "b.h5"), "none", (0, 1))


def graph_of(found: Networks) -> tuple[ExportedGraph, list[Any]]:
    """The graph of two networks with other weights, and these networks."""
    configure("float32")
    from toolkit.learning.plugins import Plugins  # noqa: PLC0415 # imports the code of the test

    built = [
        build_network(found.config.network_spec(), number, plugins=Plugins.of(found.experiment)) for number in (1, 2)
    ]
    for network, path in zip(built, found.weights, strict=True):
        network.save_weights(path)
    members = [WeightedNetworks(found, 1.0)]
    return build_graph(members, None, any_size=False, task=SilentTask(), progress=Silent()), built


@pytest.mark.parametrize(
    ("yaml", "channels"),
    [
        (SMALL % ", deep_supervision: true" + SEVERAL, 3),
        (SMALL % ", dilation: 2, upsampling: bilinear", 5),
        (OWN, 1),
    ],
    ids=["several classes, presence, deep supervision", "five channels", "own network with dilation"],
)
def test_every_format_takes_the_mean_of_the_networks(tmp_path: Path, yaml: str, channels: int) -> None:
    found = networks(tmp_path, yaml, channels)
    graph, built = graph_of(found)
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, channels), np.uint8)
    activate = tf.nn.softmax if found.config.activation == "softmax" else tf.sigmoid
    outputs = [network.outputs(images, training=False) for network in built]
    expected = np.mean([activate(one.logits) for one in outputs], axis=0)
    for kind in EXPORT_FORMATS.values():
        converter_of(kind).write(graph, tmp_path / kind.file, {"classes": ["a"]}, half=False)
        probability, presence = converter_of(kind).opened(tmp_path / kind.file)(images)
        np.testing.assert_allclose(probability, expected, atol=1e-5)
        if found.config.presence_head:
            np.testing.assert_allclose(
                presence, np.mean([tf.sigmoid(one.presence) for one in outputs], axis=0), atol=1e-5
            )
        else:
            assert presence is None


def test_weights_that_no_single_file_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, _ = graph_of(networks(tmp_path, SMALL % ""))
    refuse_large(graph, "ONNX")
    monkeypatch.setattr(exported_graph, "_LARGEST", 100)
    with pytest.raises(ConfigError, match="a file of ONNX holds at most 2 GB"):
        refuse_large(graph, "ONNX")
