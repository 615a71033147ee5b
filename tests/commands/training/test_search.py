"""Covers toolkit/commands/training/search.py, toolkit/commands/training/trials/search_result.py,
toolkit/commands/training/trials/estimate.py, toolkit/commands/training/trials/pruning.py,
toolkit/commands/training/trials/study_file.py and toolkit/commands/training/trials/trial_experiments.py.

Most tests put a formula in the place of the training."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.small_competition import finish, json_of, make_competition, run
from toolkit.commands.session import Session
from toolkit.commands.training import search as search_module
from toolkit.commands.training.fit import FitOptions
from toolkit.commands.training.search import search
from toolkit.commands.training.trials import study_file
from toolkit.commands.training.trials.study_file import Study, open_study
from toolkit.config.checks.search_space import read_space
from toolkit.config.loading import load_config, plain_config
from toolkit.errors import ChangedError, ConfigError, NotReadyError, StorageError, TrainingError
from toolkit.files.disk.changes import make_folder
from toolkit.files.disk.json_files import write_json
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.history import Epoch, write_history
from toolkit.files.experiment.workspace import Workspace

SPACE = """\
keys:
  lr: {low: 1e-4, high: 1e-1, log: true}
  batch: {low: 2, high: 8, step: 2}
  augmentation: {choices: [{HorizontalFlip: 0.5}, light]}
sampler: tpe
"""


def fake_fit(session: Session, name: str, *, options: FitOptions) -> Any:
    """A score that follows from the values; one epoch is written in fold 0, and then looked at."""
    experiment = session.workspace.find(name)
    config = load_config(experiment.config).config
    folds = [1 - abs(config.lr - 0.01), 1 - config.batch / 100]
    stage = experiment.stage(0, 0)
    make_folder(stage.folder)
    write_history(stage, [Epoch(0, config.lr, 0.5, 0.5, {"dice": folds[0]}, 3, 1.0)])
    if options.after_epoch is not None:
        options.after_epoch()
    write_json(experiment.score, {"metric": "dice", "folds": folds, "all": sum(folds) / 2})
    return SimpleNamespace(all=sum(folds) / 2)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_competition()
    Path("space.yaml").write_text(SPACE)
    config = Path("experiments/new/config.yaml")
    config.write_text(config.read_text() + "report: false\n")
    monkeypatch.setattr(search_module, "fit", fake_fit)
    return tmp_path


def begun(**limits: Any) -> Any:
    return search(Session(Workspace(Path())), "new", Path("space.yaml"), **{"trials": 5, **limits})


@contextmanager
def opened() -> Iterator[Study]:
    experiment, space = Experiment(Path("experiments/new")), read_space(Path("space.yaml"))
    basis = {"experiment": plain_config(load_config(experiment.config).config, experiment.folder)}
    with open_study(experiment, space, direction="max", seed=3, basis=basis) as study:
        yield study


def test_the_same_search_makes_the_same_trials_however_often_it_is_interrupted(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = begun()
    assert [one.state for one in expected.trials][:4] == ["finished"] * 4
    assert len({one.values["lr"] for one in expected.trials}) == 5
    again = begun()
    assert again.trials == expected.trials

    calls = []

    def interrupted(session: Session, name: str, *, options: FitOptions) -> Any:
        calls.append(name)
        if len(calls) in (2, 5):
            raise KeyboardInterrupt
        return fake_fit(session, name, options=options)

    monkeypatch.chdir(tmp_path_factory.mktemp("interrupted"))
    make_competition()
    Path("space.yaml").write_text(SPACE)
    config = Path("experiments/new/config.yaml")
    config.write_text(config.read_text() + "report: false\n")
    monkeypatch.setattr(search_module, "fit", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            begun()
    assert begun().trials == expected.trials


def test_no_trial_is_given_to_two_processes_and_those_of_dead_ones_go_on(root: Path) -> None:
    with opened() as one, opened() as other:
        with one.claimed(3) as first, other.claimed(3) as second:
            assert first is not None
            assert second is not None
            assert (first.number, second.number) == (0, 1)
            other.end(1, "finished", 0.5)
        with other.claimed(3) as adopted:  # the first process ended without a word
            assert adopted is not None
            assert (adopted.number, adopted.values) == (0, first.values)
            with one.claimed(2) as none:
                assert none is None


def test_the_nested_score_is_that_of_trials_that_others_chose(root: Path) -> None:
    found = begun(trials=4)
    rows = {one.number: one.folds for one in found.trials}
    assert found.estimate is not None
    best_of_0 = max(rows, key=lambda number: rows[number][0])
    best_of_1 = max(rows, key=lambda number: rows[number][1])
    assert found.estimate.chosen == (best_of_1, best_of_0)
    assert found.estimate.nested == pytest.approx((rows[best_of_1][0] + rows[best_of_0][1]) / 2)
    assert found.estimate.optimistic == max(one.score for one in found.trials)
    assert found.next_steps()[-1] == f"next: tk fit {found.winner}, which predicts the test images"
    assert any("new itself is not trained" in line for line in found.next_steps())
    assert "lr: " in found.winner_keys
    for one in found.trials:
        assert load_config(Path("experiments") / one.experiment / "config.yaml").config.lr == one.values["lr"]


def test_a_pruned_trial_says_where_it_ended_and_cannot_win(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def falling(session: Session, name: str, *, options: FitOptions) -> Any:
        number = int(name[-3:])
        experiment = session.workspace.find(name)
        stage = experiment.stage(0, 0)
        make_folder(stage.folder)
        write_history(stage, [Epoch(0, 0.1, 0.5, 0.5, {"dice": 0.9 - number / 10}, 3, 1.0)])
        assert options.after_epoch is not None
        options.after_epoch()
        folds = [0.5 + number / 10] * 2  # later trials would win
        write_json(experiment.score, {"metric": "dice", "folds": folds, "all": folds[0]})
        return SimpleNamespace(all=folds[0])

    monkeypatch.setattr(search_module, "fit", falling)
    found = begun(trials=6)
    assert [one.state for one in found.trials] == ["finished"] * 4 + ["pruned"] * 2
    assert found.winner == "new-trial003"
    note = found.trials[4].note
    assert note == "fold 0, 100 % of its epochs: 0.5000 is worse than 0.7500, the median of 4 finished trials there"
    assert found.trials[4].pruned_fold == 0
    assert any("2 trials ended early by validation scores (fold 0: 2)" in line for line in found.notes)
    assert begun(trials=6).trials == found.trials
    Path("space.yaml").write_text(SPACE + "pruning: false\n")
    with pytest.raises(ChangedError, match=r"space.pruning: – → false"):
        begun(trials=6)


def test_a_failed_trial_does_not_stop_the_others(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(session: Session, name: str, *, options: FitOptions) -> Any:
        if name.endswith("1"):
            raise TrainingError("the loss is not a number")
        if name.endswith("2"):
            raise MemoryError
        return fake_fit(session, name, options=options)

    monkeypatch.setattr(search_module, "fit", failing)
    found = begun(trials=4)
    assert [one.state for one in found.trials] == ["finished", "failed", "failed", "finished"]
    assert found.trials[1].note == "the loss is not a number"


def test_a_search_without_any_result_says_why(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(session: Session, name: str, *, options: FitOptions) -> Any:
        raise TrainingError("the loss is not a number")

    monkeypatch.setattr(search_module, "fit", failing)
    with pytest.raises(NotReadyError, match=r"none of 2 trials could be trained:\n  trial 0: the loss is not a number"):
        begun(trials=2)


def test_values_that_the_configuration_refuses_are_told_before_anything_trains(root: Path) -> None:
    Path("space.yaml").write_text(
        "keys:\n  lr: {low: 0.0, high: 0.1}\n  backbone: {choices: [resnet18, resnet19]}\n"
        "  nothing: {low: 1, high: 2}\n"
    )
    with pytest.raises(ConfigError) as caught:
        begun()
    lines = caught.value.message.splitlines()
    assert [line.split(":")[1] for line in lines[1:]] == ["2", "3", "4", "4"]
    assert "keys.backbone.choices.1: backbone: 'resnet19' is not valid" in caught.value.message
    Path("space.yaml").write_text("keys: {lr: {low: 1, high: 2}}")
    with pytest.raises(ConfigError, match=r"lr may be any number: write low: 1.0"):
        begun()
    assert not Path("experiments/new/search").exists()


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"trials": None}, "tk search needs an end"),
        ({"trials": 0}, "--trials: expected a whole number from 1"),
        ({"hours": -1.0}, "--hours: expected a number above 0"),
    ],
)
def test_a_search_needs_sensible_limits(root: Path, limits: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        begun(**limits)


def test_without_optuna_the_command_to_install_it_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_file.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError) as caught:
        begun()
    assert caught.value.advice == "Run: pip install 'segmentation-toolkit[search]'"


def damage(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def renew(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE version_info SET schema_version = 99")
        connection.execute("UPDATE alembic_version SET version_num = 'v99.0.0'")
    connection.close()


@pytest.mark.parametrize(
    ("change", "problem"), [(damage, "is damaged: file is not a database"), (renew, "another version of Optuna")]
)
def test_a_study_that_cannot_be_read_is_told(root: Path, change: Callable[[Path], None], problem: str) -> None:
    begun(trials=1)
    change(Path("experiments/new/search/study.db"))
    with pytest.raises(StorageError, match=problem):
        begun(trials=1)


def test_a_deleted_study_makes_the_same_trials_again(root: Path) -> None:
    expected = begun(trials=3)
    Path("experiments/new/search/study.db").unlink()
    assert begun(trials=3).trials == expected.trials


def test_another_configuration_or_experiment_is_refused(root: Path) -> None:
    begun(trials=1)
    config = Path("experiments/new/config.yaml")
    config.write_text(config.read_text() + "loss: dice_loss\n")
    with pytest.raises(ChangedError, match="was begun otherwise; changed since:\n  loss"):
        begun(trials=2)
    config.write_text(config.read_text().replace("loss: dice_loss\n", ""))
    finish("new-trial001")
    with pytest.raises(ChangedError, match="is not that of trial 1 of this search"):
        begun(trials=2)


def test_a_configuration_that_is_edited_between_two_trials_ends_the_search(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def editing(session: Session, name: str, *, options: FitOptions) -> Any:
        found = fake_fit(session, name, options=options)
        config = Path("experiments/new/config.yaml")
        config.write_text(config.read_text() + "loss: dice_loss\n")
        return found

    monkeypatch.setattr(search_module, "fit", editing)
    with pytest.raises(ChangedError, match="was begun otherwise; changed since:\n  loss"):
        begun(trials=2)
    assert not Path("experiments/new-trial001").exists()


def test_other_weights_to_start_from_are_another_search(root: Path) -> None:
    weights = Path("start.weights.h5")
    weights.write_bytes(b"one")
    config = Path("experiments/new/config.yaml")
    config.write_text(config.read_text() + "encoder_weights: ../../start.weights.h5\n")
    begun(trials=1)
    weights.write_bytes(b"two")
    with pytest.raises(ChangedError, match="encoder_weights"):
        begun(trials=2)


@pytest.mark.train
def test_a_real_search_from_the_command_line(tiny_competition: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_competition.root)
    Path("space.yaml").write_text("keys: {lr: {low: 1e-3, high: 1e-1, log: true}}\n")
    assert run("fit", "plain")[0] == 0
    found = json_of("search", "plain", "space.yaml", "--trials", "2")
    assert [one["state"] for one in found["trials"]] == ["finished", "finished"]
    estimate = found["estimate"]
    assert estimate["nested"] <= estimate["optimistic"] + 1e-9 or len(set(estimate["chosen"])) > 1
    assert estimate["nested_gain"]["mean"] == pytest.approx(estimate["nested"] - estimate["itself"])
    assert estimate["optimistic_gain"]["mean"] == pytest.approx(estimate["optimistic"] - estimate["itself"])
    assert "plain-trial001" in run("ls")[1]
    code, out, err = run("fit", found["winner"])
    assert code == 0, err
    assert "next: tk tune" in out
    assert Path("experiments/plain/search/search.json").is_file()
