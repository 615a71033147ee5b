"""The layout of submission files, from the sample submission; writing and reading submissions."""

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
from toolkit.errors import SubmissionError, listing
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import write_text
from toolkit.files.masks.rle_rows import MaskRow, MaskRows, read_label_rows, read_mask_rows, runs_of
from toolkit.messages import Progress

_LAST_RUN = re.compile(r"\b(\d{1,12}) +(\d{1,12})$")


@dataclass(frozen=True)
class LayoutRow:
    """A row without its mask: the cells before the mask, the image, and the class if rows have one."""

    cells: tuple[str, ...]
    image_id: str
    class_name: str | None = None


@dataclass(frozen=True)
class SubmissionLayout:
    """The columns of a submission, and its rows in the order of the file.

    If rows are objects, `rows` has one entry per image, which becomes a row for each object, or an empty row.
    `repeated` counts rows of the sample that repeat an image, or an image and class; these are left out.
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
    path: Path, competition: Competition = PLAIN, key: str = "data.sample_submission", known: Iterable[str] = ()
) -> SubmissionLayout:
    """The layout of a sample submission; `key` is the configuration key of the file, for messages.

    Ids that differ from those of `known` images only in spelling are theirs; rows keep the spelling of the sample.

    Raises:
        MissingFileError: the file does not exist.
        SubmissionError: the file has the wrong number of columns, no rows, ids of another form than the competition's,
            images without some of the classes or, without a competition, an id twice.
    """
    found = read_mask_rows(path, competition, key, SubmissionError, known)
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
    path: Path,
    test_ids: Iterable[str],
    progress: Progress,
    competition: Competition = PLAIN,
    keys: tuple[str, str] = ("data.sample_submission", "data.test"),
) -> SubmissionLayout:
    """The layout of a sample submission whose images must all be test images; warns of images that are left out.

    `keys` are those of the file and of the folder of the images, for messages.

    Raises:
        MissingFileError: the file does not exist.
        SubmissionError: as `sample_layout`; or an image is not a test image.
    """
    there = set(test_ids)
    of_sample, of_images = keys
    layout = sample_layout(path, competition, of_sample, known=there)
    wanted = set(layout.image_ids)
    unknown, extra = sorted(wanted - there), sorted(there - wanted)
    if unknown:
        raise SubmissionError(
            f"{of_sample}: {path} has {len(unknown)} ids without a test image: {listing(unknown)}",
            f"Check that {of_images} and {of_sample} belong together"
            + (", then run tk fit again." if of_images.startswith("data.") else "."),
        )
    if extra:
        progress.warn(f"{len(extra)} test images are not in {path} and are left out: {listing(extra)}")
    if layout.repeated:
        progress.warn(f"{layout.repeated} rows of {path} repeat an id; the submission has one row for each id")
    return layout


def default_layout(ids: Iterable[str], competition: Competition = PLAIN) -> SubmissionLayout:
    """The layout without a sample submission: the competition's columns, sorted ids, classes in its order."""
    names = competition.classes or (None,)
    rows = [LayoutRow(competition.cells(image_id, name), image_id, name) for image_id in sorted(ids) for name in names]
    return SubmissionLayout(competition.columns, tuple(rows), competition)


def encode_image(masks: npt.NDArray[np.bool_], competition: Competition = PLAIN) -> tuple[str, ...]:
    """The run-length encodings of one image, one for each class; an empty text for an empty mask.

    Masks are scaled to the competition's `output_size`, if it has one.

    Args:
        masks: `bool (height, width, classes)`, the classes in the competition's order; one class for rows of images.
        competition: that the submission is for.

    Raises:
        ValueError: the number of classes is wrong, or rows of the competition are objects, see `encode_objects`.
    """
    expected = max(1, len(competition.classes))
    if competition.rows == "object" or masks.shape[2] != expected:
        raise ValueError(
            f"{competition.name} has {expected} masks per image (rows: {competition.rows}); received masks of shape "
            f"{masks.shape}"
        )
    return tuple(
        encode(_scaled(masks[..., number], competition), competition.pixel_order, competition.relative)
        for number in range(expected)
    )


def encode_objects(objects: Objects, competition: Competition) -> tuple[str, ...]:
    """The run-length encodings of the objects of one image, in the order of their numbers.

    Objects are scaled like the masks of `encode_image`; objects that have no pixel after scaling are left out.

    Args:
        objects: `int32 (height, width)`, 0 for background.
        competition: that the submission is for.
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
        layout: the columns and rows.
        runs: for each image, the result of `encode_image` or `encode_objects`.
    """
    write_text(path, format_table(layout.columns, submission_rows(layout, runs)))


def submission_rows(layout: SubmissionLayout, runs: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """The cells of all rows of a submission; arguments as for `write_submission`."""
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
    """A submission or solution that was read from a file.

    `mask_size` is (height, width) of the masks in the file; None if it is the size that they are decoded to.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[MaskRow, ...]
    competition: Competition
    mask_size: tuple[int, int] | None = None

    @cached_property
    def by_image(self) -> Mapping[str, tuple[MaskRow, ...]]:
        """The rows of each image, in the order of the file."""
        found: dict[str, list[MaskRow]] = {}
        for row in self.rows:
            found.setdefault(row.image_id, []).append(row)
        return {image_id: tuple(rows) for image_id, rows in found.items()}

    def masks(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """The masks of one image, `bool (height, width, classes)`; rows of the same class are combined.

        Args:
            image_id: of the image; an image without rows has empty masks.
            size: (height, width) of the masks: the competition's `output_size`, or that of the image.

        Raises:
            RleError: a row is not a mask of this size.
        """
        names = self.competition.classes or (None,)
        masks = np.zeros((*size, len(names)), np.bool_)
        for row, mask in self.decoded(image_id, size):
            masks[..., names.index(row.class_name)] |= mask
        return masks

    def objects(self, image_id: str, size: tuple[int, int]) -> Objects:
        """The objects of one image, one per row, `int32 (height, width)` numbered from 1; raises as `masks`.

        A pixel of several objects belongs to the first of them.
        """
        objects = np.zeros(size, np.int32)
        number = 0
        for _, mask in self.decoded(image_id, size):
            number += bool(mask.any())
            objects[mask & (objects == 0)] = number
        return objects

    def decoded(self, image_id: str, size: tuple[int, int]) -> list[tuple[MaskRow, Mask]]:
        """Every row of one image with its mask, `bool (height, width)`; raises as `masks`."""
        form, stored_size = self.competition, self.mask_size or size
        return [
            (row, scale_mask(decode(runs_of(row.text, form), stored_size, form.pixel_order, form.relative), size))
            for row in self.by_image.get(image_id, ())
        ]


def read_submission(path: Path, competition: Competition = PLAIN) -> Submission:
    """Read a submission.

    Raises:
        MissingFileError: the file does not exist.
        SubmissionError: the file has the wrong number of columns, ids of another form than the competition's or, unless
            rows are objects, an id twice.
    """
    found = read_mask_rows(path, competition, "submission", SubmissionError)
    if competition.rows != "object":
        _refuse_repeated(found.rows, path)
    return _checked(found, competition, "submission")


def read_solution(path: Path, competition: Competition = PLAIN) -> Submission:
    """Read a solution, which may also have the columns and mask size of the competition's table of labels.

    Raises:
        MissingFileError: the file does not exist.
        SubmissionError: columns or ids are not the competition's or, without a competition, an id occurs twice.
    """
    found = read_label_rows(path, competition, "solution", SubmissionError)
    if competition is PLAIN:
        _refuse_repeated(found.rows, path)
    checked = _checked(found, competition, "solution")
    return replace(checked, mask_size=competition.label_size) if _is_at_label_size(checked) else checked


def _is_at_label_size(solution: Submission) -> bool:
    """Whether masks have the size of labels rather than of submissions: a run ends beyond the smaller size."""
    form = solution.competition
    if form.label_size is None or form.output_size is None or form.relative:
        return False
    pixels = form.output_size[0] * form.output_size[1]
    # Text that is not a run is reported when it is decoded.
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
            f"{path}: {len(partial)} images lack rows for some of the classes {', '.join(competition.classes)}: "
            f"{listing(partial)}"
        )


def _refuse_repeated(rows: Sequence[MaskRow], path: Path) -> None:
    counts = Counter((row.image_id, row.class_name) for row in rows)
    repeated = sorted(" ".join(filter(None, key)) for key, count in counts.items() if count > 1)
    if repeated:
        raise SubmissionError(f"{path}: {len(repeated)} ids have several rows: {listing(repeated)}")
