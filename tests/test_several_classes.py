from collections.abc import Callable

import cv2
import numpy as np
import pytest

from toolkit.commands.fit import fit
from toolkit.commands.submit import submit
from toolkit.commands.tune import tune
from toolkit.core.labels import VOID
from toolkit.files.experiment import Experiment, Workspace
from toolkit.files.history import read_history
from toolkit.files.resolved import read_resolved
from toolkit.files.store import ProbabilityStore
from toolkit.files.truth import truth_of
from toolkit.files.tuned import read_tuned
from toolkit.messages import Silent

pytestmark = pytest.mark.train

CONFIG = """\
data:
  masks: ../../data/maps
  mask_values: [0, 100, 200]
  ignore: 7
  external_negatives: ../../data/nothing
classes: [ground, salt, edge]
loss: categorical_crossentropy+dice_loss
class_weights: balanced
primary_metric: miou
benchmark_class: salt
metrics: [pixel_accuracy]
stages: [{epochs: 2, negatives: {from: 0.9, to: 0.5}, positives: classes, extra_callbacks: TensorBoard}]
"""


def write_maps(workspace: Workspace) -> None:
    """Label maps of the tiny competition: salt, its lower border as an edge, and a void corner; two negatives."""
    data = workspace.root / "data"
    for folder in ("maps", "nothing"):
        (data / folder).mkdir()
    for row in (data / "train.csv").read_text().splitlines()[1:]:
        image_id, runs = row.split(",")
        flat = np.zeros(40 * 48, np.uint8)
        numbers = [int(number) for number in runs.split()]
        for start, length in zip(numbers[::2], numbers[1::2], strict=True):
            flat[start - 1 : start - 1 + length] = 100
            flat[start - 1 + length - min(length, 3) : start - 1 + length] = 200
        labels = flat.reshape(48, 40).T.copy()
        labels[:4, :4] = 7
        cv2.imwrite(str(data / "maps" / f"{image_id}.png"), labels)
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 30), np.uint8)
        cv2.imwrite(str(data / "nothing" / f"{number}.png"), pixels)


def test_classes_that_exclude_each_other_with_void_and_external_negatives(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    experiment = write_experiment(tiny_competition, "several", CONFIG)
    write_maps(tiny_competition)
    result = fit(tiny_competition, "several", progress=Silent())
    assert result.metric == "miou[1]"
    assert list(result.classes) == ["ground", "salt", "edge"]
    assert result.next_steps()[-1] == "next: tk tune several"
    truth = truth_of(experiment, read_resolved(experiment))
    assert truth.benchmark == 1
    hits, union = np.zeros(3), np.zeros(3)
    for image_id, stored in ProbabilityStore(experiment.predictions("oof")):
        assert np.abs(stored.astype(int).sum(axis=2) - 255).max() <= 2
        labels = truth.labelled.read_labels(image_id)
        assert (labels[:4, :4] == VOID).all()
        for number in range(3):
            found, real = (stored.argmax(axis=2) == number) & (labels != VOID), labels == number
            hits[number] += (found & real).sum()
            union[number] += (found | real).sum()
    by_hand = dict(zip(result.classes, hits / union, strict=True))
    assert {name: scores["miou"] for name, scores in result.classes.items()} == pytest.approx(by_hand)
    assert result.all == pytest.approx(by_hand["salt"])
    for fold in (0, 1):
        history = read_history(experiment.stage(fold, 0))
        assert list(history[0].scores) == ["miou[1]", "miou", "pixel_accuracy"]
        assert history[1].images > history[0].images
        assert np.isfinite([epoch.loss for epoch in history]).all()
    tuned = tune(tiny_competition, "several", Silent())
    assert tuned.metric == "miou[1]"
    assert tuned.untuned == pytest.approx(result.all)
    made = submit(tiny_competition, "several", progress=Silent())
    (masks,) = made.masks
    assert masks.name == "salt"
    assert read_tuned(experiment, 3, "softmax").test_recipe == made.recipe
