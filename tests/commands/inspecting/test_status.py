from collections.abc import Callable

import pytest

from toolkit.commands.inspecting.status import status
from toolkit.commands.session import Session
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.errors import NotReadyError, ToolkitError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.task_files import TaskFiles, TaskState
from toolkit.files.experiment.workspace import Workspace

pytestmark = pytest.mark.train


def test_stages_and_tasks_are_shown_as_they_are(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    session = Session(tiny_competition)
    experiment = write_experiment(tiny_competition, "exp", "stages: [{epochs: 1}, {epochs: 3}]\n")
    with pytest.raises(NotReadyError):
        status(session, "exp")
    fit(session, "exp", options=FitOptions(folds=[0], stages=[0]))
    TaskFiles(experiment, "fold1-stage0").write(
        TaskState("fold 1 · stage 0", "running", "me", "node7", 1, 0, 1, "epoch 1")
    )
    TaskFiles(experiment, "test-1").write(TaskState("test · 1", "failed", "", "node8", 3, 0, 9, error="no memory"))
    TaskFiles(experiment, "test-2").write(TaskState("test · 2", "finished"))
    found = status(session, "exp")
    assert [(piece.name, piece.status, piece.done, piece.total) for piece in found.pieces] == [
        ("fold 0 · stage 0", "finished", 1, 1),
        ("fold 0 · stage 1", "waiting", 0, 3),
        ("fold 1 · stage 0", "running", 0, 1),
        ("fold 1 · stage 1", "waiting", 0, 3),
        ("test · 1", "failed", 0, 9),
    ]
    assert found.tables()[0].title == "exp: 1 of 5 finished, 1 running"
    assert ("test · 1", "no memory") in found.tables()[1].rows
    assert found.next_steps()[-1] == "next: tk status exp"


def test_an_ensemble_has_no_stages(tiny_competition: Workspace) -> None:
    folder = tiny_competition.experiments / "both"
    folder.mkdir()
    (folder / "config.yaml").write_text("members: [tiny, plain]\nweights: [1, 1]\nprimary_metric: dice\n")
    with pytest.raises(ToolkitError, match="stages to train"):
        status(Session(tiny_competition), "both")
