"""Covers toolkit/commands/training/units/training_units.py and training_job.py, and made_from.py one room above:

toolkit/commands/training/made_from.py.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from toolkit.cluster.units import Unit
from toolkit.commands.session import Session
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.commands.training.units.training_units import train_unit
from toolkit.config.training.execution import Resources
from toolkit.errors import ChangedError, OutOfTimeError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Progress, Silent, SilentTask, Task

pytestmark = pytest.mark.train


@dataclass
class ThisProcess:
    """Machines that run units one after the other in this process, as workers do in theirs."""

    workspace: Workspace
    names: list[str] = field(default_factory=list)
    stopped: int = 0

    def run(self, experiment: Experiment, units: Sequence[Unit], resources: Resources, progress: Progress) -> None:
        finished: set[str] = set()
        for unit in units:
            assert finished.issuperset(unit.after)
            counted = Counted(unit.steps)
            unit.duty(Workspace(self.workspace.root), counted, {**unit.arguments, "experiment": str(experiment.folder)})
            assert counted.done == unit.steps
            finished.add(unit.name)
            if not unit.name.startswith("predict"):
                self.names.append(unit.name)

    def call(self, resources: Resources, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    def stop(self, experiment: Experiment) -> int:
        self.stopped += 1
        return 0


class Counted(Silent):
    """Counts the steps of outermost tasks of so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps, self.done, self.depth = steps, 0, 0

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        self.depth += 1
        yield self if self.depth == 1 and total == self.steps else SilentTask()
        self.depth -= 1

    def advance(self, steps: int = 1, status: str = "") -> None:
        self.done += steps


STAGES = "num_seeds: 2\nstages: [{epochs: 1}, {epochs: 2, lr: 0.001}]\n"


def test_a_unit_is_one_stage_of_one_fold_and_seed_and_results_are_those_of_one_machine(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    alone, shared = (write_experiment(tiny_competition, name, STAGES) for name in ("alone", "shared"))
    machines = ThisProcess(tiny_competition)
    expected = fit(Session(tiny_competition), "alone")
    found = fit(Session(tiny_competition, cluster=machines), "shared")
    assert machines.names == [
        f"fold {fold}{seed} · stage {stage}" for fold in (0, 1) for seed in ("", " · seed 1") for stage in (0, 1)
    ]
    assert (found.all, found.folds) == (expected.all, expected.folds)
    for stage in alone.finished_stages():
        path = stage.best_weights.relative_to(alone.folder)
        assert (shared.folder / path).read_bytes() == stage.best_weights.read_bytes()


def test_only_what_is_not_finished_is_given_to_machines(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    write_experiment(tiny_competition, "exp", "stages: [{epochs: 1}, {epochs: 1}]\n")
    fit(Session(tiny_competition), "exp", options=FitOptions(folds=[0], stages=[0]))
    machines = ThisProcess(tiny_competition)
    session = Session(tiny_competition, cluster=machines)
    fit(session, "exp", options=FitOptions(folds=[0]))
    assert machines.names == ["fold 0 · stage 1"]
    fit(session, "exp")
    assert machines.names[1:] == ["fold 1 · stage 0", "fold 1 · stage 1"]
    fit(session, "exp", options=FitOptions(restart=True))
    assert len(machines.names) == 7
    assert machines.stopped == 1


def test_settings_of_the_command_line_reach_the_machines(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    write_experiment(tiny_competition, "exp")
    machines = ThisProcess(tiny_competition)
    fit(Session(tiny_competition, cluster=machines), "exp", overrides=["stages.0.epochs=2", "folds_count=3"])
    assert machines.names == ["fold 0 · stage 0", "fold 1 · stage 0", "fold 2 · stage 0"]


def test_a_machine_that_finds_other_data_refuses_to_train(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    experiment = write_experiment(tiny_competition, "exp", "stages: [{epochs: 1}, {epochs: 1}]\n")
    fit(Session(tiny_competition), "exp", options=FitOptions(stages=[0]))
    images = tiny_competition.root / "data" / "train" / "images"
    (images / "001.png").write_bytes((images / "000.png").read_bytes())
    with pytest.raises(ChangedError, match="other data or code for exp than the machine that began it: training_data"):
        train_unit(tiny_competition, Silent(), unit_arguments(experiment))


def test_a_machine_whose_time_is_over_stops_after_an_epoch(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    experiment = write_experiment(tiny_competition, "exp", "stages: [{epochs: 2}, {epochs: 2}]\n")
    fit(Session(tiny_competition), "exp", options=FitOptions(stages=[0]))
    with pytest.raises(OutOfTimeError):
        train_unit(tiny_competition, Silent(), {**unit_arguments(experiment), "until": 1.0})


def unit_arguments(experiment: Experiment) -> dict[str, Any]:
    return {"experiment": str(experiment.folder), "fold": 0, "repeat": 0, "stage": 1, "until": None}
