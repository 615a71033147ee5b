"""Finds the known competitions that tables may belong to, by their columns, ids and masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.config.data.competitions import PRESETS, Competition, cell_reader, find_competition
from toolkit.errors import NothingToLearnError
from toolkit.files.recognition.folders.roles import Roles
from toolkit.files.recognition.tables.recognised_tables import RecognisedTable
from toolkit.files.recognition.tables.rle_readings import RleReading


@dataclass(frozen=True)
class Match:
    """A competition that fits the tables, how well (a higher `score` is better), and why.

    `path` is the file in the folder that describes it, if there is one.
    """

    competition: Competition
    score: int
    why: str
    path: Path | None = None


def matching_competitions(
    labels: RecognisedTable | None,
    sample: RecognisedTable | None,
    reading: RleReading | None,
    sizes: frozenset[tuple[int, int]],
    pattern: str = "",
) -> list[Match]:
    """The known competitions that contradict nothing in the folder, the best match first.

    Args:
        labels: the table of labels.
        sample: the sample submission.
        reading: of the masks in the table of labels.
        sizes: (height, width) of the training images.
        pattern: of the names of the training images.
    """
    if labels is None and sample is None and "{channel}" in pattern:
        named = [form for form in map(find_competition, PRESETS) if form.files.get("image_name") == pattern]
        return [Match(form, 1, f"the files are named as in {form.name}") for form in named]
    found = [_match(find_competition(name), labels, sample, reading, sizes) for name in PRESETS]
    return sorted((match for match in found if match is not None), key=lambda match: -match.score)


def _match(
    form: Competition,
    labels: RecognisedTable | None,
    sample: RecognisedTable | None,
    reading: RleReading | None,
    sizes: frozenset[tuple[int, int]],
) -> Match | None:
    score, why = 0, []
    if sample is not None:
        if sample.table.columns != form.columns or not _has_ids(sample, form, form.id):
            return None
        if sample.empty_words.total() == len(sample.rows) and form.empty not in sample.empty_words:
            return None
        score, why = 2, [f"the sample submission has its columns {', '.join(form.columns)}"]
    if labels is not None:
        fitting = _label_form(labels, form)
        if fitting is None or _contradicts(form, labels, reading, sizes):
            return None
        score += 2 * fitting
        why += [f"the table of labels has its columns {', '.join(labels.columns_used)}"] if fitting else []
        if form.empty and labels.empty_words[form.empty]:
            score, why = score + 1, [*why, f"empty masks are written {form.empty}"]
    if not score:
        return None
    if form.id != "{id}":
        score, why = score + 1, [*why, f"ids have the form {form.id}"]
    if form.label_size is not None and sizes:
        fits = sizes == {form.label_size}
        score += 1 if fits else -1
        why += [f"images are {form.label_size[0]}×{form.label_size[1]}"] if fits else []
    return Match(form, score, "; ".join(why))


def _label_form(labels: RecognisedTable, form: Competition) -> int | None:
    """1 if the columns of labels are the competition's, 0 if only their names differ; None if they do not fit."""
    for columns, template in (form.label_form, (form.columns, form.id)):
        if set(columns) <= set(labels.table.columns) and labels.columns_used == columns:
            return 1 if _has_ids(labels, form, template) else None
    as_many = len(labels.table.columns) == len(form.columns) and labels.columns_used == labels.table.columns
    return 0 if as_many and _has_ids(labels, form, form.id) else None


def _has_ids(table: RecognisedTable, form: Competition, template: str) -> bool:
    """Whether the ids and classes of all rows have the competition's form."""
    if template == "{id}" and table.class_column is None:
        return table.template == "{id}"
    read = cell_reader(form, template, table.class_column is not None)
    places = [place for place in (table.id_column, table.class_column) if place is not None]
    try:
        for cells in table.table.rows:
            read([cells[place].strip() for place in places])
    except ValueError:
        return False
    return True


def _contradicts(
    form: Competition, labels: RecognisedTable, reading: RleReading | None, sizes: frozenset[tuple[int, int]]
) -> bool:
    """Whether the masks contradict the competition: its rows, kind of starts, pixel order or size.

    A size is contradicted if all masks are valid in the size of the images, which is another one.
    """
    if form.rows == "class" and not labels.classes:
        return True
    if reading is None:
        return False
    wrong_starts = reading.relative_sure and reading.relative != form.relative
    wrong_order = reading.order_sure and reading.order != form.pixel_order
    wrong_size = form.label_size is not None and not reading.broken and sizes != {form.label_size}
    return wrong_starts or wrong_order or wrong_size


def refuse_other_masks(roles: Roles, matches: Sequence[Match]) -> None:
    """Check that masks beside the channels of a competition are those that it names.

    Raises:
        NothingToLearnError: there are only other files that are masks by their name.
    """
    if not matches or roles.images is None or roles.pairing is None or not roles.images.has_channels:
        return
    form, there = matches[0].competition, roles.pairing.masks.pattern
    wanted = form.files.get("mask_name", there)
    if roles.images.pattern == form.files.get("image_name") and wanted != there:
        folder = roles.images.folder
        raise NothingToLearnError(
            f"the images in {folder} are named as in {form.name}, but there is no file {wanted} beside them, which has "
            f"their masks; found {there}",
            f"Add these files. If {there} has the masks: tk new NAME --images {folder} --masks {folder} --competition "
            f"{form.name} --set 'data.mask_name=\"{there}\"'",
        )
