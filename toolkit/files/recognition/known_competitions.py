"""Which of the known competitions tables may be of: by their columns, ids, and how their masks can be read."""

from dataclasses import dataclass
from pathlib import Path

from toolkit.config.data.competitions import PRESETS, Competition, cell_reader, find_competition
from toolkit.files.recognition.rle_readings import RleReading
from toolkit.files.recognition.table_looks import TableLook


@dataclass(frozen=True)
class Match:
    """A competition that tables fit, and by what; more `score` is more of it.

    `path` is the file that describes it, where the folder brings one along.
    """

    competition: Competition
    score: int
    why: str
    path: Path | None = None


def matching_competitions(
    labels: TableLook | None, sample: TableLook | None, reading: RleReading | None, sizes: frozenset[tuple[int, int]]
) -> list[Match]:
    """Known competitions that contradict nothing that was seen, the best fitting first.

    Args:
        labels: the table of labels.
        sample: the sample submission.
        reading: how the masks of labels are to be read.
        sizes: (height, width) of the training images.
    """
    found = [_match(find_competition(name), labels, sample, reading, sizes) for name in PRESETS]
    return sorted((match for match in found if match is not None), key=lambda match: -match.score)


def _match(
    form: Competition,
    labels: TableLook | None,
    sample: TableLook | None,
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
        score, why = score + 1, [*why, f"ids look like {form.id}"]
    if form.label_size is not None and sizes:
        fits = sizes == {form.label_size}
        score += 1 if fits else -1
        why += [f"images are {form.label_size[0]}×{form.label_size[1]}"] if fits else []
    return Match(form, score, "; ".join(why))


def _label_form(labels: TableLook, form: Competition) -> int | None:
    """1 where the columns of labels are those of the competition, 0 where they have other names; None where not."""
    for columns, template in (form.label_form, (form.columns, form.id)):
        if set(columns) <= set(labels.table.columns) and labels.columns_used == columns:
            return 1 if _has_ids(labels, form, template) else None
    as_many = len(labels.table.columns) == len(form.columns) and labels.columns_used == labels.table.columns
    return 0 if as_many and _has_ids(labels, form, form.id) else None


def _has_ids(look: TableLook, form: Competition, template: str) -> bool:
    """Whether ids, and classes, of all rows can be read as those of the competition."""
    if template == "{id}" and look.class_column is None:
        return look.template == "{id}"
    read = cell_reader(form, template, look.class_column is not None)
    places = [place for place in (look.id_column, look.class_column) if place is not None]
    try:
        for cells in look.table.rows:
            read([cells[place].strip() for place in places])
    except ValueError:
        return False
    return True


def _contradicts(
    form: Competition, labels: TableLook, reading: RleReading | None, sizes: frozenset[tuple[int, int]]
) -> bool:
    """Whether the masks are of another kind: other classes, relative starts, the other order, another size.

    Masks of a size that is not that of the images could not all be read as if they were of it.
    """
    if form.rows == "class" and not labels.classes:
        return True
    if reading is None:
        return False
    wrong_starts = reading.relative_sure and reading.relative != form.relative
    wrong_order = reading.order_sure and reading.order != form.pixel_order
    wrong_size = form.label_size is not None and not reading.broken and sizes != {form.label_size}
    return wrong_starts or wrong_order or wrong_size
