"""`tk clean`: what commands keep to work faster, and removing it."""

from dataclasses import dataclass
from pathlib import Path

from toolkit.commands.session import Session
from toolkit.files.datasets.keeping import size_text
from toolkit.files.disk.writing import UNFINISHED
from toolkit.messages import Table
from toolkit.report.result import Result

_WHAT = {".rows": "decoded images", ".facts": "facts about files that have not changed"}


@dataclass(frozen=True)
class KeptFile:
    """A file in the cache: its path, what it holds and its bytes."""

    path: str
    what: str
    size: int


@dataclass(frozen=True)
class CleanResult(Result):
    """The files of the cache, and whether they are removed; all of them can be made again."""

    folder: str
    files: list[KeptFile]
    removed: bool

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)

    def tables(self) -> list[Table]:
        """One row for each file."""
        if not self.files:
            return []
        rows = [(Path(file.path).name, file.what, size_text(file.size)) for file in self.files]
        return [Table(self.folder, ("file", "holds", "size"), rows)]

    def next_steps(self) -> list[str]:
        """What was or would be removed."""
        if not self.files:
            return [f"nothing is kept in {self.folder}"]
        count = "1 file" if len(self.files) == 1 else f"{len(self.files)} files"
        told = f"{count}, {size_text(self.size)}; they are made again when they are needed"
        return [f"removed: {told}"] if self.removed else [f"to remove: {told}", "next: tk clean --yes"]


def clean(session: Session, *, remove: bool = False) -> CleanResult:
    """List what is kept in the cache of the working folder, and remove it if `remove` is set.

    A command that is using a file goes on without it.

    Raises:
        StorageError: a file cannot be removed.
    """
    folder = session.workspace.cache
    files = [KeptFile(str(path), _what(path), size) for path, size in folder.sizes().items() if _is_told(path)]
    if remove:
        folder.remove()
    return CleanResult(str(folder.path), files, remove and bool(files))


def _is_told(path: Path) -> bool:
    return path.suffix in _WHAT


def _what(path: Path) -> str:
    return f"{_WHAT[path.suffix]}{', unfinished' if UNFINISHED.match(path.name) else ''}"
