from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolkit.config.loading import load_config, plain_config
from toolkit.core.masks.labels import IGNORE
from toolkit.core.metrics.registry import MetricSpec
from toolkit.errors import DataError, MissingFileError
from toolkit.files.datasets.truth import truth_of
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import Resolved, read_resolved, write_resolved

CONFIG = """\
data: {images: ../../images, masks: ../../masks, mask_values: [0, [1, 2], 7], ignore: 9}
classes: [sky, road, car]
benchmark_class: car
primary_metric: miou
architecture: ModularUnet
backbone: null
shape: [32, 32, 4]
stages: [{epochs: 1}]
loss: categorical_crossentropy
"""


@pytest.fixture
def fitted(draw: Callable[..., Path], tmp_path: Path) -> Experiment:
    """A fitted experiment on one image of 2×3 with four channels."""
    draw("images/a.png", np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    draw("masks/a.png", np.array([[0, 1, 2], [7, 9, 7]], np.uint8))
    experiment = Experiment(tmp_path / "experiments" / "exp")
    experiment.folder.mkdir(parents=True)
    experiment.config.write_text(CONFIG)
    config = load_config(experiment.config).config
    write_resolved(experiment, Resolved(plain_config(config, experiment.folder), {}, "float32", {}))
    return experiment


def test_truth_is_read_like_the_training_data(fitted: Experiment) -> None:
    truth = truth_of(fitted, read_resolved(fitted))
    assert truth.classes.names == ("sky", "road", "car")
    assert truth.classes.activation == "softmax"
    assert truth.metric == MetricSpec("miou")
    assert truth.rules.benchmark == 2
    assert truth.labelled.read_labels("a").tolist() == [[0, 1, 1], [2, IGNORE, 2]]
    assert truth.labelled.images.read("a").shape == (2, 3, 4)


def test_later_edits_of_the_configuration_are_ignored(fitted: Experiment) -> None:
    before = truth_of(fitted, read_resolved(fitted))
    fitted.config.write_text(CONFIG.replace("mask_values: [0, [1, 2], 7]", "mask_values: [7, 1, 0]"))
    assert truth_of(fitted, read_resolved(fitted)) == before


def test_masks_that_are_missing_or_have_changed_are_reported(fitted: Experiment, draw: Callable[..., Path]) -> None:
    path = draw("masks/a.png", np.full((2, 3), 5, np.uint8))
    with pytest.raises(DataError, match="a: the mask has pixel values that no class has: 5"):
        truth_of(fitted, read_resolved(fitted)).labelled.read_labels("a")
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(MissingFileError, match=r"data\.masks"):
        truth_of(fitted, read_resolved(fitted))
