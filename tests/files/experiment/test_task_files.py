import time
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.errors import LockedError, StorageError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.task_files import (
    TaskFiles,
    TaskState,
    experiment_id,
    has_id,
    read_need,
    refuse_running_tasks,
    task_states,
    write_need,
)

STATE = TaskState("fold 0 · stage 1", "running", "me", "node7", 2, 3, 10, "epoch 4", 100.0)


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return Experiment(tmp_path)


def test_a_state_is_read_as_it_was_written_with_the_time(experiment: Experiment) -> None:
    files = TaskFiles(experiment, "fold0-stage1")
    assert files.read() is None
    assert files.holder() == ""
    before = time.time()
    files.write(STATE)
    found = files.read()
    assert found is not None
    assert before <= found.seen <= time.time()
    assert (found.name, found.node, found.done) == (STATE.name, STATE.node, STATE.done)
    assert files.holder() == "me"
    assert list(task_states(experiment)) == ["fold0-stage1"]


def test_the_time_left_follows_from_the_steps_that_are_done() -> None:
    assert STATE.seconds_left(160.0) == pytest.approx(60 / 3 * 7)
    assert replace(STATE, skipped=2).seconds_left(160.0) == pytest.approx(60 / 1 * 7)
    assert TaskState("a", "running", done=0, total=3, began=1.0).seconds_left(9.0) is None
    assert TaskState("a", "finished", done=3, total=3, began=1.0).seconds_left(9.0) is None


def test_an_experiment_whose_tasks_are_alive_is_locked(experiment: Experiment) -> None:
    refuse_running_tasks(experiment)
    TaskFiles(experiment, "a").write(STATE)
    with pytest.raises(LockedError, match=r"fold 0 · stage 1 on node7, seen 0 s ago"), experiment.locked():
        pass
    with experiment.locked(with_tasks=True):
        pass


def test_tasks_that_are_not_seen_for_a_minute_are_dead(experiment: Experiment) -> None:
    files = TaskFiles(experiment, "a")
    files.write(STATE)
    path = experiment.tasks / "a.json"
    path.write_text(
        path.read_text().replace(f'"seen": {time.time():.0f}'[:12], f'"seen": {time.time() - 100:.0f}'[:12])
    )
    found = files.read()
    assert found is not None
    assert found.is_alive(found.seen + 59)
    assert not found.is_alive(found.seen + 61)


def test_tasks_are_taken_from_those_that_begin_only_now(experiment: Experiment) -> None:
    files = TaskFiles(experiment, "a")
    files.write(TaskState("a", "waiting", "me"))
    with experiment.locked(with_tasks=True):
        assert files.holder() == "me"
    with experiment.locked():
        assert files.holder() == ""


def test_what_tasks_had_is_kept(experiment: Experiment) -> None:
    assert read_need(experiment) is None
    write_need(experiment, 4, 0.5)
    assert read_need(experiment) == (4, 0.5)
    assert task_states(experiment) == {}


def test_what_dead_tasks_have_left_is_deleted_but_not_what_living_ones_are_writing(experiment: Experiment) -> None:
    (experiment.folder / ".123.0123abcd.best.weights.h5").touch()
    TaskFiles(experiment, "a").write(STATE)
    with experiment.locked(with_tasks=True):
        assert list(experiment.folder.glob(".123.*"))
        TaskFiles(experiment, "a").write(TaskState("a", "finished"))
    assert not list(experiment.folder.glob(".123.*"))


@pytest.mark.parametrize("content", ["[]", "{", '{"name": 3}', '{"name": "a", "status": "asleep"}'])
def test_a_damaged_state_is_named(experiment: Experiment, content: str) -> None:
    experiment.tasks.mkdir()
    (experiment.tasks / "a.json").write_text(content)
    with pytest.raises(StorageError, match=r"a\.json is damaged"):
        TaskFiles(experiment, "a").read()
    assert TaskFiles(experiment, "a").holder() == ""


def test_the_log_is_written_whole(experiment: Experiment) -> None:
    files = TaskFiles(experiment, "a")
    assert files.read_log() == []
    files.write_log(["one", "two"])
    assert files.read_log() == ["one", "two"]


def test_a_folder_keeps_its_id(experiment: Experiment, tmp_path: Path) -> None:
    found = experiment_id(experiment)
    assert experiment_id(experiment) == found
    assert has_id(experiment, found)
    assert not has_id(experiment, "other")
    assert not has_id(Experiment(tmp_path / "other"), found)
