"""folds.csv: written once, then read; and files of folds that a user brings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from toolkit.core.arrays import Integers
from toolkit.core.folds.assignment import HOLDOUT, TRAIN, random_parts
from toolkit.core.folds.strata import groups_of_names
from toolkit.errors import FoldsError
from toolkit.files.disk.digests import digest
from toolkit.files.disk.tables import TextTable, format_table, read_table
from toolkit.files.disk.writing import write_text

_WORDS = {"train": TRAIN, "holdout": HOLDOUT}
_COLUMNS = ("image_id", "fold")
_GROUP = "group"
_DIGITS = 9


@dataclass(frozen=True, eq=False)
class FoldTable:
    """The fold of each image, `int64 (images,)`, and what its group is called, where images were grouped.

    A fold is the number of the one that holds the image out, or TRAIN, or HOLDOUT.
    """

    ids: tuple[str, ...]
    folds: Integers
    groups: tuple[str, ...] | None = None

    @cached_property
    def out_of_fold(self) -> "FoldTable":
        """The images that some fold holds out and so predicts."""
        return self._of(np.flatnonzero(self.folds >= 0))

    @cached_property
    def holdout(self) -> "FoldTable":
        """The images that no fold has anything to do with."""
        return self._of(np.flatnonzero(self.folds == HOLDOUT))

    @property
    def folds_count(self) -> int:
        """How many folds there are."""
        return int(self.folds.max(initial=-1)) + 1

    def parts(self, what: str) -> Integers:
        """The parts of the out-of-fold images that are judged by what the others chose, in the order of their ids.

        These are the folds; of a single fold random parts of its images, which never divide a group.

        Raises:
            FoldsError: there is only one image or group that could be judged; `what` cannot be done.
        """
        images = self.out_of_fold
        if self.folds_count > 1:
            return images.folds
        names = images.ids if images.groups is None else images.groups
        if len(set(names)) < 2:
            raise FoldsError(
                f"{what} needs several images or groups in the validation part, as what is chosen on some of them is "
                f"judged on the others; there is only {names[0]}",
                "Use a larger validationSplit, or several folds.",
            )
        return random_parts(groups_of_names(names), seed=0)

    def straddling(self, groups: Integers) -> list[int]:
        """Those of the groups, `int64 (images,)`, that are in several folds."""
        pairs = np.unique(np.stack([groups, self.folds]), axis=1)
        numbers, counts = np.unique(pairs[0], return_counts=True)
        found: list[int] = numbers[counts > 1].tolist()
        return found

    def _of(self, positions: Integers) -> "FoldTable":
        return FoldTable(
            tuple(self.ids[position] for position in positions),
            self.folds[positions],
            None if self.groups is None else tuple(self.groups[position] for position in positions),
        )


def write_folds(path: Path, ids: Sequence[str], folds: Integers, groups: Sequence[str] | None = None) -> None:
    """Write one row an image, as they stand in a `FoldTable`."""
    words = {fold: word for word, fold in _WORDS.items()}
    columns: list[Sequence[object]] = [ids, [words.get(fold, fold) for fold in folds.tolist()]]
    if groups is None:
        write_text(path, format_table(_COLUMNS, list(zip(*columns, strict=True))))
    else:
        write_text(path, format_table((*_COLUMNS, _GROUP), list(zip(*columns, groups, strict=True))))


def folds_digest(folds: Integers) -> str:
    """A digest by which other folds are recognised; `folds` in the order of the sorted ids."""
    return digest(folds.astype(np.int64).tobytes())


def read_fold_table(path: Path, ids: Sequence[str] | None = None, folds_count: int | None = None) -> FoldTable:
    """Read folds.csv.

    Args:
        path: of folds.csv.
        ids: all images, in the order of the table; the file must name exactly these. If left out, whatever it names.
        folds_count: expected number of folds, if it is to be checked.

    Raises:
        FoldsError: the file does not fit.
    """
    table = read_table(path, None, str(path), FoldsError)
    advice = f"To have it drawn anew, delete {path} and run: tk fit {path.parent} --restart"
    if table.columns not in (_COLUMNS, (*_COLUMNS, _GROUP)):
        raise FoldsError(
            f"{path}:1: expected the columns image_id and fold, received {', '.join(table.columns)}", advice
        )
    return _checked(table, ids, folds_count, advice)


def read_folds(path: Path, ids: Sequence[str]) -> Integers:
    """The fold of each image alone, `int64 (images,)`; see `read_fold_table`."""
    return read_fold_table(path, ids).folds


def read_given_folds(path: Path, key: str, ids: Sequence[str], folds_count: int) -> FoldTable:
    """Read a file of folds that the configuration names by `key`; raises as `read_fold_table`, or MissingFileError.

    It needs the columns image_id and fold; others than these and group are of no account.
    """
    table = read_table(path, None, key, FoldsError)
    advice = (
        "Columns are image_id (the file name without its ending) and fold: a whole number from 0, train for an image "
        "that every fold trains on, or holdout for one that none has anything to do with. See docs/folds.md."
    )
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise FoldsError(
            f"{key}: {path}:1: there is no column {' and no column '.join(missing)}; there are "
            f"{', '.join(table.columns)}",
            advice,
        )
    twice = [name for name in (*_COLUMNS, _GROUP) if table.columns.count(name) > 1]
    if twice:
        raise FoldsError(f"{key}: {path}:1: there are several columns {twice[0]}", advice)
    return _checked(table, ids, folds_count, advice)


def _checked(table: TextTable, ids: Sequence[str] | None, folds_count: int | None, advice: str) -> FoldTable:
    path = table.path
    of_id, of_fold = _column(table, "image_id"), _column(table, "fold")
    found: dict[str, int] = {}
    for number, row in enumerate(table.rows):
        image_id, fold = of_id(row), of_fold(row)
        if image_id in found:
            raise FoldsError(f"{path}: image {image_id!r} stands twice", advice)
        if fold not in _WORDS and not (fold.isdecimal() and fold.isascii() and len(fold) <= _DIGITS):
            raise FoldsError(
                f"{path}:{number + 2}: image {image_id!r} has fold {fold!r}, expected a whole number from 0, train or "
                "holdout",
                advice,
            )
        found[image_id] = _WORDS[fold] if fold in _WORDS else int(fold)
    ids = sorted(found) if ids is None else ids
    missing, unknown = sorted(set(ids) - set(found)), sorted(set(found) - set(ids))
    if missing or unknown:
        raise FoldsError(
            f"{path} does not fit the data: {len(missing)} images have no fold{_such_as(missing)}, "
            f"{len(unknown)} of its images are not there{_such_as(unknown)}",
            advice,
        )
    folds = np.array([found[image_id] for image_id in ids], np.int64)
    used = np.unique(folds[folds >= 0])
    count = max(1, len(used)) if folds_count is None else folds_count
    if used.tolist() != list(range(count)):
        expected = f"the folds 0 to {count - 1}" if count > 1 else "fold 0 alone"
        raise FoldsError(
            f"{path}: expected {expected}, received {', '.join(map(str, used)) or 'none'}",
            f"Set folds_count to what the file has. {advice}",
        )
    if count == 1 and not (folds == TRAIN).any():
        raise FoldsError(f"{path}: fold 0 holds out all images: none is left that it could train on", advice)
    groups = None
    if _GROUP in table.columns:
        of_image = dict(zip(map(of_id, table.rows), map(_column(table, _GROUP), table.rows), strict=True))
        groups = tuple(of_image[image_id] for image_id in ids)
    return FoldTable(tuple(ids), folds, groups)


def _column(table: TextTable, name: str) -> Callable[[tuple[str, ...]], str]:
    """What gives the cell of a column; what stands there is text as it is."""
    place = table.columns.index(name)
    return lambda row: row[place]


def _such_as(ids: Sequence[str]) -> str:
    return f" ({', '.join(ids[:3])}{', …' if len(ids) > 3 else ''})" if ids else ""
