"""Changes of the disk that fail: `perform` of `toolkit.files.disk.changes` is replaced."""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.ensembling.ensemble import ensemble
from toolkit.commands.session import Session
from toolkit.commands.training.fit import fit
from toolkit.files.disk import changes
from toolkit.files.experiment.workspace import Workspace

Kind = Literal["fails", "is torn", "is the last"]
KINDS: tuple[Kind, ...] = ("fails", "is torn", "is the last")

VERBS = {
    "fit": "fit fresh",
    "ensemble": "ensemble plain other --views hflip --name both",
    "tune": "tune pair --explain",
    "submit": "submit pair --threshold 0.4",
    "predict": "predict pair data/test/images --out predicted",
}

STRAY = re.compile(r"(^|/)\.(\d+\.|discarded|.*\.(partial|old)$)")
VOLATILE = re.compile(r"(^|/)(\.lock|\.predicting|\.log-lock|tensorboard/.*)$|^(cache|data)/|\.png$")
TIMES = re.compile(rb"\d{4}-\d\d-\d\dT[\d:]+Z")


class KilledError(BaseException):
    """Stands for the death of the process: nothing changes the disk any more."""


@dataclass
class Disk:
    """Counts changes, and lets one of them fail.

    `fails`: the change of this number raises ENOSPC. `is torn`: a write of it writes the first half before that. `is
    the last`: it is torn, and no later change reaches the disk, as if the process were killed.
    """

    kind: Kind | None = None
    number: int = -1
    count: int = 0
    made: list[str] = field(default_factory=list)
    is_dead: bool = False

    def perform(self, what: str, change: Callable[[], Any]) -> Any:
        if self.is_dead:
            raise KilledError
        number, self.count = self.count, self.count + 1
        self.made.append(what)
        if self.kind is None or number != self.number:
            return change()
        if self.kind != "fails":
            self._tear(change)
        if self.kind == "is the last":
            self.is_dead = True
            raise KilledError
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @staticmethod
    def _tear(change: Callable[[], Any]) -> None:
        if isinstance(change, partial) and change.args and isinstance(change.args[0], bytes | memoryview | bytearray):
            content = memoryview(change.args[0]).cast("B")
            change.func(content[: len(content) // 2])


@dataclass(frozen=True)
class Outcome:
    """What a command did: its exit code, None if it was killed, and what it said."""

    code: int | None
    said: str


@contextmanager
def inside(folder: Path, disk: Disk) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(changes, "perform", disk.perform)
        yield


def run(folder: Path, words: str, disk: Disk) -> Outcome:
    """Run tk in a workspace; an exception that a user would see as a traceback is raised."""
    with inside(folder, disk):
        try:
            result = CliRunner().invoke(app, words.split())
        except KilledError:
            return Outcome(None, "")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.output)


def results_of(folder: Path) -> dict[str, bytes]:
    """All files but those whose content differs from run to run, without the times in them."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not VOLATILE.search(name):
            content = path.read_bytes()
            if path.name == "history.csv":
                content = re.sub(rb"(,[^,\n]*){2}$", b"", content, flags=re.M)
            if path.name == "report.html":
                content = re.sub(rb"\d+(\.\d+)? (h|min|s|GB)\b", b"", content)
            found[name] = TIMES.sub(b"", content)
    return found


def strays_in(folder: Path) -> list[str]:
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    return [name for name in names if STRAY.search(name)]


@dataclass(frozen=True)
class Scenario:
    """A command, the workspace that it starts from, and what it makes if nothing fails in `changes` changes."""

    words: str
    start: Path
    expected: dict[str, bytes]
    changes: int


@pytest.fixture(scope="package")
def workspace(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A workspace with the fitted `plain`, `other` and their ensemble `pair`, and `fresh`, which has only a config."""
    root = tmp_path_factory.mktemp("faults")
    make_tiny: Callable[[Path], Workspace] = request.config.pluginmanager.get_plugin(
        str(Path(__file__).parents[1] / "conftest.py")
    ).make_tiny
    space = make_tiny(root)
    two = "stages: [{epochs: 1}, {epochs: 1, lr: 0.001}]\n"
    for name, lines in (("other", "seed: 1\n"), ("fresh", two)):
        folder = space.experiments / name
        folder.mkdir()
        (folder / "config.yaml").write_text(f"extends: ../plain/config.yaml\n{lines}")
    for name in ("plain", "other"):
        fit(Session(space), name)
    ensemble(Session(space), ["plain", "other"], name="pair")
    return root


@pytest.fixture(scope="package")
def scenarios(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Scenario]:
    """The scenario of a verb, whose undisturbed run is made once."""
    made: dict[str, Scenario] = {}

    def scenario(verb: str) -> Scenario:
        if verb not in made:
            folder = tmp_path_factory.mktemp(verb) / "work"
            shutil.copytree(workspace, folder)
            disk = Disk()
            outcome = run(folder, VERBS[verb], disk)
            assert outcome.code == 0, outcome.said
            assert not strays_in(folder)
            made[verb] = Scenario(VERBS[verb], workspace, results_of(folder), disk.count)
        return made[verb]

    return scenario
