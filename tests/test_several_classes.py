import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.session import Session
from toolkit.commands.submitting.submit import submit
from toolkit.commands.training.fit import fit
from toolkit.commands.tuning.tune import tune
from toolkit.config.checks.between_keys import recorded_labels
from toolkit.config.data.competitions import Competition, find_competition
from toolkit.config.loading import load_config
from toolkit.core.images.resizing import scale_mask
from toolkit.core.masks.labels import IGNORE
from toolkit.core.masks.rle import encode
from toolkit.core.simulated.shapes import simulate_shapes
from toolkit.files.datasets.truth import truth_of
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.history import read_history
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.experiment.tuned import read_tuned
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.files.submissions.layout import read_submission

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
    """Label maps of the tiny competition: salt, its lower border as an edge, and an ignored corner; two negatives."""
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


def test_classes_that_exclude_each_other_with_ignored_and_external_negatives(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    experiment = write_experiment(tiny_competition, "several", CONFIG)
    write_maps(tiny_competition)
    result = fit(Session(tiny_competition), "several")
    assert result.metric == "miou[salt]"
    assert list(result.classes) == ["ground", "salt", "edge"]
    assert result.next_steps()[-1] == "next: tk tune several"
    truth = truth_of(experiment, read_resolved(experiment))
    assert truth.rules.benchmark == 1
    hits, union = np.zeros(3), np.zeros(3)
    for image_id, stored in ProbabilityStore(experiment.predictions("oof")):
        assert np.abs(stored.astype(int).sum(axis=2) - 255).max() <= 2
        labels = truth.labelled.read_labels(image_id)
        assert (labels[:4, :4] == IGNORE).all()
        for number in range(3):
            found, real = (stored.argmax(axis=2) == number) & (labels != IGNORE), labels == number
            hits[number] += (found & real).sum()
            union[number] += (found | real).sum()
    by_hand = dict(zip(result.classes, hits / union, strict=True))
    assert {name: scores["miou"] for name, scores in result.classes.items()} == pytest.approx(by_hand)
    assert result.all == pytest.approx(by_hand["salt"])
    for fold in (0, 1):
        history = read_history(experiment.stage(fold, 0))
        assert list(history[0].scores)[:3] == ["miou[salt]", "miou", "pixel_accuracy"]
        assert history[1].images > history[0].images
        assert np.isfinite([epoch.loss for epoch in history]).all()
        labels = ["miou", "pixel_accuracy", "global_precision", "global_recall"]
        recorded = {*labels, *(f"{label}[{name}]" for label in labels for name in result.classes)}
        assert all(set(epoch.scores) == set(epoch.training) == recorded for epoch in history)
        assert set(recorded_labels(load_config(experiment.config).config)) == recorded
    tuned = tune(Session(tiny_competition), "several")
    assert tuned.metric == "miou[salt]"
    assert tuned.untuned == pytest.approx(result.all)
    made = submit(Session(tiny_competition), "several")
    (masks,) = made.masks
    assert masks.name == "salt"
    assert read_tuned(experiment, 3, "softmax").test_recipe == made.recipe


@pytest.mark.parametrize("name", ["severstal", "clouds", "uw-madison"])
def test_a_competition_with_a_row_for_each_class_from_labels_to_a_checked_submission(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = find_competition(name)
    truth = write_class_rows(tmp_path, form)
    monkeypatch.chdir(tmp_path)
    tk("new", "exp", "--images", "train", "--masks", "train.csv", "--test", "test", "--sample-submission", "sample.csv",
       "--competition", name, *(f"--set={line}" for line in SMALLEST))  # fmt: skip
    fitted = json.loads(tk("fit", "exp", "--json"))
    assert fitted["metric"] == form.metric_spec.label
    assert list(fitted["classes"]) == list(form.classes)
    tuned = json.loads(tk("tune", "exp", "--json"))
    assert len(tuned["best"]["classes"]) in (1, len(form.classes))
    made = json.loads(tk("submit", "exp", "--json"))
    words = ("--sample", "sample.csv", "--images", "test", "--competition", name, "--json")
    assert json.loads(tk("check", made["path"], *words))["findings"] == []
    rows = read_submission(Path(made["path"]), form)
    assert len(rows.rows) == 2 * len(form.classes)
    report = json.loads(tk("evaluate", "exp", "--json"))["evaluation"]["report"]
    supports = {label: row["support"] for label, row in report["classes"].items() if row is not None}
    assert supports == {label: int(masks.sum()) for label, masks in truth.items()}
    assert (report["accuracy"], report["micro"]["support"]) == (None, sum(supports.values()))
    words = ("--solution", "solution.csv", "--images", "test", "--competition", name, "--json")
    scored = json.loads(tk("score", made["path"], *words))
    assert 0 <= scored["score"] <= 1
    assert list(scored["report"]["classes"]) == list(form.classes)


SMALLEST = (
    "architecture=ModularUnet", "architecture_options={depth: 1, convolutions: 1, start_filters: 4}", "backbone=null",
    "shape=[32, 32, 3]", "folds_count=2", "precision=float32", "stages=[{epochs: 1, positives: classes}]",
)  # fmt: skip


def write_class_rows(root: Path, form: Competition) -> dict[str, np.ndarray]:
    """Images of shapes whose first two classes share pixels, with tables as the competition has them.

    Gives the masks of each class in the training images, at the size at which the competition scores them.
    """
    size, names = (32, 48), form.classes
    columns, template = form.label_form
    tables: dict[str, list[str]] = {"train": [], "test": [], "sample": []}
    truth: dict[str, list[np.ndarray]] = {label: [] for label in names}
    for index in range(6):
        split, image_id = "train" if index < 4 else "test", f"{index:03d}"
        drawn = simulate_shapes(index, seed=1, size=size)
        (root / split).mkdir(exist_ok=True)
        cv2.imwrite(str(root / split / f"{image_id}.png"), drawn.image)
        for number, label in enumerate(names):
            mask = (drawn.labels % len(names) == number) & drawn.mask
            mask |= (number == 0) & (drawn.labels % len(names) == 1)
            large = scale_mask(mask, form.label_size or size)
            cells = [template.replace("{id}", image_id).replace("{class}", label), *[label] * (len(columns) == 3)]
            if mask.any() or form.unlisted == "error":
                tables[split].append(",".join([*cells, encode(large, form.pixel_order)]))
            if split == "test":
                tables["sample"].append(",".join([*form.cells(image_id, label), ""]))
            else:
                truth[label].append(scale_mask(scale_mask(large, size), form.output_size or size))
    heads = {"train": columns, "test": columns, "sample": form.columns}
    for split, name in (("train", "train.csv"), ("test", "solution.csv"), ("sample", "sample.csv")):
        (root / name).write_text("\n".join([",".join(heads[split]), *tables[split]]) + "\n")
    return {label: np.stack(masks) for label, masks in truth.items()}


def tk(*words: str) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, f"{words}: {result.output}{result.exception!r}"
    return result.stdout
