import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.cluster.probes import probe
from toolkit.cluster.workers.unit_worker import Look, Order, Worker
from toolkit.errors import StorageError, TrainingError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.task_files import TaskFiles, TaskState, experiment_id
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Progress


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    folder = tmp_path / "experiments" / "exp"
    folder.mkdir(parents=True)
    (folder / "config.yaml").touch()
    return Experiment(folder)


def order(experiment: Experiment, duty: Any, **changes: Any) -> Order:
    word = experiment_id(experiment)
    TaskFiles(experiment, "task").write(TaskState("task", holder="me", attempt=2))
    values = {
        "duty": duty, "arguments": {"word": "found"}, "name": "task", "steps": 2, "file_name": "task",
        "workspace": str(experiment.folder.parent.parent), "experiment": str(experiment.folder), "experiment_id": word,
        "holder": "me", "attempt": 2, "threads": 3,
        "expected": probe(str(experiment.folder), word),
    }  # fmt: skip
    return Order(**(values | changes))


def begun(given: Order) -> Worker:
    """A worker that cannot end the process of the tests."""
    return Worker(given, end=lambda code: None, unwatched=0.1)


def looked_at_the_end(worker: Worker) -> Look:
    for _ in range(500):
        found = worker.look()
        if found.state.status != "running":
            return found
        time.sleep(0.02)
    raise AssertionError("the task does not end")


def writes(workspace: Workspace, progress: Progress, arguments: Mapping[str, Any]) -> None:
    experiment = workspace.find(arguments["experiment"])
    with progress.task("writing", 2) as task:
        (experiment.folder / "word").write_text(arguments["word"])
        progress.say("it is written")
        task.advance(2)


def mistakes(workspace: Workspace, progress: Progress, arguments: Mapping[str, Any]) -> None:
    raise TrainingError("the loss is not a number", "Use a lower learning rate.")


def crashes(workspace: Workspace, progress: Progress, arguments: Mapping[str, Any]) -> None:
    raise RuntimeError("a surprise")


def test_a_duty_works_in_the_folder_and_its_end_is_written_before_it_is_told(experiment: Experiment) -> None:
    found = looked_at_the_end(begun(order(experiment, writes)))
    assert (found.state.status, found.state.done, found.state.total) == ("finished", 2, 2)
    assert (experiment.folder / "word").read_text() == "found"
    written = TaskFiles(experiment, "task")
    state = written.read()
    assert state is not None
    assert (state.status, state.attempt, state.holder) == ("finished", 2, "me")
    assert "it is written" in written.read_log()[-1]


def test_a_mistake_of_the_user_is_told_with_its_advice(experiment: Experiment) -> None:
    found = looked_at_the_end(begun(order(experiment, mistakes)))
    assert (found.state.status, found.state.error) == ("failed", "the loss is not a number")
    assert (found.advice, found.exit_code) == ("Use a lower learning rate.", TrainingError.exit_code)


def test_a_surprise_has_its_traceback_in_the_log(experiment: Experiment) -> None:
    found = looked_at_the_end(begun(order(experiment, crashes)))
    assert (found.state.status, found.exit_code) == ("failed", None)
    assert found.state.error == "RuntimeError: a surprise"
    assert TaskFiles(experiment, "task").read_log()[-1] == "RuntimeError: a surprise"


def fills_the_disk(workspace: Workspace, progress: Progress, arguments: Mapping[str, Any]) -> None:
    raise StorageError("the disk is full")


def test_a_fault_of_the_node_is_no_mistake_of_the_user(experiment: Experiment) -> None:
    found = looked_at_the_end(begun(order(experiment, fills_the_disk)))
    assert (found.state.status, found.state.error, found.exit_code) == ("failed", "the disk is full", None)


def test_a_disk_on_which_nothing_can_be_written_is_told(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = order(experiment, fills_the_disk)

    def fail(*_: object) -> None:
        raise StorageError("cannot write")

    monkeypatch.setattr(TaskFiles, "write", fail)
    found = looked_at_the_end(begun(given))
    assert (found.state.status, found.exit_code) == ("failed", None)


def test_a_node_with_other_packages_does_not_work(experiment: Experiment) -> None:
    other = replace(probe("", ""), versions={"python": "2.7"})
    found = looked_at_the_end(begun(order(experiment, writes, expected=other)))
    assert "python" in found.state.error
    assert found.exit_code is None


def test_a_worker_that_sees_another_folder_of_the_name_does_not_work_there(experiment: Experiment) -> None:
    found = looked_at_the_end(begun(order(experiment, writes, experiment_id="other")))
    assert "does not see" in found.state.error
    assert not (experiment.folder / "word").exists()


def test_a_worker_whose_task_another_one_has_ends_before_it_works(
    experiment: Experiment,
) -> None:
    given = order(experiment, writes)
    TaskFiles(experiment, "task").write(TaskState("task", holder="other", attempt=3))
    looked_at_the_end(begun(given))
    assert not (experiment.folder / "word").exists()
    state = TaskFiles(experiment, "task").read()
    assert state is not None
    assert (state.holder, state.attempt) == ("other", 3)
