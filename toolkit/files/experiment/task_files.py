"""What is known of the tasks that a cluster runs for an experiment: a state and a log for each, in its folder."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, with_config
from typing_extensions import TypedDict  # that of Python 3.11 cannot be checked by pydantic

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import LockedError, StorageError
from toolkit.files.disk.json_files import STRICT, read_json, write_json
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment

TaskStatus = Literal["waiting", "running", "finished", "failed", "stopped"]

_FRESH_SECONDS = 60.0
"""A running task writes its state far more often than this; a state that is older is that of a dead task."""


@dataclass(frozen=True)
class TaskState:
    """What a task is doing.

    Attributes:
        name: for people, for example `fold 0 · stage 1`.
        status: of the task; a running one whose state is old is dead.
        holder: a word that only the process has that may write the results of the task.
        node: the machine that it runs on.
        attempt: how often it was begun, from 1.
        done: steps that are finished.
        total: steps of the task.
        doing: the innermost piece of work with its progress, as text.
        began: when it began, in seconds since 1970; None before.
        seen: when this was written.
        error: why it failed.
        skipped: how many steps were done when it began.
    """

    name: str
    status: TaskStatus = "waiting"
    holder: str = ""
    node: str = ""
    attempt: int = 0
    done: int = 0
    total: int = 0
    doing: str = ""
    began: float | None = None
    seen: float = 0.0
    error: str = ""
    skipped: int = 0

    def is_alive(self, now: float) -> bool:
        """Whether the task runs, by the clock of the machine that asks."""
        return self.status == "running" and abs(now - self.seen) < _FRESH_SECONDS

    def seconds_left(self, now: float) -> float | None:
        """How long the rest of a running task takes if it goes on as fast; None if that cannot be said."""
        done = self.done - self.skipped
        if self.status != "running" or self.began is None or done <= 0 or now <= self.began:
            return None
        return (now - self.began) / done * max(0, self.total - self.done)


@with_config(STRICT)
class _StoredNeed(TypedDict):
    cpus: float
    gpus: float


_SHAPE, _NEED_SHAPE = TypeAdapter(TaskState), TypeAdapter(_StoredNeed)
_NEED = "need.json"


class TaskFiles:
    """The state and the log of one task."""

    def __init__(self, experiment: Experiment, file_name: str) -> None:
        self._state = experiment.tasks / f"{file_name}.json"
        self.log = experiment.tasks / f"{file_name}.log"

    def write(self, state: TaskState) -> None:
        """Write the state, with the time."""
        write_json(self._state, asdict(replace(state, seen=time.time())))

    def read(self) -> TaskState | None:
        """The state; None if there is none.

        Raises:
            StorageError: the file is damaged.
        """
        return _read(self._state) if self._state.is_file() else None

    def holder(self) -> str:
        """Who may write the results of the task; empty if nobody may, or that cannot be read."""
        try:
            state = self.read()
        except StorageError:
            return ""
        return "" if state is None else state.holder

    def write_log(self, lines: Sequence[str]) -> None:
        """Write the log, whole."""
        write_text(self.log, "".join(f"{line}\n" for line in lines))

    def read_log(self) -> list[str]:
        """The lines of the log; none without a log."""
        return regular(self.log).read_text("utf-8", "replace").splitlines() if self.log.is_file() else []


def task_states(experiment: Experiment) -> dict[str, TaskState]:
    """The states of all tasks by the names of their files, sorted.

    Raises:
        StorageError: a file is damaged.
    """
    paths = (path for path in sorted(experiment.tasks.glob("*.json")) if path.name != _NEED)
    return {path.stem: _read(path) for path in paths}


def running_tasks(experiment: Experiment) -> list[TaskState]:
    """The tasks that have shown themselves within the last minute; raises StorageError as `task_states`."""
    now = time.time()
    return [state for state in task_states(experiment).values() if state.is_alive(now)]


def refuse_running_tasks(experiment: Experiment) -> None:
    """Refuse to work on an experiment while tasks of a cluster still write into its folder.

    Raises:
        LockedError: a task has shown itself within the last minute.
    """
    alive = running_tasks(experiment)
    if alive:
        first, more = alive[0], f", and {len(alive) - 1} more" if len(alive) > 1 else ""
        ago = max(0, time.time() - first.seen)
        raise LockedError(
            f"a cluster is working on {experiment.folder}: {first.name} on {first.node}, seen {ago:.0f} s ago{more}",
            f"To follow or to stop it: tk fit {experiment.name} --on ADDRESS. To see it: tk status {experiment.name}. "
            "If it was killed, wait a minute.",
        )


def release_tasks(experiment: Experiment) -> None:
    """Take all tasks away from whoever has them: a worker that begins only now ends before it writes.

    The caller has made sure that no task is alive.
    """
    for name, state in task_states(experiment).items():
        if state.holder:
            TaskFiles(experiment, name).write(replace(state, holder="", status="stopped"))


def experiment_id(experiment: Experiment) -> str:
    """A word that tells this folder from all others, also to machines that see it under another path; kept in it."""
    path = id_file(experiment)
    if not path.is_file():
        write_text(path, secrets.token_hex(16))
    return regular(path).read_text("utf-8").strip()


def read_need(experiment: Experiment) -> tuple[float, float] | None:
    """The processor cores and GPUs that tasks of the experiment had; None before the first. Raises StorageError."""
    path = experiment.tasks / _NEED
    if not path.is_file():
        return None
    found = read_json(path, _NEED_SHAPE, f"Delete {path}.")
    return found["cpus"], found["gpus"]


def write_need(experiment: Experiment, cpus: float, gpus: float) -> None:
    """Write down the processor cores and GPUs of each task."""
    if read_need(experiment) != (cpus, gpus):
        write_json(experiment.tasks / _NEED, {"cpus": cpus, "gpus": gpus})


def id_file(experiment: Experiment) -> Path:
    """The file that has the id of the folder."""
    return experiment.tasks / "id"


def has_id(experiment: Experiment, expected: str) -> bool:
    """Whether this is the folder with that id, and not another one of its name."""
    path = id_file(experiment)
    return path.is_file() and regular(path).read_text("utf-8").strip() == expected


def _read(path: Path) -> TaskState:
    return read_json(path, _SHAPE, f"Delete {path}.")
