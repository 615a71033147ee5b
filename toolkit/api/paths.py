"""Arguments that are paths of files and folders."""

from collections.abc import Sequence
from pathlib import Path


def as_path(given: str | Path | None) -> Path | None:
    """A path of a file or folder; None if it is not given."""
    return None if given is None else Path(given)


def as_paths(given: str | Path | Sequence[str | Path]) -> list[Path]:
    """One path or several, as a list."""
    return [Path(one) for one in ([given] if isinstance(given, str | Path) else given)]
