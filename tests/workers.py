"""Machines for tests: they run the units of work one after the other, in this process."""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from toolkit.cluster.units import Unit
from toolkit.config.training.execution import Resources
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Progress, Silent, Task


class DiedError(BaseException):
    """The end of a process."""


class Dying(Silent):
    """Ends the process when tasks have advanced so often."""

    def __init__(self, after: int) -> None:
        self.left = after

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        yield self

    def advance(self, steps: int = 1, status: str = "") -> None:
        self.left -= 1
        if self.left < 0:
            raise DiedError


@contextmanager
def only(folder: Path | None, files: Sequence[str]) -> Iterator[None]:
    """A folder without all but some of its files, as on a machine to which these were sent."""
    others = [] if folder is None else [path for path in folder.iterdir() if str(path) not in files]
    away = [path.rename(path.parents[1] / f"away-{path.name}") for path in others]
    try:
        yield
    finally:
        for path, place in zip(others, away, strict=True):
            place.rename(path)


@dataclass
class Workers:
    """Runs units one after the other, each as a process would that knows only the working folder.

    Of the folder `sent`, each sees only the files that it lists.
    """

    shuffled: bool = False
    dying: bool = False
    lost: Sequence[int] = ()
    sent: Path | None = None
    ran: list[Unit] = field(default_factory=list)

    def run(self, experiment: Experiment, units: Sequence[Unit], resources: Resources, progress: Progress) -> None:
        ordered = random.Random(1).sample(list(units), len(units)) if self.shuffled else list(units)
        for number, unit in enumerate(ordered):
            arguments = {**json.loads(json.dumps(unit.arguments)), "experiment": str(experiment.folder)}
            workspace = Workspace(experiment.folder.parents[1])
            with only(self.sent, unit.files):
                if self.dying:
                    with pytest.raises(DiedError):
                        unit.duty(workspace, Dying(after=1), arguments)
                if number not in self.lost:
                    unit.duty(workspace, progress, arguments)
            self.ran.append(unit)
