"""Where files are laid out: paths below a root that nothing can leave."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from toolkit.config.yaml.file_paths import absolute, impossible, shortened
from toolkit.errors import StorageError

_ADVICE = "Files of an experiment have paths below its workspace. This one comes from elsewhere: do not use it."


@dataclass(frozen=True)
class Targets:
    """The paths that files of one machine have on another one, relative to the root of a workspace there.

    What is in the workspace keeps its place. All else is below the folder `outside`, with its whole path, so that the
    paths from one file to another stay the same: tables name mask files, and labels have their classes in a folder
    above.
    """

    root: Path
    outside: str

    @classmethod
    def of_workspace(cls, root: Path) -> "Targets":
        """Those of the files of a workspace; `outside` is a name that the workspace does not have."""
        taken = {path.name for path in root.iterdir()}
        names = ("outside", *(f"outside{number}" for number in range(1, len(taken) + 1)))
        return cls(absolute(root), next(name for name in names if name not in taken))

    def of(self, path: Path) -> str:
        """The path on the other machine."""
        there = absolute(path)
        if self.holds(there):
            return there.relative_to(self.root).as_posix()
        return PurePosixPath(self.outside, *there.parts[1:]).as_posix()

    def holds(self, path: Path) -> bool:
        """Whether a path is in the workspace as it is written, whatever links there are."""
        return absolute(path).is_relative_to(self.root)

    def keeps(self, text: str, folder: Path) -> bool:
        """Whether a path, as it is written in a file of this folder, means the same place in the other workspace.

        It does if it is relative, and no step of it leaves the workspace.
        """
        if not self.holds(folder) or Path(text).is_absolute() or text.startswith("~"):
            return False
        depth = len(absolute(folder).relative_to(self.root).parts)
        for part in Path(text).parts:
            depth += -1 if part == ".." else 1
            if depth < 0:
                return False
        return True


def inside(root: Path, target: str) -> Path:
    """The path of a target below a root.

    Raises:
        StorageError: the target is no relative path of a file below the root.
    """
    parts = target.split("/")
    if not set(parts).isdisjoint(("", ".", "..")) or impossible(target):
        raise StorageError(f"{shortened(target)} is no path below {root}", _ADVICE)
    return root.joinpath(*parts)


def refuse_links(root: Path, targets: Iterable[str]) -> None:
    """Check that no folder on the way from the root to a target is a link, which might lead out of the root.

    Raises:
        StorageError: one is.
    """
    for folder in {folder for target in targets for folder in PurePosixPath(target).parents}:
        if (root / folder).is_symlink() and folder != PurePosixPath():
            raise StorageError(
                f"{root / folder} is a link, which may lead out of {root}", "Delete it: files are laid out in folders."
            )
