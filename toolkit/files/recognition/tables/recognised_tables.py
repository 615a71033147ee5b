"""Recognises CSV tables: labels, a sample submission, metadata, or names of classes."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from toolkit.config.data.competitions import PRESETS, find_competition
from toolkit.errors import DataError, MissingFileError, listing
from toolkit.files.disk.tables import TextTable, read_table
from toolkit.files.images.decoding import IMAGE_SUFFIXES, image_id_of
from toolkit.files.images.names.alike_ids import alike_ids
from toolkit.files.masks.loose_cells import are_runs, is_empty_word, loose_runs, with_header

Role = Literal["labels", "sample", "metadata", "classes", "unknown"]

_MASK_NAME = re.compile(r"rle|pixel|predict|mask|segment|annotation|encod", re.IGNORECASE)
_CLASS_NAME = re.compile(r"class|label|categor|type|kind", re.IGNORECASE)
_SAMPLE_NAME = re.compile(r"^sample|submi", re.IGNORECASE)
_WITH_CLASS = re.compile(r"(?P<id>.+?)(?P<ending>\.[A-Za-z]{3,4})?_(?P<class>[^_.]+)")
_GROUPING = re.compile(
    r"patient|subject|case|group|site|day|date|video|study|slide|mosaic|scene|place|car", re.IGNORECASE
)
_EXAMINED = 2000
_MOST = 0.5
_NEARLY_ALL = 0.98
_CLASSES_AT_MOST = 64


@dataclass(frozen=True, eq=False)
class RecognisedTable:
    """A table with its presumed role.

    Attributes:
        table: the content.
        role: the presumed role.
        why: the reason for the role.
        id_column: the position of the column of ids.
        class_column: the position of the column of classes.
        mask_column: the position of the column of masks.
        template: the form of ids, for example `{id}`, `{id}.jpg` or `{id}.jpg_{class}`.
        classes: in the order of their first rows; numbers are sorted.
        alike: ids that are spelt otherwise than those of the images, each with that of the image.
        advice: what to do about a table that cannot be read.
    """

    table: TextTable
    role: Role
    why: str
    id_column: int | None = None
    class_column: int | None = None
    mask_column: int | None = None
    template: str = "{id}"
    classes: tuple[str, ...] = ()
    alike: Mapping[str, str] = field(default_factory=dict)
    advice: str = ""

    @property
    def columns_used(self) -> tuple[str, ...]:
        """The names of the columns id, class (if there is one) and mask."""
        used = (self.id_column, self.class_column, self.mask_column)
        return tuple(self.table.columns[place] for place in used if place is not None)

    @cached_property
    def rows(self) -> tuple[tuple[str, str, str], ...]:
        """Image id, class (or an empty text) and text of the mask of each row."""
        found = []
        for cells in self.table.rows:
            cell = cells[self.id_column or 0].strip()
            image_id, name = _split(cell, "{class}" in self.template)
            if self.class_column is not None:
                name = cells[self.class_column].strip()
            text = "" if self.mask_column is None else loose_runs(cells[self.mask_column])
            found.append((self.alike.get(image_id, image_id), name, text))
        return tuple(found)

    @cached_property
    def image_ids(self) -> frozenset[str]:
        """The ids of all images in the table."""
        return frozenset(image_id for image_id, _, _ in self.rows)

    @cached_property
    def empty_words(self) -> Counter[str]:
        """The words for empty masks, and how often each occurs."""
        return Counter(text for _, _, text in self.rows if is_empty_word(text))

    @cached_property
    def is_trivial(self) -> bool:
        """Whether all masks except empty ones are the same, as in a sample submission."""
        return len({text for _, _, text in self.rows if not is_empty_word(text)}) <= 1

    @property
    def several_rows(self) -> int:
        """The number of images, or pairs of image and class, with more than one mask."""
        counts = Counter((image_id, name) for image_id, name, text in set(self.rows) if not is_empty_word(text))
        return sum(count > 1 for count in counts.values())


def recognise_table(path: Path, train_ids: Collection[str], test_ids: Collection[str]) -> RecognisedTable:
    """Recognise a table.

    Args:
        path: of the CSV file.
        train_ids: ids of images that may be training images.
        test_ids: ids of all other images.
    """
    try:
        table = read_table(path, None, path.name, DataError)
    except (DataError, MissingFileError) as error:
        why = f"{error.message}. {error.advice}".rstrip(". ")
        return RecognisedTable(TextTable(path, (), ()), "unknown", why, advice=error.advice)
    if not table.rows:
        return RecognisedTable(table, "unknown", "it has no rows")
    known = {*train_ids, *test_ids}
    table = with_header(table, known)
    mask_column = _mask_column(table)
    found = _id_column(table, known, mask_column)
    alike: Mapping[str, str] = {}
    if found is None and known:
        found, alike = _alike_column(table, known, mask_column)
    if mask_column is None:
        return _without_masks(table, found, alike)
    if found is None:
        return RecognisedTable(
            table, "unknown", "it has run-length encodings, but no ids of images in the folder", None, None, mask_column
        )
    id_column, template = found
    recognised = RecognisedTable(table, "labels", "", id_column, None, mask_column, template, alike=alike)
    class_column = _class_column(table, recognised)
    named = [name for _, name, _ in recognised.rows if name]
    if class_column is not None:
        named = [row[class_column].strip() for row in table.rows]
    role, why = _role(recognised, set(train_ids), set(test_ids))
    return RecognisedTable(table, role, why, id_column, class_column, mask_column, template, _in_order(named), alike)


def _in_order(names: Sequence[str]) -> tuple[str, ...]:
    """The names of classes in the order of their first occurrence; numbers are sorted."""
    once = dict.fromkeys(names)
    return tuple(sorted(once, key=int) if all(map(str.isdecimal, once)) else once)


def _split(cell: str, with_class: bool) -> tuple[str, str]:
    if with_class:
        match = _WITH_CLASS.fullmatch(cell)
        if match is not None:
            return match["id"], match["class"]
    return image_id_of(cell), ""


def _mask_column(table: TextTable) -> int | None:
    """The last column of run-length encodings; if all cells are empty, the last column with a name of masks."""
    sampled = table.rows[:: -(-len(table.rows) // _EXAMINED)]
    for place in reversed(range(len(table.columns))):
        filled = [loose_runs(cells[place]) for cells in sampled if not is_empty_word(cells[place])]
        if filled and sum(map(are_runs, filled)) >= _NEARLY_ALL * len(filled):
            return place
        if not filled and place and _MASK_NAME.search(table.columns[place]):
            return place
    return None


def _id_column(table: TextTable, known: Collection[str], mask_column: int | None) -> tuple[int, str] | None:
    """The column with the ids of images, and their form; if no ids are known, the first column."""
    sampled = table.rows[:: -(-len(table.rows) // _EXAMINED)]
    best: tuple[float, int, str] | None = None
    for place in range(len(table.columns)):
        if place == mask_column:
            continue
        cells = [row[place].strip() for row in sampled]
        for with_class in (False, True):
            named = [_split(cell, with_class)[0] for cell in cells]
            share = sum(one in known for one in named) / len(named)
            if share > (best[0] if best else 0):
                best = (share, place, _template(cells, with_class))
    if best is not None:
        return best[1], best[2]
    if known or mask_column is None:
        return None
    cells = [row[0].strip() for row in sampled]
    return 0, _template(cells, with_class=all(_WITH_CLASS.fullmatch(cell) and "." in cell for cell in cells))


def _alike_column(
    table: TextTable, known: Collection[str], mask_column: int | None
) -> tuple[tuple[int, str] | None, Mapping[str, str]]:
    """The column whose ids are spelt otherwise than those of images, for most of its words; and what they mean."""
    for place in range(len(table.columns)):
        if place == mask_column:
            continue
        cells = [row[place].strip() for row in table.rows]
        for with_class in (False, True):
            names = {_split(cell, with_class)[0] for cell in cells}
            alike = alike_ids(names, known)
            if len(alike) > max(1, _MOST * len(names)):
                return (place, _template(cells, with_class)), alike
    return None, {}


def _template(cells: Sequence[str], with_class: bool) -> str:
    if with_class:
        match = _WITH_CLASS.fullmatch(cells[0])
        return "{id}" + ((match["ending"] or "") if match else "") + "_{class}"
    endings = {Path(cell).suffix.lower() for cell in cells}
    (ending, *others) = endings
    return "{id}" + (Path(cells[0]).suffix if not others and ending in IMAGE_SUFFIXES else "")


def _class_column(table: TextTable, found: RecognisedTable) -> int | None:
    """That of a known competition, or one of few words that distinguishes the rows of an image or is named like it.

    If each object has a row, several rows of an image may have the same class.
    """
    for name in PRESETS:
        columns = find_competition(name).label_columns or ()
        if len(columns) == 3 and set(columns) <= set(table.columns):
            return table.columns.index(columns[1])
    for place in range(len(table.columns)):
        if place in (found.id_column, found.mask_column):
            continue
        words = {row[place] for row in table.rows}
        if not 1 < len(words) <= _CLASSES_AT_MOST:
            continue
        pairs = Counter((row[found.id_column or 0], row[place]) for row in table.rows)
        ids = Counter(row[found.id_column or 0] for row in table.rows)
        called = _CLASS_NAME.search(table.columns[place]) is not None and len(pairs) > len(ids)
        if (max(pairs.values()) == 1 or called) and max(ids.values()) > 1:
            return place
    return None


def _role(found: RecognisedTable, train_ids: set[str], test_ids: set[str]) -> tuple[Role, str]:
    labelled, asked = len(found.image_ids & train_ids), len(found.image_ids & test_ids)
    trivial = found.is_trivial
    called = _SAMPLE_NAME.search(found.table.path.name) is not None
    if asked > labelled or (called and not labelled) or (trivial and (called or not labelled)):
        why = "it is named like a sample submission" if called else "all its masks are the same"
        if asked:
            why = f"it has the ids of {asked} test images"
        if asked and not trivial and not called:
            why = f"it has masks of {asked} test images, like a solution"
        return "sample", why
    return "labels", f"it has masks of {labelled} training images" if labelled else "it has masks"


def _without_masks(table: TextTable, found: tuple[int, str] | None, alike: Mapping[str, str]) -> RecognisedTable:
    names = [name.lower() for name in table.columns]
    if {"r", "g", "b"} <= set(names) and len(table.rows) <= 256:
        return RecognisedTable(table, "classes", "it has the columns r, g, b")
    if found is not None and len(table.columns) > 1:
        others = [name for place, name in enumerate(table.columns) if place != found[0]]
        why = f"it has {listing(others, 6)} of images"
        return RecognisedTable(table, "metadata", why, found[0], template=found[1], alike=alike)
    return RecognisedTable(table, "unknown", "it has neither masks nor ids of images")


def grouping_columns(table: RecognisedTable) -> list[str]:
    """Columns that may group images: named after a patient, place or film, with values that recur."""
    found = []
    for place, name in enumerate(table.table.columns):
        values = {row[place] for row in table.table.rows}
        if _GROUPING.search(name) and place != table.id_column and 1 < len(values) <= len(table.table.rows) / 2:
            found.append(name)
    return found
