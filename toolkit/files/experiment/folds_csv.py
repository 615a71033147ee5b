"""folds.csv, which is written once and then read; and files of folds that the user provides."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from toolkit.core.arrays import Integers
from toolkit.core.folds.assignment import HOLDOUT, TRAIN, random_parts
from toolkit.core.folds.strata import groups_of_names
from toolkit.errors import FoldsError, listing
from toolkit.files.disk.digests import digest
from toolkit.files.disk.tables import TextTable, format_table, read_table
from toolkit.files.disk.writing import write_text

_WORDS = {"train": TRAIN, "holdout": HOLDOUT}
_COLUMNS = ("image_id", "fold")
_GROUP = "group"
_DIGITS = 9
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class FoldTable:
    """The fold of each image, `int64 (images,)`, and the name of its group, if images were grouped.

    A fold is the number of the fold that holds the image out, or TRAIN, or HOLDOUT.
    """

    ids: tuple[str, ...]
    folds: Integers
    groups: tuple[str, ...] | None = None

    @cached_property
    def out_of_fold(self) -> "FoldTable":
        """The images that a fold holds out, and therefore predicts."""
        return self.of(np.flatnonzero(self.folds >= 0))

    @cached_property
    def holdout(self) -> "FoldTable":
        """The images of the hold-out, which no fold trains on or validates with."""
        return self.of(np.flatnonzero(self.folds == HOLDOUT))

    @property
    def group_numbers(self) -> Integers | None:
        """The number of each image's group from 0, `int64 (images,)`; None if images were not grouped."""
        return None if self.groups is None else groups_of_names(self.groups)

    @property
    def folds_count(self) -> int:
        """The number of folds that hold images out."""
        return len(np.unique(self.folds[self.folds >= 0]))

    def predicted(self, ids: Collection[str]) -> "FoldTable":
        """The same with only the folds that hold out any of these images; the other images are as in TRAIN."""
        known = frozenset(ids)
        there = {int(fold) for image_id, fold in zip(self.ids, self.folds, strict=True) if image_id in known}
        folds = np.where((self.folds >= 0) & ~np.isin(self.folds, list(there)), TRAIN, self.folds)
        return replace(self, folds=folds)

    def parts(self, what: str) -> Integers:
        """Parts of the out-of-fold images for nested scores: each part is scored with what the others chose.

        The parts are the folds; a single fold is divided into random parts, which keep groups together.

        Args:
            what: the command that needs the parts, for messages.

        Returns:
            The part of each out-of-fold image, `int64 (images,)`, in the order of their ids.

        Raises:
            FoldsError: the only fold has only one image or group.
        """
        images = self.out_of_fold
        if self.folds_count > 1:
            parts: Integers = np.unique(images.folds, return_inverse=True)[1]
            return parts
        names = images.ids if images.groups is None else images.groups
        if len(set(names)) < 2:
            raise FoldsError(
                f"{what} chooses on some images or groups of the validation part and scores on the others: it needs "
                f"at least two; there is only {names[0]}",
                "Use a larger validationSplit, or several folds.",
            )
        return random_parts(groups_of_names(names), seed=0)

    def straddling(self, groups: Integers) -> list[int]:
        """The groups that are in several folds; `groups` has the number of each image's group, `int64 (images,)`."""
        pairs = np.unique(np.stack([groups, self.folds]), axis=1)
        numbers, counts = np.unique(pairs[0], return_counts=True)
        found: list[int] = numbers[counts > 1].tolist()
        return found

    def of(self, positions: Integers) -> "FoldTable":
        """The images at these positions, in this order."""
        return FoldTable(
            tuple(self.ids[position] for position in positions),
            self.folds[positions],
            None if self.groups is None else tuple(self.groups[position] for position in positions),
        )


def write_folds(path: Path, ids: Sequence[str], folds: Integers, groups: Sequence[str] | None = None) -> None:
    """Write one row per image; the arguments are as in `FoldTable`."""
    words = {fold: word for word, fold in _WORDS.items()}
    columns: list[Sequence[object]] = [ids, [words.get(fold, fold) for fold in folds.tolist()]]
    if groups is None:
        write_text(path, format_table(_COLUMNS, list(zip(*columns, strict=True))))
    else:
        write_text(path, format_table((*_COLUMNS, _GROUP), list(zip(*columns, groups, strict=True))))


def folds_digest(folds: Integers) -> str:
    """A digest of folds, `int64 (images,)`, in the order of the sorted ids."""
    return digest(folds.astype(np.int64).tobytes())


def read_fold_table(path: Path, ids: Sequence[str] | None = None, folds_count: int | None = None) -> FoldTable:
    """Read folds.csv.

    Args:
        path: of folds.csv.
        ids: of all images, in the order of the result; the file must have exactly these. None to accept any ids.
        folds_count: the expected number of folds; None to accept any.

    Raises:
        MissingFileError: the file does not exist.
        FoldsError: the file is damaged, or does not fit the images or the number of folds.
    """
    table = read_table(path, None, str(path), FoldsError)
    advice = f"To draw new folds, delete {path} and run: tk fit {path.parent} --restart"
    if table.columns not in (_COLUMNS, (*_COLUMNS, _GROUP)):
        raise FoldsError(
            f"{path}:1: expected the columns image_id and fold, received {listing(table.columns, 20)}", advice
        )
    return _checked(table, ids, folds_count, advice)


def read_folds(path: Path, ids: Sequence[str]) -> Integers:
    """The fold of each image, `int64 (images,)`; see `read_fold_table`."""
    return read_fold_table(path, ids).folds


def read_given_folds(path: Path, key: str, ids: Sequence[str], folds_count: int) -> FoldTable:
    """Read a file of folds that the user provides; raises as `read_fold_table`.

    The columns image_id and fold are required, group is optional, and others are ignored; `key` is the configuration
    key of the file, for messages.
    """
    table = read_table(path, None, key, FoldsError)
    advice = (
        "Required columns: image_id (the file name without its extension) and fold (a whole number from 0, train for "
        "an image that every fold trains on, or holdout for an image that no fold uses). See docs/folds.md."
    )
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise FoldsError(
            f"{key}: {path}:1: missing column {' and '.join(missing)}; received {listing(table.columns, 20)}",
            advice,
        )
    twice = [name for name in (*_COLUMNS, _GROUP) if table.columns.count(name) > 1]
    if twice:
        raise FoldsError(f"{key}: {path}:1: the column {twice[0]} occurs several times", advice)
    return _checked(table, ids, folds_count, advice)


def _checked(table: TextTable, ids: Sequence[str] | None, folds_count: int | None, advice: str) -> FoldTable:
    path = table.path
    of_id, of_fold = _column(table, "image_id"), _column(table, "fold")
    found: dict[str, int] = {}
    for number, row in enumerate(table.rows):
        image_id, fold = of_id(row), of_fold(row)
        if image_id in found:
            raise FoldsError(f"{path}:{number + 2}: image {image_id!r} occurs twice", advice)
        if fold not in _WORDS and not (fold.isdecimal() and fold.isascii() and len(fold) <= _DIGITS):
            raise FoldsError(
                f"{path}:{number + 2}: image {image_id!r} has fold {fold!r}; expected a whole number from 0, train or "
                "holdout",
                advice,
            )
        found[image_id] = _WORDS[fold] if fold in _WORDS else int(fold)
    ids = sorted(found) if ids is None else ids
    missing, unknown = sorted(set(ids) - set(found)), sorted(set(found) - set(ids))
    if missing or unknown:
        raise FoldsError(
            f"{path} does not fit the data: {len(missing)} images have no fold{_examples(missing)}; "
            f"{len(unknown)} images in the file do not exist{_examples(unknown)}",
            advice,
        )
    folds = np.array([found[image_id] for image_id in ids], np.int64)
    used = np.unique(folds[folds >= 0])
    count = max(1, len(used)) if folds_count is None else folds_count
    if used.tolist() != list(range(count)):
        expected = f"the folds 0 to {count - 1}" if count > 1 else "fold 0 alone"
        raise FoldsError(
            f"{path}: expected {expected}, received {', '.join(map(str, used)) or 'none'}",
            f"Set folds_count to the number of folds in the file. {advice}",
        )
    if count == 1 and not (folds == TRAIN).any():
        raise FoldsError(f"{path}: the only fold holds out all images, so none is left for training", advice)
    groups = None
    if _GROUP in table.columns:
        of_image = dict(zip(map(of_id, table.rows), map(_column(table, _GROUP), table.rows), strict=True))
        groups = tuple(of_image[image_id] for image_id in ids)
    return FoldTable(tuple(ids), folds, groups)


def _column(table: TextTable, name: str) -> Callable[[tuple[str, ...]], str]:
    """A function that gives the cell of a column in a row."""
    place = table.columns.index(name)
    return lambda row: row[place]


def _examples(ids: Sequence[str]) -> str:
    return f" ({listing(ids, _SHOWN)})" if ids else ""
