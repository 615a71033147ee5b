"""The law of honest scores: an experiment's out-of-fold score is what `tk score` says of its masks as a submission."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import ndimage
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.scoring.scores import Scoring, score_stores
from toolkit.commands.session import Session
from toolkit.commands.submitting.oof import submit_oof
from toolkit.commands.submitting.score import ScoreOptions, score_submission
from toolkit.commands.submitting.submit import SubmitOptions
from toolkit.config.data.competitions import PRESETS, Competition, find_competition
from toolkit.config.loading import load_config, plain_config
from toolkit.core.images.resizing import scale_map
from toolkit.core.masks.rle import encode
from toolkit.core.recipe.plain_recipes import plain_threshold
from toolkit.errors import ConfigError
from toolkit.files.datasets.truth import truth_of
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import folds_digest, write_folds
from toolkit.files.experiment.resolved import Resolved, read_resolved, write_resolved
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter
from toolkit.messages import Silent

IDS = [f"c1_day1_slice_000{number}" for number in range(6)]
SIZE = (24, 40)
SMALLER = (12, 20)


def form_of(preset: str) -> Competition:
    """The preset, with sizes of masks that suit small images."""
    form = find_competition(preset)
    sizes = {"output_size": SMALLER if preset == "clouds" else SIZE, "label_size": SIZE}
    return form if form.output_size is None else form.model_copy(update=sizes)


def masks_of(number: int, classes: int, *, overlaps: bool) -> np.ndarray:
    """Blobs of each class; the last image is empty, and the first class occurs only in some."""
    random = np.random.default_rng(number)
    fields = [cv2.GaussianBlur(random.normal(size=SIZE), (0, 0), 3) for _ in range(classes)]
    masks = np.stack([field > 0.06 for field in fields], axis=-1)
    if number in (2, 5):
        masks[..., 0] = False
    if number == 5:
        masks[:] = False
    if not overlaps:
        for later in range(1, classes):
            near = ndimage.binary_dilation(masks[..., :later].any(axis=-1), iterations=3)
            masks[..., later] &= ~near
    return masks


def label_rows(form: Competition, number: int, masks: np.ndarray) -> list[tuple[str, ...]]:
    """The rows of one image in the table of labels."""
    columns, template = form.label_form

    def text(mask: np.ndarray) -> str:
        return encode(mask, form.pixel_order, form.relative) or form.empty

    rows: list[tuple[str, ...]] = []
    for place, name in enumerate(form.classes or ("",)):
        cell = template.replace("{class}", name).replace("{id}", IDS[number])
        found = [masks[..., place]]
        if form.rows == "object":
            objects, count = ndimage.label(masks[..., 0], np.ones((3, 3)))
            found = [objects == one for one in range(1, count + 1)] or found
        rows += [(cell, text(mask)) if len(columns) == 2 else (cell, name, text(mask)) for mask in found]
    return rows


def fitted(folder: Path, form: Competition, activation: str) -> Experiment:
    """What fitting leaves behind: noisy maps of images whose labels are in the table of the competition."""
    background = ("background",) if activation == "softmax" else ()
    names = (*background, *(form.classes or ("thing",)))
    every = [masks_of(number, len(form.classes) or 1, overlaps=form.overlaps and not background) for number in range(6)]
    (folder / "data" / "images").mkdir(parents=True)
    for image_id in IDS:
        cv2.imwrite(str(folder / "data" / "images" / f"{image_id}.png"), np.zeros((*SIZE, 3), np.uint8))
    rows = [row for number, masks in enumerate(every) for row in label_rows(form, number, masks)]
    write_text(folder / "data" / "train.csv", format_table(form.label_form[0], rows))
    (folder / "form.json").write_text(form.model_dump_json())
    experiment = Experiment(folder / "experiments" / "a")
    lines = {
        "data": {"images": "../../data/images", "masks": "../../data/train.csv", "competition": "../../form.json"},
        "backbone": "resnet18", "encoder_weights": None, "shape": [32, 64, 3], "folds_count": 2,
        "stages": [{"epochs": 1}], "classes": list(names) if len(names) > 1 else 1, "activation": activation,
        "loss": "categorical_crossentropy" if background else "binary_crossentropy",
    }  # fmt: skip
    write_text(experiment.config, json.dumps(lines))
    folds = np.arange(6) % 2
    config = load_config(experiment.config).config
    plain = plain_config(config, experiment.folder)
    write_resolved(experiment, Resolved(plain, {"folds": folds_digest(folds)}, "float32", {"python": "3.11.7"}))
    write_folds(experiment.folds, IDS, folds)
    random = np.random.default_rng(7)
    with ProbabilityWriter(experiment.predictions("oof"), "uint8", {"of": "a"}) as writer:
        for image_id, masks in zip(IDS, every, strict=True):
            noise = cv2.GaussianBlur(random.normal(size=masks.shape), (0, 0), 2).reshape(masks.shape)
            probability = np.clip(0.3 + 0.4 * masks + 0.8 * noise, 0, 1).astype(np.float32)
            if background:
                rest = np.clip(1 - probability.sum(axis=-1, keepdims=True), 0, None)
                probability = np.concatenate([rest, probability], axis=-1)
                probability /= probability.sum(axis=-1, keepdims=True)
            if config.scored_size is not None:
                probability = scale_map(probability, config.scored_size)
            writer.append(image_id, probability)
    return experiment


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("preset", PRESETS)
def test_the_out_of_fold_score_is_that_of_its_submission(tmp_path: Path, preset: str, activation: str) -> None:
    form = form_of(preset)
    experiment = fitted(tmp_path, form, activation)
    truth = truth_of(experiment, read_resolved(experiment))
    store = ProbabilityStore(experiment.predictions("oof"))
    recipe = plain_threshold(0.5, truth.classes.count, truth.classes.activation)
    scoring = Scoring([truth.metric], recipe, truth.rules)
    (scores,) = score_stores([store], truth.labelled, np.arange(6) % 2, scoring, Silent())
    told = submit_oof(Session(Workspace(tmp_path)), "a", options=SubmitOptions(threshold=0.5))
    assert told.score == scores.all
    assert 0.1 < scores.all < 0.95  # neither lost nor perfect
    graded = score_submission(
        Session(Workspace(tmp_path)),
        Path(told.path),
        solution=tmp_path / "data" / "train.csv",
        options=ScoreOptions(tmp_path / "data" / "images", competition=form),
    )
    assert graded.score == pytest.approx(scores.all, abs=1e-12)
    assert graded.images == told.images == 6


@pytest.mark.parametrize(("preset", "named"), [("tgs-salt", "tgs-salt"), ("clouds", "submissions/a-oof.yaml")])
def test_the_command_to_check_the_score_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str, named: str
) -> None:
    fitted(tmp_path, form_of(preset), "sigmoid")
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["submit", "a", "--threshold", "0.5", "--oof", "--json"])
    told = json.loads(shown.stdout)
    assert told["path"] == "submissions/a-oof.csv"
    words = told["check"].split()
    assert words[:3] == ["tk", "score", "submissions/a-oof.csv"]
    assert words[words.index("--competition") + 1] == named
    graded = json.loads(CliRunner().invoke(app, [*words[1:], "--json"]).stdout)
    assert graded["score"] == pytest.approx(told["score"], abs=1e-12)
    assert not (tmp_path / "submissions" / "log.csv").exists()


def test_out_of_fold_masks_are_not_uploaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(tmp_path, form_of("tgs-salt"), "sigmoid")
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["submit", "a", "--threshold", "0.5", "--oof", "--upload", "tgs"])
    assert shown.exit_code == ConfigError.exit_code
    assert shown.stderr.splitlines() == [
        "error: --oof writes no test masks, so there is nothing to upload",
        "Leave out either --oof or --upload.",
    ]
    assert not (tmp_path / "submissions").exists()
