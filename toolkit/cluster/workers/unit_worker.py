"""The process that runs one unit on a node: it works in a thread, and answers questions in others."""

import os
import socket
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.cluster.probes import Probe, probe, refuse_different
from toolkit.cluster.units import Duty
from toolkit.cluster.workers.worker_progress import Line, WorkerProgress
from toolkit.errors import ClusterError, MissingFileError, StorageError, ToolkitError, as_told
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.task_files import TaskFiles, TaskState, TaskStatus, has_id
from toolkit.files.experiment.workspace import Workspace

_SECONDS_BETWEEN_STATES = 5.0
_SECONDS_BETWEEN_CHECKS = 1.0
_UNWATCHED_SECONDS = 60.0
_OF_THE_NODE = (StorageError, MissingFileError, ClusterError)
"""Errors that another node may not have: the unit is begun again."""


@dataclass(frozen=True)
class Order:
    """One attempt at a unit: all that a worker is given.

    Attributes:
        duty, arguments, name, steps: those of the unit.
        file_name: of its state and log.
        workspace: the path of the working folder, on the node.
        experiment: the path of the experiment's folder, below the workspace or absolute; the duty gets it too, as the
            argument `experiment`.
        experiment_id: that of its folder.
        holder: the word of this attempt; the worker stops when the folder names another one.
        attempt: how often the unit was begun, from 1.
        threads: how many threads compute.
        expected: what the user's machine has, and the node must have too.
    """

    duty: Duty
    arguments: Mapping[str, Any]
    name: str
    steps: int
    file_name: str
    workspace: str
    experiment: str
    experiment_id: str
    holder: str
    attempt: int
    threads: int
    expected: Probe


@dataclass(frozen=True)
class Look:
    """What a worker tells: its state, and the lines since it was asked last.

    `has_results`: something waits to be fetched. `exit_code` is set if the unit failed by a mistake that a user can
    fix, which trying again does not mend.
    """

    state: TaskState
    lines: tuple[Line, ...]
    advice: str = ""
    exit_code: int | None = None
    has_results: bool = False


class Worker:
    """Runs a unit in a folder that the user's machine sees too."""

    def __init__(
        self,
        order: Order,
        *,
        begins: bool = True,
        unwatched: float = _UNWATCHED_SECONDS,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        """Begin the work, unless a file has to arrive before.

        Args:
            order: what to do.
            begins: whether the work begins now.
            unwatched: seconds after the work without a look, after which the process ends. During the work nobody has
                to look.
            end: ends the process, with a code.
        """
        self._order, self._unwatched, self._end = order, unwatched, end
        self._status: TaskStatus = "waiting"
        self._error, self._advice = "", ""
        self._exit_code: int | None = None
        self._asked = self._checked = time.monotonic()
        self._experiment = Experiment(Path(order.workspace) / order.experiment)
        self._files = TaskFiles(self._experiment, order.file_name)
        self._log: list[str] = []
        self._writing, self._is_written = threading.Lock(), False
        self._progress = WorkerProgress(order.steps, self._log, self._end_if_superseded, self._whole)
        self._node = socket.gethostname()
        # Read when TensorFlow is imported.
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(order.threads)
        if begins:
            self._start()

    def look(self) -> Look:
        """What the unit is doing."""
        self._asked = time.monotonic()
        lines = tuple(self._progress.new_lines())
        return Look(self._state(), lines, self._advice, self._exit_code, has_results=self._results_wait())

    def _start(self) -> None:
        self._status = "running"
        for work in (self._run, self._show):
            threading.Thread(target=work, daemon=True).start()

    def _run(self) -> None:
        status: TaskStatus = "failed"
        try:
            self._log += [*self._files.read_log(), f"--- attempt {self._order.attempt} on {self._node} ---"]
            self._work()
            status = "finished"
        except BaseException as error:
            told = error if isinstance(error, ToolkitError) else as_told(error)
            if told is None:
                self._log += traceback.format_exc().splitlines()
                self._error = f"{type(error).__name__}: {error}"
            else:
                self._log.append(f"error: {told.message}")
                self._error, self._advice = told.message, told.advice
                self._exit_code = None if isinstance(told, _OF_THE_NODE) else told.exit_code
        # The process may be ended as soon as it says that it is done, so everything is written before.
        try:
            self._write(replace(self._state(), status=status), is_last=True)
            self._at_the_end()
        except Exception as error:  # the disk may be full: whoever asks is told, and the unit is begun again
            status, self._exit_code = "failed", None
            self._error = self._error or f"{type(error).__name__}: {error}"
        self._status = status

    def _work(self) -> None:
        if not self._holds():
            self._end(0)
            return
        refuse_different(self._order.expected, [probe(str(self._experiment.folder), self._order.experiment_id)])
        if not has_id(self._experiment, self._order.experiment_id):
            raise ClusterError(
                f"{self._node} does not see {self._experiment.folder} as the machine does that gave it the task",
                "Mount the working folder under the same path on all nodes.",
            )
        os.chdir(self._order.workspace)
        arguments = {**self._order.arguments, "experiment": self._order.experiment}
        self._order.duty(Workspace(Path()), self._progress, arguments)

    def _whole(self) -> None:
        """Write the state and the log; the user's machine sees what else the unit has written."""
        self._write(self._state())

    def _at_the_end(self) -> None:
        """Do nothing: the user's machine sees what was written."""

    def _results_wait(self) -> bool:
        """Whether something was finished that the user's folder does not have."""
        return False

    def _end_if_superseded(self) -> None:
        now = time.monotonic()
        if now - self._checked > _SECONDS_BETWEEN_CHECKS:
            self._checked = now
            if not self._holds():
                self._end(0)

    def _holds(self) -> bool:
        """Whether the task is still that of this process."""
        return self._files.holder() == self._order.holder

    def _state(self) -> TaskState:
        progress, order = self._progress, self._order
        return TaskState(
            order.name, self._status, order.holder, self._node, order.attempt, progress.done, progress.total,
            progress.doing, progress.began, time.time(), self._error, progress.skipped,
        )  # fmt: skip

    def _write(self, state: TaskState, *, is_last: bool = False) -> None:
        """Write the state and the log, if the task is still that of this process; nothing after the last state."""
        with self._writing:
            if not self._is_written and self._holds():
                self._files.write(state)
                self._files.write_log(self._log)
            self._is_written = self._is_written or is_last

    def _show(self) -> None:
        """Write the state from time to time; end the process if nobody asks after the end of the work."""
        while self._status == "running":
            with suppress(ToolkitError):  # a full disk ends the work, not the signs of life
                self._write(self._state())
            time.sleep(_SECONDS_BETWEEN_STATES)
        ended = time.monotonic()
        while time.monotonic() - max(self._asked, ended) < self._unwatched:
            time.sleep(1)
        self._end(0)
