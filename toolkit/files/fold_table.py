"""folds.csv: written once, then read."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from toolkit.core.arrays import Integers
from toolkit.errors import FoldsError
from toolkit.files.digests import digest
from toolkit.files.tables import format_table, read_table
from toolkit.files.writing import write_text


def write_folds(path: Path, ids: Sequence[str], folds: Integers) -> None:
    """Write one row an image."""
    write_text(path, format_table(("image_id", "fold"), list(zip(ids, folds.tolist(), strict=True))))


def folds_digest(folds: Integers) -> str:
    """A digest by which other folds are recognised; `folds` in the order of the sorted ids."""
    return digest(folds.astype(np.int64).tobytes())


def read_folds(path: Path, ids: Sequence[str], folds_count: int | None = None) -> Integers:
    """The fold of each image, `int64 (images,)`, in the order of `ids`.

    Args:
        path: of folds.csv.
        ids: all images; the file must name exactly these.
        folds_count: expected number of folds, if it is to be checked.

    Raises:
        FoldsError: the file does not fit.
    """
    table = read_table(path, 2, str(path), FoldsError)
    found: dict[str, int] = {}
    for image_id, fold in table.rows:
        if not fold.isdecimal() or image_id in found:
            problem = "stands twice" if image_id in found else f"has fold {fold!r}, expected a whole number from 0"
            raise FoldsError(f"{path}: image {image_id!r} {problem}", _advice(path))
        found[image_id] = int(fold)
    missing, unknown = sorted(set(ids) - set(found)), sorted(set(found) - set(ids))
    if missing or unknown:
        raise FoldsError(
            f"{path} does not fit the data: {len(missing)} images have no fold{_such_as(missing)}, "
            f"{len(unknown)} of its images are not there{_such_as(unknown)}",
            _advice(path),
        )
    folds = np.array([found[image_id] for image_id in ids], np.int64)
    used = np.unique(folds)
    count = len(used) if folds_count is None else folds_count
    if used.tolist() != list(range(count)):
        raise FoldsError(
            f"{path}: expected the folds 0 to {count - 1}, received {', '.join(map(str, used))}",
            f"Set folds_count to what the file has, or: {_advice(path)}",
        )
    return folds


def _such_as(ids: Sequence[str]) -> str:
    return f" ({', '.join(ids[:3])}{', …' if len(ids) > 3 else ''})" if ids else ""


def _advice(path: Path) -> str:
    return f"To have it drawn anew, delete {path} and run: tk fit {path.parent} --restart"
