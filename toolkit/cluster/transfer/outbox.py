"""What a worker has written in the folder of an experiment, for the folder of the user, in the order of writing."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType

from toolkit.cluster.transfer.found_files import files_below
from toolkit.cluster.transfer.held_folders import held_folder
from toolkit.config.yaml.file_paths import regular
from toolkit.files.disk.changes import delete, link
from toolkit.files.disk.digests import content_address
from toolkit.files.disk.writing import replacing
from toolkit.files.experiment.folder import Experiment, StageFolder
from toolkit.files.predictions.store import mark_of

_PICTURES = (".png",)
_AT_ONCE = 1 << 20
"""Bytes that are copied at once."""


@dataclass(frozen=True)
class Change:
    """One change of the folder of an experiment.

    Attributes:
        path: of the file, relative to the folder.
        digest: the SHA-256 of its new content; empty if it is deleted.
        size: of its new content, in bytes.
    """

    path: str
    digest: str = ""
    size: int = 0


@dataclass(frozen=True)
class Batch:
    """Changes in the order in which they are applied, and the number of the batch, counted from 1."""

    number: int
    changes: tuple[Change, ...]

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests of all contents, each once."""
        return tuple(dict.fromkeys(change.digest for change in self.changes if change.digest))


_Version = tuple[int, int, int]
"""Inode, size and time of the last change of a file's content."""


@dataclass(frozen=True)
class _Pending:
    """A file that has changed: what it was when it was collected, and a name that keeps it.

    `order` sorts changes as they were made. Files of one moment are in the order of their times; where these are equal,
    what refers to other files comes after them.
    """

    version: _Version
    kept: Path
    order: tuple[int, int, int]


class Outbox:
    """Collects what has changed in the folder of an experiment since it began, until the user has it.

    A worker collects at moments when everything in the folder is whole, for example after each epoch. What is taken in
    between is merged: of each file only the last content. However much of it is applied, in its order, the folder is
    one from which the run resumes to the same result, because

    - a checkpoint comes after the weights, snapshots and candidates that it goes with. These may be newer than the
      checkpoint, as they are on one machine after a run was killed: the epochs are repeated with the same result;
    - files are deleted last, when the checkpoint that still needs them is replaced;
    - a stage is marked as complete after its last weights, and predictions after their maps. Predictions that replace
      earlier ones lose their mark first.

    Configuration, code and folds are what the user has sent, and not sent back; nor are hidden files and pictures. One
    thread may collect while another one takes.
    """

    def __init__(self, root: Path, folder: Path, within: Collection[str] = ()) -> None:
        """Take what is in the folder now as what the user has.

        Args:
            root: of the workspace, which gets a hidden folder for the files that are kept.
            folder: of the experiment.
            within: the folders in it that are collected, if others belong to other workers; all if it is empty.
        """
        self._experiment, self._within = Experiment(folder), tuple(within)
        self._held = ExitStack()
        self._keeping = self._held.enter_context(held_folder(root / ".outbox"))
        self._seen = dict(self._found())
        self._written: dict[str, _Pending] = {}
        self._deleted: dict[str, int] = {}
        self._digests: dict[Path, str] = {}
        self._taken: dict[int, tuple[dict[str, _Pending], dict[str, int]]] = {}
        self._moment = self._number = self._kept = 0
        self._turn = Lock()

    def __enter__(self) -> "Outbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of everything that was kept."""
        self._held.close()

    def collect(self) -> None:
        """Note what has changed, and keep it as it is; call this when the folder is whole.

        Raises:
            StorageError: a file cannot be kept.
        """
        with self._turn:
            self._moment += 1
            found = dict(self._found())
            for name, version in found.items():
                if self._seen.get(name) != version:
                    self._deleted.pop(name, None)
                    order = (self._moment, version[2], _rank(Path(name)))
                    self._written[name] = _Pending(version, self._keep(name, version), order)
            for name in self._seen.keys() - found.keys():
                self._written.pop(name, None)
                self._deleted[name] = self._moment
            self._seen = found
            self._let_go()

    def take(self) -> Batch:
        """Everything that the user does not have yet, as far as it was acknowledged; the same again if it was not."""
        with self._turn:
            self._number += 1
            self._taken[self._number] = (dict(self._written), dict(self._deleted))
            ordered = sorted(self._written, key=lambda name: (self._written[name].order, name))
            writes = tuple(self._change(name, self._written[name]) for name in ordered)
            deletions = [
                Change(name) for name in sorted(self._deleted, key=lambda name: (not _is_mark(Path(name)), name))
            ]
            outdated = [Change(change.path) for change in writes if _is_mark(Path(change.path))]
            return Batch(self._number, (*outdated, *writes, *deletions))

    def sources(self, batch: Batch) -> dict[str, Path]:
        """The kept file of each digest of a batch, until the batch is acknowledged."""
        with self._turn:
            written, _ = self._taken[batch.number]
            return {self._digests[one.kept]: one.kept for one in written.values()}

    @property
    def is_waiting(self) -> bool:
        """Whether there is something that the user does not have yet."""
        return bool(self._written or self._deleted)

    def acknowledge(self, batch: Batch) -> None:
        """Forget what the user has applied; what has changed again since then stays. Once more does no harm."""
        with self._turn:
            written, deleted = self._taken.get(batch.number, ({}, {}))
            for name, one in written.items():
                if self._written.get(name) == one:
                    del self._written[name]
            for name, moment in deleted.items():
                if self._deleted.get(name) == moment:
                    del self._deleted[name]
            self._taken = {number: taken for number, taken in self._taken.items() if number > batch.number}
            self._let_go()

    def _found(self) -> Iterator[tuple[str, _Version]]:
        experiment = self._experiment
        inputs = {experiment.config, experiment.plugins, experiment.resolved, experiment.folds}
        places = [experiment.folder / folder for folder in self._within] or [experiment.folder]
        for path in (path for place in places for path in files_below(place)):
            if path not in inputs and path.suffix not in _PICTURES:
                stat = path.stat()
                yield path.relative_to(experiment.folder).as_posix(), (stat.st_ino, stat.st_size, stat.st_mtime_ns)

    def _keep(self, name: str, version: _Version) -> Path:
        """A second name for a file, so that it stays when it is replaced; a copy of a file that grows."""
        self._kept += 1
        path, kept = self._experiment.folder / name, self._keeping / f"{self._kept}"
        if _grows(path) or not link(path, kept):
            with replacing(kept) as copy, regular(path).open("rb") as file:
                for start in range(0, version[1], _AT_ONCE):
                    copy.write(file.read(min(_AT_ONCE, version[1] - start)))
        return kept

    def _let_go(self) -> None:
        """Delete the kept files that are no longer pending."""
        needed = {one.kept for one in self._written.values()}
        needed |= {one.kept for written, _ in self._taken.values() for one in written.values()}
        for path in self._keeping.iterdir():
            if path not in needed and not path.name.startswith("."):
                delete(path)
                self._digests.pop(path, None)

    def _change(self, name: str, one: _Pending) -> Change:
        if one.kept not in self._digests:
            self._digests[one.kept] = content_address(one.kept)
        return Change(name, self._digests[one.kept], one.kept.stat().st_size)


def _rank(path: Path) -> int:
    """After which files of the same time a file was written: the checkpoint, then the history, then what says: done."""
    if path == StageFolder(path.parent.parent).last:
        return 1
    if path == StageFolder(path.parent).history:
        return 2
    return 3 if path == StageFolder(path.parent).state or _is_mark(path) else 0


def _is_mark(path: Path) -> bool:
    """Whether the file says that predictions are complete."""
    return path == mark_of(path.parent)


def _grows(path: Path) -> bool:
    """Whether lines are added to a file in place, as TensorBoard does."""
    return any(folder == StageFolder(folder.parent).tensorboard for folder in path.parents)
