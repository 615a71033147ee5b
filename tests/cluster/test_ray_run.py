"""A run of units on a stand-in for Ray, whose workers do what a test has written down."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.cluster import ray_run
from toolkit.cluster.delivery import SharedFolder
from toolkit.cluster.nodes import Need, Node
from toolkit.cluster.ray_run import Answer, RayRun, actor_name, actors_of
from toolkit.cluster.schedule import MOST_ATTEMPTS
from toolkit.cluster.units import Unit
from toolkit.cluster.workers.unit_worker import Look
from toolkit.cluster.workers.worker_progress import Line
from toolkit.errors import ClusterError, OutOfTimeError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.task_files import TaskFiles, TaskState, TaskStatus
from toolkit.messages import Silent

STEPS = 4


class DeadError(Exception):
    """What Ray raises for a call to a process that is gone."""


class TaskError(DeadError):
    cause: ClassVar[Exception | None] = None


@dataclass(eq=False)
class Call:
    """A reference: what a call will have returned."""

    actor: "Actor"

    def value(self) -> Look:
        return self.actor.answer()


@dataclass(eq=False)
class Actor:
    """A worker that gives one answer of its script after the other; the last one again and again.

    An answer is a number of finished steps, a status, or an exit code with its message.
    """

    ray: "StandIn"
    name: str
    unit: str
    script: Sequence[int | str | tuple[int, str]]
    holder: str = "holder"
    attempt: int = 1
    asked: int = 0

    @property
    def look(self) -> Any:
        return SimpleNamespace(remote=lambda: Call(self))

    def answer(self) -> Look:
        said = self.script[min(self.asked, len(self.script) - 1)]
        self.asked += 1
        if self.name not in self.ray.alive:
            raise DeadError("The actor died")
        if said == "dies":
            del self.ray.alive[self.name]
            raise DeadError("The actor died unexpectedly")
        if isinstance(said, tuple):
            state, code = self.state("failed", 0, said[1]), said[0]
            return Look(state, (), advice="Do otherwise.", exit_code=code)
        if isinstance(said, int):
            return Look(self.state("running", said), (Line(f"{self.unit} at {said}", is_warning=False),))
        status: TaskStatus = "finished" if said == "finished" else "failed"
        return Look(self.state(status, STEPS if status == "finished" else 0, "the disk is full"), ())

    def state(self, status: TaskStatus, done: int, error: str = "") -> TaskState:
        error = error if status == "failed" else ""
        return TaskState(self.unit, status, self.holder, "node", self.attempt, done, STEPS, error=error)


@dataclass
class StandIn:
    """What a run uses of the module ray; `scripts` has the attempts of each unit."""

    scripts: Mapping[str, Sequence[Sequence[Any]]]
    places: int
    alive: dict[str, Actor] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    most: int = 0
    presses: int = 0

    exceptions: ClassVar[Any] = SimpleNamespace(RayError=DeadError, RayTaskError=TaskError)

    @property
    def util(self) -> Any:
        return SimpleNamespace(list_named_actors=lambda: list(self.alive))

    def remote(self, _: type) -> Any:
        def options(name: str, **_: object) -> Any:
            return SimpleNamespace(remote=lambda order: self.begin(name, order))

        return SimpleNamespace(options=options)

    def begin(self, name: str, order: Any) -> Actor:
        assert name not in self.alive, "two workers for one unit"
        script = self.scripts[order.name][self.begun.count(order.name)]
        self.begun.append(order.name)
        self.alive[name] = Actor(self, name, order.name, script, order.holder, order.attempt)
        self.most = max(self.most, len(self.alive))
        return self.alive[name]

    def get_actor(self, name: str) -> Actor:
        if name not in self.alive:
            raise ValueError(name)
        return self.alive[name]

    def get(self, call: Call, timeout: float = 0) -> Look:
        return call.value()

    def wait(self, calls: list[Call], num_returns: int, timeout: float) -> tuple[list[Call], list[Call]]:
        if self.presses:
            self.presses -= 1
            raise KeyboardInterrupt
        return calls, []

    def kill(self, actor: Actor) -> None:
        self.alive.pop(actor.name, None)


@dataclass
class Heard(Silent):
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)


def nothing(*_: object) -> None:
    raise NotImplementedError


def unit(name: str, *after: str, until: float | None = None) -> Unit:
    return Unit(name, nothing, {"until": until}, STEPS, after)


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_run, "_SECONDS_BETWEEN_LOOKS", 0)


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    found = Experiment(tmp_path / "experiments" / "exp")
    found.folder.mkdir(parents=True)
    return found


@pytest.fixture
def run(experiment: Experiment) -> Iterator[Callable[..., Heard]]:
    def run(ray: StandIn, units: Sequence[Unit], answer: Answer = "go on", *, survives: bool = True) -> Heard:
        heard, asked = Heard(), []

        def interrupted(tasks: str, could_go_on: bool) -> Answer:
            asked.append((tasks, could_go_on))
            return answer

        presses = ray.presses
        try:
            RayRun(
                ray, experiment, units, Need(1), delivery=SharedFolder(), progress=heard, interrupted=interrupted,
                nodes=lambda: [Node("node", ray.places)], survives=survives,
            ).go()  # fmt: skip
        finally:
            assert len(asked) == presses - ray.presses
            assert all(could == survives for _, could in asked)
        return heard

    return run


UNITS = [unit("a0"), unit("a1", "a0"), unit("b0"), unit("b1", "b0"), unit("c0")]
DONE = [1, 2, "finished"]


def attempts() -> st.SearchStrategy[list[list[Any]]]:
    """Of one unit: it dies, or finds a full disk, at any step and less than three times, and then finishes."""
    deaths = st.builds(lambda count, how: [*range(count), how], st.integers(0, 3), st.sampled_from(["dies", "failed"]))
    finish = st.builds(lambda count: [*range(count), "finished"], st.integers(0, 3))
    return st.builds(lambda lost, last: [*lost, last], st.lists(deaths, max_size=MOST_ATTEMPTS - 1), finish)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scripts=st.fixed_dictionaries({one.name: attempts() for one in UNITS}),
    places=st.integers(1, 5),
    presses=st.integers(0, 2),
)
def test_whatever_dies_all_units_are_finished_in_order_and_none_runs_twice(
    run: Callable[..., Heard],
    experiment: Experiment,
    scripts: dict[str, list[list[Any]]],
    places: int,
    presses: int,
) -> None:
    ray = StandIn(scripts, places, presses=presses)
    heard = run(ray, UNITS)
    assert sorted(ray.begun) == sorted(name for name, tries in scripts.items() for _ in tries)
    assert ray.alive == {}
    assert ray.most <= places + 1
    for one in UNITS:
        last = len(ray.begun) - 1 - ray.begun[::-1].index(one.name)
        for before in one.after:
            assert len(ray.begun) - 1 - ray.begun[::-1].index(before) < ray.begun.index(one.name) <= last
        state = TaskFiles(experiment, one.file_name).read()
        assert state is not None
        assert (state.status, state.done, state.holder) == ("finished", STEPS, "")
    assert len(heard.warned) == len(ray.begun) - len(UNITS)
    assert len(set(heard.said)) == len(heard.said)


def test_a_unit_that_dies_three_times_ends_with_the_last_lines_of_its_log_and_leaves_the_others_running(
    run: Callable[..., Heard], experiment: Experiment
) -> None:
    ray = StandIn({"a0": [["dies"], [1, "dies"], ["dies"]], "b0": [DONE], "b1": [DONE], "c0": [DONE]}, 2)
    TaskFiles(experiment, "a0").write_log(["epoch 1: loss 0.5"])
    with pytest.raises(ClusterError) as error:
        run(ray, UNITS)
    assert error.value.message == (
        "2 of 5 tasks of exp could not be finished; 3 are:\n"
        "  a0: it died 3 times, the last time because its process was killed or crashed\n"
        "    epoch 1: loss 0.5\n"
        "  a1: a0 was not finished"
    )
    assert ray.begun.count("a0") == MOST_ATTEMPTS
    assert {"b0", "b1", "c0"} <= set(ray.begun)
    assert ray.alive == {}


def test_a_mistake_of_the_user_is_not_tried_again(run: Callable[..., Heard]) -> None:
    ray = StandIn({"a0": [[(3, "images: no such folder")]], "b0": [DONE]}, 2)
    with pytest.raises(ClusterError, match=r"a0: images: no such folder\nDo otherwise\."):
        run(ray, [unit("a0"), unit("b0")])
    assert sorted(ray.begun) == ["a0", "b0"]


def test_the_time_limit_is_one_error_unless_it_was_that_of_an_earlier_command(run: Callable[..., Heard]) -> None:
    over = (OutOfTimeError.exit_code, "the time is up")
    with pytest.raises(OutOfTimeError, match="finished epochs are kept"):
        run(StandIn({"a0": [[1, over]]}, 1), [unit("a0", until=1.0)])
    ray = StandIn({"a0": [[1, over], DONE]}, 1)
    run(ray, [unit("a0")])
    assert ray.begun == ["a0", "a0"]


def test_a_unit_that_still_runs_is_found_and_not_begun_again(run: Callable[..., Heard], experiment: Experiment) -> None:
    ray = StandIn({"b0": [DONE]}, 2)
    name = actor_name(experiment, UNITS[0])
    ray.alive[name] = Actor(ray, name, "a0", [2, 3, "finished"])
    heard = run(ray, [unit("a0"), unit("b0")])
    assert ray.begun == ["b0"]
    assert heard.said[0] == "a0 still runs on node, begun by an earlier command"


@pytest.mark.parametrize(("answer", "left"), [("stop", 0), ("leave", 1), ("go on", 0)])
def test_ctrl_c_is_answered_while_units_of_an_earlier_command_are_found(
    run: Callable[..., Heard], experiment: Experiment, answer: Answer, left: int
) -> None:
    class Pressed(StandIn):
        def get(self, call: Call, timeout: float = 0) -> Look:
            if self.presses:
                self.presses -= 1
                raise KeyboardInterrupt
            return super().get(call, timeout)

    ray = Pressed({}, 1, presses=1)
    name = actor_name(experiment, UNITS[0])
    ray.alive[name] = Actor(ray, name, "a0", [2, "finished"])
    if answer == "go on":
        run(ray, [unit("a0")], answer)
    else:
        with pytest.raises(KeyboardInterrupt):
            run(ray, [unit("a0")], answer)
    assert len(ray.alive) == left
    assert ray.begun == []


def test_a_unit_whose_worker_is_dead_or_waits_for_files_of_an_earlier_command_is_begun_again(
    run: Callable[..., Heard], experiment: Experiment
) -> None:
    ray = StandIn({"a0": [DONE]}, 2)
    name = actor_name(experiment, UNITS[0])
    ray.alive[name] = Actor(ray, name, "a0", ["dies"])
    run(ray, [unit("a0")])
    assert ray.begun == ["a0"]


@pytest.mark.parametrize(("answer", "left"), [("stop", 0), ("leave", 2)])
def test_ctrl_c_stops_the_tasks_or_leaves_them_to_themselves(
    run: Callable[..., Heard], experiment: Experiment, answer: Answer, left: int
) -> None:
    ray = StandIn({"a0": [[1]], "b0": [[1]]}, 1, presses=1)
    with pytest.raises(KeyboardInterrupt):
        run(ray, [unit("a0"), unit("b0")], answer)
    assert len(actors_of(ray, experiment)) == left
    states = {name: TaskFiles(experiment, name).read() for name in ("a0", "b0")}
    assert {state.status for state in states.values() if state} == ({"stopped"} if left == 0 else {"waiting"})
