"""Submission files: the sample that says what they look like, writing them, reading them back."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.config.data.competitions import PLAIN, Competition
from toolkit.core.arrays import Mask, Objects
from toolkit.core.images.resizing import scale_mask
from toolkit.core.masks.rle import decode, encode
from toolkit.errors import SubmissionError
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import write_text
from toolkit.files.masks.rle_rows import MaskRow, MaskRows, read_label_rows, read_mask_rows, runs_of
from toolkit.messages import Progress

_LAST_RUN = re.compile(r"\b(\d{1,12}) +(\d{1,12})$")


@dataclass(frozen=True)
class LayoutRow:
    """Where masks go: the cells that stand before them, the image and, of a row that holds one class, the class."""

    cells: tuple[str, ...]
    image_id: str
    class_name: str | None = None


@dataclass(frozen=True)
class SubmissionLayout:
    """What a submission looks like: its columns, and its rows in the file's order.

    Of objects there is one entry an image, which becomes as many rows as there are objects, or an empty one.
    `repeated` counts rows of the sample that name an image, or an image and class, again: these are left out.
    """

    columns: tuple[str, ...]
    rows: tuple[LayoutRow, ...]
    competition: Competition = PLAIN
    repeated: int = 0

    @cached_property
    def image_ids(self) -> tuple[str, ...]:
        """Every image once, in the order of the rows."""
        return tuple(dict.fromkeys(row.image_id for row in self.rows))


def sample_layout(
    path: Path, competition: Competition = PLAIN, key: str = "data.sample_submission"
) -> SubmissionLayout:
    """Columns, ids and order of a sample submission; `key` is what names the file, for messages.

    Raises:
        SubmissionError: it has another number of columns than the competition, no rows, ids that are not of its form,
            not all classes of an image, or, where no competition is named, an id twice.
    """
    found = read_mask_rows(path, competition, key, SubmissionError)
    found.refuse_problems(key, SubmissionError)
    if not found.rows:
        raise SubmissionError(f"{key}: {path} has no rows")
    if competition is PLAIN:
        _refuse_repeated(found.rows, path)
    rows: dict[tuple[str, str | None], LayoutRow] = {}
    for row in found.rows:
        rows.setdefault((row.image_id, row.class_name), LayoutRow(row.cells, row.image_id, row.class_name))
    _refuse_missing_classes(rows, competition, path)
    return SubmissionLayout(found.columns, tuple(rows.values()), competition, len(found.rows) - len(rows))


def sample_layout_for(
    path: Path, test_ids: Iterable[str], progress: Progress, competition: Competition = PLAIN
) -> SubmissionLayout:
    """The layout of a sample submission whose images must all be test images; what is left out is told.

    Raises:
        SubmissionError: as `sample_layout`, or it asks for images that are no test images.
    """
    layout = sample_layout(path, competition)
    wanted, there = set(layout.image_ids), set(test_ids)
    unknown, extra = sorted(wanted - there), sorted(there - wanted)
    if unknown:
        raise SubmissionError(
            f"data.sample_submission: {path} has {len(unknown)} ids without a test image: {', '.join(unknown[:5])}",
            "Check that data.test and data.sample_submission belong together, then run tk fit again.",
        )
    if extra:
        progress.warn(f"{len(extra)} test images are not in {path} and are left out: {', '.join(extra[:5])}")
    if layout.repeated:
        progress.warn(f"{layout.repeated} rows of {path} name an id again; a submission has one row for each")
    return layout


def default_layout(ids: Iterable[str], competition: Competition = PLAIN) -> SubmissionLayout:
    """The layout where there is no sample submission: the competition's columns, ids sorted, classes in its order."""
    names = competition.classes or (None,)
    rows = [LayoutRow(competition.cells(image_id, name), image_id, name) for image_id in sorted(ids) for name in names]
    return SubmissionLayout(competition.columns, tuple(rows), competition)


def encode_image(masks: npt.NDArray[np.bool_], competition: Competition = PLAIN) -> tuple[str, ...]:
    """The run-length encodings of one image: one for each class; an empty mask gives an empty text.

    Masks are scaled to the competition's `output_size` where it has one and theirs is another.

    Args:
        masks: `bool (height, width, classes)`, the classes in the competition's order; one for rows of images.
        competition: whose submission it is for.

    Raises:
        ValueError: another number of classes, or rows of the competition are objects, see `encode_objects`.
    """
    expected = max(1, len(competition.classes))
    if competition.rows == "object" or masks.shape[2] != expected:
        raise ValueError(f"{competition.name} has {expected} masks an image, rows: {competition.rows}; {masks.shape}")
    return tuple(
        encode(_scaled(masks[..., number], competition), competition.pixel_order, competition.relative)
        for number in range(expected)
    )


def encode_objects(objects: Objects, competition: Competition) -> tuple[str, ...]:
    """The run-length encodings of the objects of one image, in the order of their numbers; none if it has none.

    Objects are scaled like the masks of `encode_image`; what is too small to be seen then is left out.

    Args:
        objects: `int32 (height, width)`, 0 for background.
        competition: whose submission it is for.
    """
    texts = []
    taken: Mask | None = None
    for number in np.unique(objects[objects > 0]):
        mask = _scaled(objects == number, competition)
        taken = np.zeros_like(mask) if taken is None else taken
        mask &= ~taken
        taken |= mask
        if mask.any():
            texts.append(encode(mask, competition.pixel_order, competition.relative))
    return tuple(texts)


def write_submission(path: Path, layout: SubmissionLayout, runs: Mapping[str, Sequence[str]]) -> None:
    """Write a submission.

    Args:
        path: of the file.
        layout: of columns and rows.
        runs: for each image what `encode_image` or `encode_objects` gave.
    """
    write_text(path, format_table(layout.columns, submission_rows(layout, runs)))


def submission_rows(layout: SubmissionLayout, runs: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """The cells of every row of a submission."""
    competition = layout.competition
    position = {name: number for number, name in enumerate(competition.classes)}
    rows: list[tuple[str, ...]] = []
    for row in layout.rows:
        found = runs[row.image_id]
        if competition.rows == "object":
            texts = found or ("",)
        else:
            texts = (found[0 if row.class_name is None else position[row.class_name]],)
        rows += [(*row.cells, text or competition.empty) for text in texts]
    return rows


@dataclass(frozen=True)
class Submission:
    """A submission that was read, or a solution: its rows by image.

    `mask_size` is (height, width) of the masks in the file; None where it is that of the masks that are asked for.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[MaskRow, ...]
    competition: Competition
    mask_size: tuple[int, int] | None = None

    @cached_property
    def by_image(self) -> Mapping[str, tuple[MaskRow, ...]]:
        """The rows of each image, in the file's order."""
        found: dict[str, list[MaskRow]] = {}
        for row in self.rows:
            found.setdefault(row.image_id, []).append(row)
        return {image_id: tuple(rows) for image_id, rows in found.items()}

    def masks(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """The masks of one image, `bool (height, width, classes)`; rows of the same class are united.

        Args:
            image_id: of the image; one that has no rows has empty masks.
            size: (height, width) of the masks: `output_size`, or that of the image where there is none.

        Raises:
            RleError: a row is no mask of this size.
        """
        names = self.competition.classes or (None,)
        masks = np.zeros((*size, len(names)), np.bool_)
        for row, mask in self.decoded(image_id, size):
            masks[..., names.index(row.class_name)] |= mask
        return masks

    def objects(self, image_id: str, size: tuple[int, int]) -> Objects:
        """The objects of one image, one a row, numbered from 1; a pixel of several is the first one's.

        Raises:
            RleError: as `masks`.
        """
        objects = np.zeros(size, np.int32)
        number = 0
        for _, mask in self.decoded(image_id, size):
            number += bool(mask.any())
            objects[mask & (objects == 0)] = number
        return objects

    def decoded(self, image_id: str, size: tuple[int, int]) -> list[tuple[MaskRow, Mask]]:
        """Every row of one image with its mask, `bool (height, width)`; raises as `masks`."""
        form, own_size = self.competition, self.mask_size or size
        return [
            (row, scale_mask(decode(runs_of(row.text, form), own_size, form.pixel_order, form.relative), size))
            for row in self.by_image.get(image_id, ())
        ]


def read_submission(path: Path, competition: Competition = PLAIN) -> Submission:
    """Read a submission.

    Raises:
        SubmissionError: it has another number of columns than the competition, ids that are not of its form or, unless
            rows are objects, an id twice.
        MissingFileError: there is no such file.
    """
    found = read_mask_rows(path, competition, "submission", SubmissionError)
    if competition.rows != "object":
        _refuse_repeated(found.rows, path)
    return _checked(found, competition, "submission")


def read_solution(path: Path, competition: Competition = PLAIN) -> Submission:
    """Read a solution, which may also look like the competition's table of labels, at the size of these.

    Raises:
        SubmissionError: columns or ids are not of the competition, or, where none is named, an id stands twice.
        MissingFileError: there is no such file.
    """
    found = read_label_rows(path, competition, "solution", SubmissionError)
    if competition is PLAIN:
        _refuse_repeated(found.rows, path)
    checked = _checked(found, competition, "solution")
    return replace(checked, mask_size=competition.label_size) if _is_at_label_size(checked) else checked


def _is_at_label_size(solution: Submission) -> bool:
    """Whether masks have the size of the labels, where submissions have another: a run ends beyond the latter's."""
    form = solution.competition
    if form.label_size is None or form.output_size is None or form.relative:
        return False
    pixels = form.output_size[0] * form.output_size[1]
    # What is no run at all is told when it is decoded.
    lasts = (_LAST_RUN.search(runs_of(row.text, form)) for row in solution.rows)
    return any(int(last[1]) + int(last[2]) - 1 > pixels for last in lasts if last is not None)


def _checked(found: MaskRows, competition: Competition, key: str) -> Submission:
    found.refuse_problems(key, SubmissionError)
    return Submission(found.path, found.columns, found.rows, competition)


def _scaled(mask: Mask, competition: Competition) -> Mask:
    return mask if competition.output_size is None else scale_mask(mask, competition.output_size)


def _refuse_missing_classes(
    rows: Mapping[tuple[str, str | None], LayoutRow], competition: Competition, path: Path
) -> None:
    counts = Counter(image_id for image_id, _ in rows)
    partial = sorted(image_id for image_id, count in counts.items() if count < len(competition.classes))
    if partial:
        raise SubmissionError(
            f"{path}: {len(partial)} images have no row for some of the classes {', '.join(competition.classes)}: "
            + ", ".join(partial[:5])
        )


def _refuse_repeated(rows: Sequence[MaskRow], path: Path) -> None:
    counts = Counter((row.image_id, row.class_name) for row in rows)
    repeated = sorted(" ".join(filter(None, key)) for key, count in counts.items() if count > 1)
    if repeated:
        raise SubmissionError(f"{path}: {len(repeated)} ids stand in several rows: {', '.join(repeated[:5])}")
