"""`tk status`: how far the training of an experiment is, from its folder alone."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from toolkit.commands.session import Session
from toolkit.commands.training.units.training_units import unit_name
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.history import read_history
from toolkit.files.experiment.members import refuse_ensemble
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.experiment.task_files import TaskState, task_states
from toolkit.messages import Table, duration_text
from toolkit.report.result import Result


@dataclass(frozen=True)
class Piece:
    """A stage of a fold, or another task of a cluster.

    Attributes:
        name: for people, for example `fold 0 · stage 1`.
        status: finished, running, waiting, stopped, failed, or died, if a running task is no longer seen.
        done: epochs or other steps that are finished.
        total: all of them.
        node: the machine that a task runs on; empty without a cluster.
        attempt: how often a task was begun.
        seconds_left: of a running task, if that can be said.
        seen: seconds since a task has shown itself.
        doing: what a running task does; the error of one that failed.
    """

    name: str
    status: str
    done: int
    total: int
    node: str = ""
    attempt: int = 0
    seconds_left: float | None = None
    seen: float | None = None
    doing: str = ""


@dataclass(frozen=True)
class StatusResult(Result):
    """All stages of an experiment, and the other tasks of a cluster that are not finished."""

    experiment: str
    folder: str
    is_scored: bool
    pieces: list[Piece]

    def tables(self) -> list[Table]:
        """One row for each piece."""
        rows = [
            (piece.name, piece.status, f"{piece.done}/{piece.total}", piece.node, _left(piece), _seen(piece))
            for piece in self.pieces
        ]
        details = [(piece.name, piece.doing) for piece in self.pieces if piece.doing]
        columns = ("task", "status", "done", "node", "left", "seen")
        tables = [Table(f"{self.experiment}: {self._summary}", columns, rows)]
        return [*tables, *([Table("what they do", ("task", ""), details)] if details else [])]

    def next_steps(self) -> list[str]:
        """What to type next."""
        if any(piece.status == "running" for piece in self.pieces):
            return [f"logs: {self.folder}", f"next: tk status {self.experiment}"]
        return [f"next: tk {'tune' if self.is_scored else 'fit'} {self.experiment}"]

    @property
    def _summary(self) -> str:
        counts = [sum(piece.status == status for piece in self.pieces) for status in ("finished", "running")]
        return f"{counts[0]} of {len(self.pieces)} finished, {counts[1]} running"


def status(session: Session, name: str) -> StatusResult:
    """Read how far an experiment is; needs no cluster, only the folder.

    Raises:
        NotReadyError: the experiment was not begun.
        StorageError: a file in the folder is damaged.
    """
    experiment = session.workspace.find(name)
    refuse_ensemble(experiment, "stages to train", advice=f"next: tk tune {experiment.name}")
    tasks = {state.name: state for state in task_states(experiment).values()}
    now = time.time()
    pieces = list(_stages(experiment, tasks, now))
    others = [_of_task(state, now) for key, state in tasks.items() if key not in {piece.name for piece in pieces}]
    pieces += [piece for piece in others if piece.status != "finished"]
    return StatusResult(experiment.name, str(experiment.tasks), experiment.score.is_file(), pieces)


def _stages(experiment: Experiment, tasks: Mapping[str, TaskState], now: float) -> Iterator[Piece]:
    config = read_resolved(experiment).config
    for fold in range(config["folds_count"]):
        for repeat in range(config["num_seeds"]):
            for number, stage in enumerate(config["stages"]):
                name, epochs = unit_name(fold, repeat, number), stage["epochs"]
                folder = experiment.stage(fold, number, repeat)
                task = None if name not in tasks else _of_task(tasks[name], now)
                if folder.is_complete():
                    yield Piece(name, "finished", epochs, epochs, "" if task is None else task.node)
                elif task is not None:
                    yield task
                else:
                    done = len(read_history(folder)) if folder.history.is_file() else 0
                    yield Piece(name, "stopped" if done else "waiting", done, epochs)


def _of_task(state: TaskState, now: float) -> Piece:
    is_dead = state.status == "running" and not state.is_alive(now)
    return Piece(
        state.name,
        "died" if is_dead else state.status,
        state.done,
        state.total,
        state.node,
        state.attempt,
        None if is_dead else state.seconds_left(now),
        max(0.0, now - state.seen),
        state.error or state.doing,
    )


def _left(piece: Piece) -> str:
    return "–" if piece.seconds_left is None else duration_text(piece.seconds_left)


def _seen(piece: Piece) -> str:
    return "–" if piece.seen is None or piece.status == "finished" else f"{duration_text(piece.seen)} ago"
