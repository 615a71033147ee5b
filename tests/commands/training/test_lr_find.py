"""Covers toolkit/commands/training/lr_find.py and toolkit/learning/trials/lr_range_test.py."""

import shutil
from collections.abc import Callable, Sequence
from typing import Any

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.session import Session
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.commands.training.lr_find import LrFindOptions, find_learning_rate
from toolkit.errors import ConfigError, FoldsError, NotReadyError, TrainingError
from toolkit.files.disk.tables import read_table
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import write_folds
from toolkit.files.experiment.resolved import Resolved, write_resolved
from toolkit.files.experiment.workspace import Workspace
from toolkit.learning.runtime import tf
from toolkit.learning.training.step import StepSettings, Taken, TrainingStep
from toolkit.learning.trials import lr_range_test as lr_find

pytestmark = pytest.mark.train


def give_losses(monkeypatch: pytest.MonkeyPatch, loss: Callable[[float], float]) -> None:
    """Nothing is trained: each learning rate has the loss that a function gives."""
    monkeypatch.setattr(
        lr_find, "loss_by_learning_rate", lambda _, __, ___, test, **____: [loss(r) for r in test.rates]
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--folds", "2"), "--folds: there is no fold 2; choose from 0 to 1"),
        (("--folds", "-1"), "--folds: there is no fold -1"),
        (("--stage", "1"), "--stage: there is no stage 1; there is only 0"),
        (("--low", "1", "--high", "0.1"), "expected 0 < low < high, received 1.0 and 0.1"),
        (("--low", "0"), "expected 0 < low < high"),
        (("--steps", "3"), "at least 10 learning rates, received 3"),
    ],
)
def test_invalid_options_are_refused_before_any_work(
    tiny_competition: Workspace, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tiny_competition.root)
    result = CliRunner().invoke(app, ["lr-find", "plain", *options])
    assert result.exit_code == ConfigError.exit_code, result.output
    assert words in result.stderr.replace("\n", " ")


def test_the_curve_shows_the_losses_and_no_weights_are_kept(
    tiny_competition: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss that falls while the learning rate rises to 1e-2, and explodes from 1e-1 on."""
    rates: list[float] = []

    def loss(rate: float) -> float:
        rates.append(rate)
        return 1 / (1 + 1e3 * rate) + (1e3 * rate if rate > 0.1 else 0)

    def step(self: TrainingStep, batches: object, settings: Sequence[StepSettings]) -> Taken:
        return Taken(tf.constant([loss(settings[0].learning_rate)]), None)

    monkeypatch.setattr(TrainingStep, "__call__", step)
    experiment = tiny_competition.find("plain")
    result = find_learning_rate(Session(tiny_competition), "plain", options=LrFindOptions(low=1e-6, high=10, steps=60))
    assert rates == pytest.approx(np.geomspace(1e-6, 10, 60)[: len(rates)], rel=1e-4)
    assert len(rates) < 60
    assert 1e-4 < result.suggestion < 1e-1
    assert result.diverged_at == pytest.approx(0.1, rel=0.5)
    rows = read_table(experiment.lr_find_table, 2, "", ConfigError).rows
    assert [float(rate) for rate, _ in rows] == pytest.approx(rates, rel=1e-4)
    assert experiment.lr_find_curve.is_file()
    assert result.next_steps()[-1] == f"next: tk fit plain --set lr={result.suggestion:.1e}"
    assert not experiment.has_training()
    assert not experiment.folds.exists()
    assert not experiment.resolved.exists()


def test_a_curve_without_a_usable_rate_is_reported(
    tiny_competition: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_losses(monkeypatch, lambda rate: 0.5 + rate)
    curve = tiny_competition.find("plain").lr_find_curve
    with pytest.raises(TrainingError, match="plain: no learning rate can be suggested") as told:
        find_learning_rate(Session(tiny_competition), "plain", options=LrFindOptions(steps=12))
    table = tiny_competition.find("plain").lr_find_table
    assert str(table) in told.value.advice
    assert table.is_file()
    assert str(curve) in told.value.advice
    assert curve.is_file()
    curve.unlink()
    give_losses(monkeypatch, lambda rate: 0.5)
    found = find_learning_rate(Session(tiny_competition), "plain", options=LrFindOptions(steps=12))
    assert found.suggestion is None
    assert found.next_steps()[-1].startswith("no suggestion: the curve is flat")
    assert ("suggested", "none") in found.tables()[0].rows
    assert curve.is_file()


def test_a_later_stage_learns_from_the_best_weights_of_the_one_before(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "stages: [{epochs: 1}, {epochs: 1, loss: lovasz_loss, batch: 5}]\n"
    experiment = write_experiment(tiny_competition, "two", lines)
    with pytest.raises(NotReadyError, match="stage 1 starts from the best weights of stage 0, which is not finished"):
        find_learning_rate(Session(tiny_competition), "two", options=LrFindOptions(stage=1, fold=1))
    fit(Session(tiny_competition), "two", options=FitOptions([1], [0]))
    began: list[list[np.ndarray]] = []
    trained = TrainingStep.__call__

    def step(self: TrainingStep, *batch: Any) -> Taken:
        began.append(self.network.model.get_weights())
        return trained(self, *batch)

    monkeypatch.setattr(TrainingStep, "__call__", step)
    result = find_learning_rate(
        Session(tiny_competition), "two", options=LrFindOptions(stage=1, fold=1, low=1e-4, high=1, steps=25)
    )
    losses = [float(loss) for _, loss in read_table(experiment.lr_find_table, 2, "", ConfigError).rows]
    assert min(losses) < losses[0]
    assert 1e-4 <= result.suggestion <= 1
    assert result.next_steps()[-1].startswith("next: tk new two-lr --extends two --set stages.1.lr=")
    stored: list[bytes] = []
    with h5py.File(experiment.stage(1, 0).best_weights) as file:
        file.visititems(lambda _, item: stored.append(item[()].tobytes()) if isinstance(item, h5py.Dataset) else None)
    assert sorted(stored) == sorted(array.tobytes() for array in began[0])


@pytest.mark.parametrize(
    ("lines", "step"),
    [
        ("stages: [{epochs: 1, lr: 0.1}]", "tk fit one --set stages.0.lr="),
        ("lr: 0.1", "tk fit one --set lr="),
        (
            "schedule: {CyclicLR: {base_lr: 1.0e-4, max_lr: 1.0e-2, step_size: 5}}",
            "CyclicLR at schedule sets the learning rate of stage 0 and ignores lr: write ",
        ),
        (
            "stages: [{epochs: 1, schedule: {CyclicLR: {base_lr: 1.0e-4, max_lr: 1.0e-2, step_size: 5}}}]",
            "CyclicLR at stages.0.schedule sets the learning rate of stage 0 and ignores lr: write ",
        ),
    ],
)
def test_the_next_step_names_the_key_or_the_schedule(
    tiny_competition: Workspace,
    write_experiment: Callable[..., Experiment],
    monkeypatch: pytest.MonkeyPatch,
    lines: str,
    step: str,
) -> None:
    write_experiment(tiny_competition, "one", lines + "\n")
    give_losses(monkeypatch, lambda rate: 1 / (1 + 1e3 * rate))
    result = find_learning_rate(Session(tiny_competition), "one", options=LrFindOptions(low=1e-6, high=0.1, steps=20))
    assert result.next_steps()[-1].startswith(f"next: {step}")


def test_ensembles_have_no_learning_rate(tiny_competition: Workspace) -> None:
    folder = tiny_competition.experiments / "both"
    folder.mkdir()
    (folder / "config.yaml").write_text("members: [tiny, plain]\nweights: [1, 1]\nprimary_metric: dice\n")
    with pytest.raises(ConfigError, match="both is an ensemble, which has no learning rate") as told:
        find_learning_rate(Session(tiny_competition), "both")
    assert told.value.advice == "Use one of its members: tiny, plain"


def test_weights_trained_on_held_out_images_are_refused(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    """As tk fit does, and as early."""
    other = tiny_competition.find("plain")
    fold_weights = other.stage(0, 0).best_weights
    fold_weights.parent.mkdir(parents=True)
    fold_weights.touch()
    write_folds(other.folds, [f"{index:03d}" for index in range(20)], np.arange(20) // 10)
    write_resolved(other, Resolved({"stages": ({"epochs": 1},)}, {}, "float32", {}))
    for lines, words in (
        ("stages: [{epochs: 1, initial_weights: plain}]", "plain has other folds: its weights were trained on images"),
        (f"stages: [{{epochs: 1, initial_weights: {fold_weights}}}]", "was trained in fold0 of plain"),
        (f"encoder_weights: {fold_weights}", "was trained in fold0 of plain"),
    ):
        write_experiment(tiny_competition, "new", f"{lines}\n", extends="tiny")
        with pytest.raises(FoldsError, match=f"{lines.partition(':')[0]}.*{words}"):
            find_learning_rate(Session(tiny_competition), "new")
        shutil.rmtree(tiny_competition.find("new").folder)
