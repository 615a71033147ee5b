"""Covers toolkit/learning/training/fit.py and fold.py."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from toolkit.commands.session import Session
from toolkit.commands.training.fit import fit
from toolkit.config.loading import load_config
from toolkit.errors import ChangedError, StorageError, TrainingError
from toolkit.files.datasets.dataset import find_dataset
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import read_fold_table, write_folds
from toolkit.files.experiment.history import Epoch, read_history
from toolkit.files.experiment.trained import read_state
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.learning.predicting.predictor import Predictor, ViewsPredictor
from toolkit.learning.runtime import tf
from toolkit.learning.training import stage
from toolkit.learning.training.step import Taken, TrainingStep
from toolkit.messages import Progress, Silent, Task

pytestmark = pytest.mark.train

THREE_EPOCHS = ["stages=[{epochs: 3}]"]


class Titles(Silent):
    """Remembers the titles of tasks."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        self.titles.append(title)
        with super().task(title, total) as task:
            yield task


@pytest.fixture
def without_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs pass without a change of weights."""
    monkeypatch.setattr(TrainingStep, "__call__", lambda *_: taken(0.5))


def taken(loss: float) -> Taken:
    """What a step returns that found this loss, and no areas."""
    return Taken(tf.constant([loss]), tf.zeros((0, 1, 4), tf.int64))


def outcome(experiment: Experiment) -> tuple[list[bytes], list[list[Epoch]], list[bytes]]:
    stages = [experiment.stage(fold, 0) for fold in (0, 1)]
    timeless = [[replace(epoch, seconds=0, memory=0) for epoch in read_history(stage)] for stage in stages]
    maps = [stored.tobytes() for _, stored in ProbabilityStore(experiment.predictions("oof"))]
    return [stage.best_weights.read_bytes() for stage in stages], timeless, maps


def test_an_interrupted_run_comes_back_to_the_same_result(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment], stop_after: Callable[[int], Progress]
) -> None:
    for name in ("straight", "broken"):
        write_experiment(tiny_competition, name, "stages: [{epochs: 2, negatives: 0.5}]\n")
    fit(Session(tiny_competition), "straight")
    for epochs in (1, 2):  # in the middle of fold 0, then between epochs of fold 1
        with pytest.raises(KeyboardInterrupt):
            fit(Session(tiny_competition, stop_after(epochs)), "broken")
    work = Titles()
    fit(Session(tiny_competition, work), "broken")
    assert not [title for title in work.titles if title.startswith("fold 0")]
    assert outcome(tiny_competition.find("straight")) == outcome(tiny_competition.find("broken"))

    again = Titles()
    result = fit(Session(tiny_competition, again), "broken")
    assert not [title for title in again.titles if "fold " in title or "predicting" in title or title == "scoring"]
    assert result.all == pytest.approx(np.mean([np.mean(result.folds)]), abs=1e-9)


def test_the_optimism_of_the_choice_of_epochs_is_that_of_whole_groups(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    """Where each fold holds out one group, there are no other images on which an epoch could be chosen."""
    ids = find_dataset(load_config(tiny_competition.find("plain").config).config, Silent()).index.ids
    lines = "folds: mine.csv\nprimary_metric: binary_accuracy\nlr: 0.3\nstages: [{epochs: 4}]\n"
    found = {}
    for name, groups in (("single", None), ("grouped", ["even", "odd"] * (len(ids) // 2))):
        experiment = write_experiment(tiny_competition, name, lines)
        write_folds(experiment.folder / "mine.csv", ids, np.arange(len(ids)) % 2, groups)
        fit(Session(tiny_competition), name)
        found[name] = [read_state(experiment.stage(fold, 0))["optimism"] for fold in (0, 1)]
    assert any(found["single"])
    assert found["grouped"] == [0, 0]


def test_the_optimism_of_a_part_of_the_images_counts_by_their_share(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "optimism_of_choice", lambda *_: 0.5)
    pool = find_dataset(load_config(tiny_competition.find("plain").config).config, Silent()).pool(
        np.zeros(20, np.int64)
    )
    for rule, shown in (("real", np.ones(20, np.bool_)), ("none", pool.has_foreground)):
        lines = f"primary_metric: dice\nstages: [{{epochs: 1, validation_negatives: {rule}}}]\n"
        experiment = write_experiment(tiny_competition, rule, lines)
        fit(Session(tiny_competition), rule)
        held_out = read_fold_table(experiment.folds).folds == 0
        found = read_state(experiment.stage(0, 0))["optimism"]
        assert found == pytest.approx(0.5 * shown[held_out].mean())


def test_a_loss_of_nan_stops_training_with_the_ids_and_keeps_the_best_weights(
    tiny_competition: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([0.5] * 4)
    monkeypatch.setattr(TrainingStep, "__call__", lambda *_: taken(next(losses, float("nan"))))
    told = r"fold 0 · stage 0, epoch 3: the loss became nan on the batch of \d{3}, \d{3}"
    with pytest.raises(TrainingError, match=told):
        fit(Session(tiny_competition), "plain", overrides=THREE_EPOCHS)
    stage = tiny_competition.find("plain").stage(0, 0)
    assert stage.best_weights.is_file()
    assert not stage.is_complete()
    assert [epoch.loss for epoch in read_history(stage)] == [0.5, 0.5]


def test_a_prediction_of_nan_stops_training_with_its_id(
    tiny_competition: Workspace, without_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = Predictor.with_outputs

    def broken(self: Predictor, images: Any) -> Any:
        probability, outputs = predict(self, images)
        probability[-1, 0, 0] = np.nan
        return probability, outputs

    monkeypatch.setattr(Predictor, "with_outputs", broken)
    with pytest.raises(TrainingError, match=r"epoch 1: the prediction of \d{3} is not a number"):
        fit(Session(tiny_competition), "plain")
    assert read_history(tiny_competition.find("plain").stage(0, 0)) == []


def test_a_fold_without_any_score_is_no_error(
    tiny_competition: Workspace, without_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metric skips images where neither truth nor prediction shows anything: all of the third fold."""
    predict = Predictor.with_outputs
    monkeypatch.setattr(
        Predictor, "with_outputs", lambda *arguments: (0 * predict(*arguments)[0], predict(*arguments)[1])
    )
    predict_views = ViewsPredictor.__call__
    monkeypatch.setattr(
        ViewsPredictor,
        "__call__",
        lambda *arguments: (
            [replace(found, probability=0 * found.probability) for found in every]
            for every in predict_views(*arguments)
        ),
    )
    ids = [f"{number:03d}" for number in range(9)]
    for number in range(9, 20):
        (tiny_competition.root / "data" / "train" / "images" / f"{number:03d}.png").unlink()
    rows = "".join(f"{image_id},{'1 9' if image_id in ('000', '001') else ''}\n" for image_id in ids)
    (tiny_competition.root / "data" / "train.csv").write_text(f"id,rle_mask\n{rows}")
    experiment = tiny_competition.find("plain")
    write_folds(experiment.folds, ids, np.arange(9) % 3)
    overrides = [
        "primary_metric={dice: {empty: skip}}", "metrics=[]", "weight_averaging={swa: {start: 0.5}, soup: {top: 2}}",
        "stages=[{epochs: 2}]", "callbacks={EarlyStopping: {patience: 5}}", "folds_count=3",
    ]  # fmt: skip
    result = fit(Session(tiny_competition), "plain", overrides=overrides)
    assert result.finished
    assert result.folds == [0, 0, None]
    assert result.all == 0
    ((_, *rows_shown),) = [[row[1] for row in table.rows] for table in result.tables()]
    assert rows_shown[:3] == ["0.0000", "–", "0.0000"]
    state = json.loads(experiment.stage(2, 0).state.read_text())
    assert state["score"] is None
    assert state["tried"] == {"swa": None}
    assert state["weights"] == "best epoch"
    history = read_history(experiment.stage(2, 0))
    assert [math.isnan(epoch.primary) for epoch in history] == [True, True]
    assert sorted(path.name for path in experiment.stage(2, 0).folder.iterdir()) == [
        "best.weights.h5", "history.csv", "state.json", "tensorboard",
    ]  # fmt: skip


def test_folds_without_resolved_yaml_are_not_continued(
    tiny_competition: Workspace, without_steps: None, stop_after: Callable[[int], Progress]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(Session(tiny_competition, stop_after(1)), "plain", overrides=THREE_EPOCHS)
    tiny_competition.find("plain").resolved.unlink()
    with pytest.raises(ChangedError, match=r"resolved\.yaml, is missing"):
        fit(Session(tiny_competition), "plain", overrides=THREE_EPOCHS)


def test_a_changed_configuration_is_an_error_but_moved_data_are_not(
    tiny_competition: Workspace, without_steps: None, stop_after: Callable[[int], Progress]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(Session(tiny_competition, stop_after(1)), "plain", overrides=THREE_EPOCHS)
    with pytest.raises(ChangedError, match=r"lr: 0.01 → 0.02"):
        fit(Session(tiny_competition), "plain", overrides=[*THREE_EPOCHS, "lr=0.02"])
    moved = tiny_competition.root / "moved"
    (tiny_competition.root / "data").rename(moved)
    paths = {"images": "train/images", "masks": "train.csv", "test": "test/images"}
    overrides = [*THREE_EPOCHS, *(f"data.{key}={moved / path}" for key, path in paths.items())]
    overrides.append(f"data.sample_submission={moved / 'sample_submission.csv'}")
    work = stop_after(1)
    with pytest.raises(KeyboardInterrupt):
        fit(Session(tiny_competition, work), "plain", overrides=overrides)
    assert len(read_history(tiny_competition.find("plain").stage(0, 0))) == 2


def test_a_damaged_checkpoint_is_an_error(
    tiny_competition: Workspace, without_steps: None, stop_after: Callable[[int], Progress]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(Session(tiny_competition, stop_after(1)), "plain", overrides=THREE_EPOCHS)
    checkpoint = tiny_competition.find("plain").stage(0, 0).last
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(StorageError, match="damaged"):
        fit(Session(tiny_competition), "plain", overrides=THREE_EPOCHS)
