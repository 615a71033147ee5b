"""Masks of training images as run-length encodings in a CSV file."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from toolkit.config.data.competitions import PLAIN, PRESETS, Competition
from toolkit.core.arrays import Mask, Objects
from toolkit.core.images.resizing import scale_mask
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import Classes
from toolkit.core.masks.rle import decode
from toolkit.errors import DataError, counted, listing
from toolkit.files.images.names.alike_ids import differences
from toolkit.files.masks.loose_cells import is_empty_word
from toolkit.files.masks.rle_rows import MaskRows, read_label_rows, runs_of


@dataclass(frozen=True)
class MaskTable:
    """The rows of each image: class (None if rows have no class) and run-length encoding.

    `names` are the classes whose planes to read; empty for all classes of the competition. `remarks` are what was
    noticed about the file and settled: each with the ids that it concerns.
    """

    rows: Mapping[str, tuple[tuple[str | None, str], ...]]
    competition: Competition = PLAIN
    names: tuple[str, ...] = ()
    remarks: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def ids(self) -> Iterable[str]:
        """Ids that have a row, or count as empty without one."""
        return self.rows.keys()

    def with_empty(self, ids: Iterable[str], classes: Classes) -> "MaskTable":
        """The same masks, and empty masks of these images, which have no rows."""
        return replace(self, rows={**self.rows, **dict.fromkeys(ids, ())})

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the masks in the table; None if they have the size of their images."""
        return self.competition.label_size

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Decode and combine the rows of one image: `bool (height, width)`, or a plane per class; raises RleError."""
        names = self.names or self.competition.classes
        if not names:
            mask = np.zeros(size, np.bool_, self._memory_order)
            for _, text in self.rows[image_id]:
                mask |= self._mask(text, size)
            return np.ascontiguousarray(mask)
        masks = np.zeros((*size, len(names)), np.bool_)
        for name, text in self.rows[image_id]:
            if name in names:
                masks[..., names.index(str(name))] |= self._mask(text, size)
        return masks

    def window(self, image_id: str, size: tuple[int, int], window: Window) -> None:
        """None: the caller cuts the window from the whole mask."""

    @cached_property
    def has_objects(self) -> bool:
        """Whether each row is an object: as the competition says, or, without one, if any image has several rows."""
        if self.competition != PLAIN:
            return self.competition.rows == "object"
        return any(len(rows) > 1 for rows in self.rows.values())

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects | None:
        """Number the rows of one image from 1; None if a row may hold several objects.

        A pixel of several rows belongs to the first of them.
        """
        if not self.has_objects:
            return None
        objects = np.zeros(size, np.int32, self._memory_order)
        for number, (_, text) in enumerate(self.rows[image_id], start=1):
            np.copyto(objects, np.int32(number), where=self._mask(text, size) & (objects == 0))
        return np.ascontiguousarray(objects)

    def content(self, image_id: str) -> bytes:
        """The texts of the rows and, with a competition, how they are read, for digests."""
        rows = self.rows[image_id]
        if self.competition == PLAIN:  # in another process it is a copy
            return "\n".join(text for _, text in rows).encode()
        form = self.competition
        how = [form.pixel_order, str(form.relative), str(self.size), form.rows, *form.classes]
        return "\n".join([*how, *(f"{name or ''} {text}" for name, text in rows)]).encode()

    def stamp(self, image_id: str) -> bytes | None:
        """The rows themselves, which are in memory."""
        return self.content(image_id) + repr(self.names).encode()

    @property
    def _memory_order(self) -> Literal["C", "F"]:
        """The memory order of decoded masks; combining many is several times as fast if all have the same."""
        return "F" if self.competition.pixel_order == "column" else "C"

    def _mask(self, text: str, size: tuple[int, int]) -> Mask:
        form = self.competition
        return scale_mask(decode(text, self.size or size, form.pixel_order, form.relative), size)


def read_mask_table(
    path: Path, competition: Competition, classes: Classes, image_ids: Iterable[str], key: str
) -> MaskTable:
    """Read the rows of all images; nothing is decoded.

    Args:
        path: of the CSV file.
        competition: the format of the table.
        classes: of the task.
        image_ids: of the images; in some competitions those without a row have an empty mask.
        key: the configuration key of the file, for messages.

    Raises:
        MissingFileError: the file does not exist.
        DataError: the file is not such a table, or does not have these classes.
    """
    _refuse_other_classes(path, competition, classes, key)
    image_ids = tuple(image_ids)
    found = read_label_rows(path, competition, key, DataError, image_ids)
    found.refuse_problems(key, DataError)
    _refuse_unknown_words(found, competition, key)
    rows: dict[str, list[tuple[str | None, str]]] = {}
    if competition.unlisted == "empty":
        rows = {image_id: [] for image_id in image_ids}
    empty, twice = set[tuple[str, str | None]](), dict[str, None]()
    for row in found.rows:
        pair = row.class_name, runs_of(row.text, competition)
        several = rows.setdefault(row.image_id, [])
        if not pair[1]:
            empty.add((row.image_id, row.class_name))
        elif pair in several:
            twice[row.image_id] = None
        else:
            several.append(pair)
    chosen = classes.names[1:] if classes.activation == "softmax" else classes.names
    names = chosen if competition.classes else ()
    filled = {(image_id, name) for image_id, several in rows.items() for name, _ in several}
    remarks = _remarks(found, tuple(twice), tuple(sorted({image_id for image_id, _ in empty & filled})))
    return MaskTable({image_id: tuple(several) for image_id, several in rows.items()}, competition, names, remarks)


def _refuse_unknown_words(found: MaskRows, competition: Competition, key: str) -> None:
    """Cells with a word that can only mean an empty mask, but is not the competition's."""
    words = Counter(text for row in found.rows if is_empty_word(text := row.text.strip()))
    unknown = {word: count for word, count in words.items() if word not in competition.empty_cells}
    if not unknown:
        return
    word = next(iter(unknown))
    told = listing(f"{word!r} ({counted(count, 'row')})" for word, count in unknown.items())
    written = f'empty: "{word}"' if competition is PLAIN else f'label_empty: "{word}"'
    form = (
        f"{{name: own, metric: dice, columns: [{', '.join(found.columns)}], {written}}}"
        if competition is PLAIN
        else f"{{extends: {competition.name}, {written}}}"
        if competition.name in PRESETS
        else ""
    )
    advice = (
        f"If it means an empty mask, write under data: competition: {form}\n"
        f"(in tk new: --set 'data.competition={form}'). tk init FOLDER writes this line itself."
        if form
        else f"If it means an empty mask, write among the keys of data.competition: {written}"
    )
    raise DataError(
        f"{key}: {found.path}: {told} is no run-length encoding; an empty mask is an empty cell, -1 or "
        f"{competition.empty or 'the word that the key empty gives'}",
        advice,
    )


def _remarks(
    found: MaskRows, twice: tuple[str, ...], contradicted: tuple[str, ...]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    remarks: list[tuple[str, tuple[str, ...]]] = []
    if not found.has_header:
        remarks.append((f"{found.path} has no header: its first line is read as a row", ()))
    if found.alike:
        what = f"ids in {found.path} differ from the names of images by {differences(found.alike)}; they are taken"
        remarks.append((f"{what} for the same", tuple(sorted(found.alike.values()))))
    if twice:
        remarks.append((f"{found.path} has the same mask in several rows of an image; it counts once", twice))
    if contradicted:
        what = f"{found.path} has an empty row besides rows with a mask of the same image; the mask counts"
        remarks.append((what, contradicted))
    return tuple(remarks)


def _refuse_other_classes(path: Path, competition: Competition, classes: Classes, key: str) -> None:
    """Rows with classes define all classes but the background; other rows define a single class beside it."""
    names = classes.names if classes.activation == "sigmoid" else classes.names[1:]
    if competition.classes:
        counted = range(classes.count) if classes.activation == "softmax" else range(1, classes.count + 1)
        coded = classes.values is not None and classes.count > 1 and classes.values != tuple((n,) for n in counted)
        if names and set(names) <= set(competition.classes) and not classes.ignore and not coded:
            return
    elif len(names) == 1 and classes.values in (None, ((0,), (1,))) and not classes.ignore:
        return
    told = f"the classes {', '.join(competition.classes)}" if competition.classes else "a single class"
    raise DataError(
        f"{key}: {path} is a table of run-length encodings of {told}; received classes {', '.join(classes.names)}",
        "For other classes, mask_values or ignore, use a folder of mask images.",
    )
