"""One run of units on Ray: begins them where there is room, watches them, and begins those again that die."""

import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Literal

from toolkit.cluster.delivery import Delivery
from toolkit.cluster.nodes import Need, Node, places_for
from toolkit.cluster.probes import probe
from toolkit.cluster.schedule import Schedule
from toolkit.cluster.units import Unit
from toolkit.cluster.workers.unit_worker import Look, Order
from toolkit.errors import ClusterError, ConfigError, OutOfTimeError, ToolkitError, counted
from toolkit.files.disk.digests import digest
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.task_files import TaskFiles, TaskState, TaskStatus, experiment_id
from toolkit.messages import Progress, Task

Answer = Literal["stop", "leave", "go on"]
Interrupted = Callable[[str, bool], Answer]
"""Asks the user, who has pressed Ctrl-C, what to do with the tasks that run.

It is given a text that describes them, and whether they can go on without this process.
"""

_SECONDS_BETWEEN_LOOKS = 0.5
_ANSWER_SECONDS = 15
_LAST_LINES = 15
_TRANSFERS_AT_ONCE = 4
_SECONDS_BETWEEN_STATES = 5.0


@dataclass
class _Running:
    """A unit that was begun, and what is known of it."""

    unit: Unit
    actor: Any
    holder: str
    attempt: int
    pending: Any = None
    task: Task | None = None
    shown: int = 0
    node: str = ""
    traffic: "Future[None] | None" = None
    is_prepared: bool = False
    written: float = 0.0


class RayRun:
    """Runs units, and reports them as one."""

    def __init__(
        self,
        ray: Any,
        experiment: Experiment,
        units: Sequence[Unit],
        need: Need,
        *,
        delivery: Delivery,
        progress: Progress,
        interrupted: Interrupted,
        nodes: Callable[[], Sequence[Node]],
        survives: bool,
    ) -> None:
        self._ray, self._experiment, self._units, self._need = ray, experiment, units, need
        self._delivery, self._progress, self._interrupted, self._nodes = delivery, progress, interrupted, nodes
        self._has_attached = False
        self._survives, self._expected = survives, probe(str(experiment.folder), "")
        self._schedule = Schedule(units)
        self._running: dict[str, _Running] = {}
        self._most: dict[str, int] = {}
        self._said: set[str] = set()
        self._exit_codes: set[int] = set()
        self._bars: dict[str, AbstractContextManager[Task]] = {}
        self._overall: Task | None = None

    def go(self) -> None:
        """Run all units.

        Raises:
            OutOfTimeError: the time limit is reached.
            ClusterError: some could not be finished.
            KeyboardInterrupt: the user wants to stop, or to leave the tasks to themselves.
        """
        total = sum(unit.steps for unit in self._units)
        title = f"{self._experiment.name}: {counted(len(self._units), 'task')}"
        with self._progress.task(title, total) as self._overall, ThreadPoolExecutor(_TRANSFERS_AT_ONCE) as self._pool:
            try:
                while not self._schedule.is_over:
                    self._turn()
            finally:
                self._close_bars()
        if self._schedule.failures:
            self._raise_failures()

    def _turn(self) -> None:
        try:
            if not self._has_attached:
                self._attach()
            self._begin_ready()
            self._look()
        except KeyboardInterrupt:
            tasks = f"{counted(len(self._running), 'task')} of {self._experiment.name}: {', '.join(self._running)}"
            answer = self._interrupted(tasks, self._survives)
            if answer == "go on":
                return
            if answer == "stop":
                self._stop_all()
            raise

    def _attach(self) -> None:
        """Find units that a process before this one has begun, and that still run."""
        for unit in self._schedule.ready():
            name = actor_name(self._experiment, unit)
            try:
                actor = self._ray.get_actor(name)
            except ValueError:
                continue
            try:
                found: Look = self._ray.get(actor.look.remote(), timeout=_ANSWER_SECONDS)
            except self._ray.exceptions.RayError:  # it has no place yet, or has just died
                self._end_actor(actor, name)
                continue
            if found.state.status == "waiting":  # for files that nobody sends any more
                self._end_actor(actor, name)
                continue
            self._schedule.begin(unit)
            self._running[unit.name] = _Running(unit, actor, found.state.holder, found.state.attempt)
            self._progress.say(f"{unit.name} still runs on {found.state.node}, begun by an earlier command")
        self._has_attached = True

    def _begin_ready(self) -> None:
        # One more than there is room for, so that a place is taken as soon as it is free.
        room = places_for(self._need, self._nodes()) + 1
        for unit in self._schedule.ready():
            if len(self._running) >= room:
                return
            attempt = self._schedule.begin(unit)
            try:
                holder = secrets.token_hex(8)
                TaskFiles(self._experiment, unit.file_name).write(
                    TaskState(unit.name, holder=holder, attempt=attempt, total=unit.steps)
                )
                self._running[unit.name] = _Running(unit, self._actor(unit, holder, attempt), holder, attempt)
            except BaseException:  # also Ctrl-C, after which the user may want to go on
                self._schedule.put_back(unit)
                raise

    def _actor(self, unit: Unit, holder: str, attempt: int) -> Any:
        folder = self._experiment.folder.resolve()
        order = Order(
            unit.duty, unit.arguments, unit.name, unit.steps, unit.file_name, str(folder.parent.parent), str(folder),
            experiment_id(self._experiment), holder, attempt, self._need.threads, self._expected,
        )  # fmt: skip
        remote = self._ray.remote(self._delivery.worker).options(
            name=actor_name(self._experiment, unit),
            lifetime="detached",  # goes on without this process
            max_restarts=0,  # begun again here, where the attempts are counted
            max_concurrency=8,
            num_cpus=self._need.cpus,
            num_gpus=self._need.gpus,
        )
        return remote.remote(self._delivery.adapted(order))

    def _end_actor(self, actor: Any, name: str) -> None:
        """End a worker, and wait until its name is free."""
        self._ray.kill(actor)
        for _ in range(_ANSWER_SECONDS * 10):
            try:
                self._ray.get_actor(name)
            except ValueError:
                return
            time.sleep(0.1)

    def _look(self) -> None:
        """Ask all running units what they do, and take note of the answers that come within a moment."""
        for one in self._running.values():
            if one.pending is None:
                one.pending = one.actor.look.remote()
        by_ref = {one.pending: one for one in self._running.values()}
        if not by_ref:
            return
        ready, _ = self._ray.wait(list(by_ref), num_returns=len(by_ref), timeout=_SECONDS_BETWEEN_LOOKS)
        for ref in ready:
            one = by_ref[ref]
            one.pending = None
            try:
                found = self._ray.get(ref)
            except self._ray.exceptions.RayError as error:
                self._died(one, _cause(error))
                continue
            self._saw(one, found)
        if len(ready) == len(by_ref):
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _saw(self, one: _Running, found: Look) -> None:
        state = found.state
        for line in found.lines:
            self._tell(line.text, is_warning=line.is_warning)
        self._show(one, state)
        if state.status == "waiting" and not one.is_prepared:
            one.is_prepared = True  # it has a place now, where files can be sent to
            one.traffic = self._pool.submit(self._delivery.prepare, self._ray, one.actor, one.unit)
        if not self._has_arrived(one, found):
            return
        if state.status == "finished":
            self._schedule.finish(one.unit)
            self._end(one, "finished")
            self._advance(one, one.unit.steps)
        elif state.status == "failed" and found.exit_code is None:
            self._died(one, f"of {state.error}")
        elif found.exit_code == OutOfTimeError.exit_code and one.unit.arguments.get("until") is None:
            self._died(one, "the time of an earlier command was up")
        elif state.status == "failed" and found.exit_code is not None:
            advice = f"\n{found.advice}" if found.advice else ""
            self._schedule.fail(one.unit, f"{state.error}{advice}")
            self._exit_codes.add(found.exit_code)
            self._end(one, "failed", state.error)

    def _has_arrived(self, one: _Running, found: Look) -> bool:
        """Fetch what waits; returns whether everything is in the user's folder that the unit has finished."""
        if one.traffic is not None and one.traffic.done():
            traffic, one.traffic = one.traffic, None
            error = traffic.exception()
            cause = error.cause if isinstance(error, self._ray.exceptions.RayTaskError) else error
            if isinstance(cause, ConfigError):  # no other node could do better
                raise cause
            if isinstance(cause, ToolkitError):
                self._died(one, f"of {cause.message}")
                return False
            if cause is not None and not isinstance(cause, self._ray.exceptions.RayError):
                raise cause
        if one.traffic is None and found.has_results:
            one.traffic = self._pool.submit(self._delivery.fetch, self._ray, one.actor)
        return one.traffic is None

    def _died(self, one: _Running, why: str) -> None:
        again = self._schedule.die(one.unit, why)
        if not again:
            self._exit_codes.add(ClusterError.exit_code)
        self._end(one, "waiting" if again else "failed", "" if again else why)
        if again:
            self._progress.warn(f"{one.unit.name} on {one.node or 'a node'} died, because {why}; it is begun again")

    def _end(self, one: _Running, status: TaskStatus, error: str = "") -> None:
        """Take a unit off the list and end its process; nothing that it still writes counts any more."""
        del self._running[one.unit.name]
        self._ray.kill(one.actor)
        if one.traffic is not None:  # what it is writing here belongs to this attempt
            wait([one.traffic])
        files = TaskFiles(self._experiment, one.unit.file_name)
        known = files.read() or TaskState(one.unit.name)
        done = one.unit.steps if status == "finished" else known.done
        files.write(replace(known, status=status, holder="", error=error, done=done, doing=""))
        bar = self._bars.pop(one.unit.name, None)
        if bar is not None:
            bar.__exit__(None, None, None)

    def _stop_all(self) -> None:
        for one in list(self._running.values()):
            self._end(one, "stopped")
        for actor in actors_of(self._ray, self._experiment):
            self._ray.kill(actor)

    def _tell(self, text: str, *, is_warning: bool) -> None:
        """Show a line of a worker; what several say is shown once."""
        if text not in self._said:
            self._said.add(text)
            (self._progress.warn if is_warning else self._progress.say)(text)

    def _show(self, one: _Running, state: TaskState) -> None:
        if one.task is None:
            one.node = state.node
            bar = self._progress.task(f"{one.unit.name} on {state.node}", one.unit.steps)
            one.task = bar.__enter__()
            self._bars[one.unit.name] = bar
        if not self._delivery.is_shared and time.monotonic() - one.written > _SECONDS_BETWEEN_STATES:
            one.written = time.monotonic()
            TaskFiles(self._experiment, one.unit.file_name).write(state)
        one.task.advance(max(0, state.done - one.shown), state.doing)
        one.shown = max(one.shown, state.done)
        self._advance(one, state.done)

    def _advance(self, one: _Running, done: int) -> None:
        """Count steps of a unit for the whole, once also if they are done again."""
        before = self._most.get(one.unit.name, 0)
        if self._overall is not None and done > before:
            self._overall.advance(done - before)
            self._most[one.unit.name] = done

    def _close_bars(self) -> None:
        while self._bars:
            self._bars.popitem()[1].__exit__(None, None, None)

    def _raise_failures(self) -> None:
        failures = self._schedule.failures
        if self._exit_codes == {OutOfTimeError.exit_code}:
            raise OutOfTimeError(
                f"the time is up before all tasks of {self._experiment.name} are finished; finished epochs are kept",
                "To go on, run the same command again.",
            )
        texts = []
        for failure in failures:
            log = TaskFiles(self._experiment, failure.unit.file_name)
            last = [f"    {line}" for line in log.read_log()[-_LAST_LINES:]]
            texts.append("\n".join([f"  {failure.unit.name}: {failure.reason}", *last]))
        done = len(self._units) - len(failures)
        raise ClusterError(
            f"{len(failures)} of {counted(len(self._units), 'task')} of {self._experiment.name} could not be finished; "
            f"{done} are:\n" + "\n".join(texts),
            f"The logs are in {self._experiment.tasks}. What is finished is kept: repeat the command to go on.",
        )


def actor_name(experiment: Experiment, unit: Unit) -> str:
    """The name that at most one worker of a cluster has: that of a unit of this experiment's folder."""
    return f"{_prefix(experiment)}{unit.file_name}:{unit.key}"


def actors_of(ray: Any, experiment: Experiment) -> list[Any]:
    """All workers of an experiment that the cluster knows."""
    names = [name for name in ray.util.list_named_actors() if name.startswith(_prefix(experiment))]
    return [ray.get_actor(name) for name in names]


def _prefix(experiment: Experiment) -> str:
    # A copied folder has the id of the original, so the path belongs to the name.
    return digest(f"{experiment_id(experiment)} {experiment.folder.resolve()}".encode())[:16] + ":"


def _cause(error: Exception) -> str:
    text = str(error)
    if getattr(error, "actor_init_failed", False):
        return f"its process could not begin: {text.strip().splitlines()[-1]}"
    for word, meaning in (
        ("out of memory", "the memory of its node was used up"),
        ("OutOfMemory", "the memory of its node was used up"),
        ("node", "its node is gone"),
    ):
        if word in type(error).__name__ or word in text.splitlines()[0]:
            return meaning
    return "its process was killed or crashed"
