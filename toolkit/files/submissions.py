"""Submission files: the sample that says what they look like, writing them, reading them back."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import SubmissionError
from toolkit.files.sources import EMPTY_CELLS, image_id_of
from toolkit.files.tables import format_table, read_table
from toolkit.files.writing import write_text
from toolkit.messages import Progress


@dataclass(frozen=True)
class SubmissionLayout:
    """What a submission looks like: its two columns and its rows.

    `rows` are pairs of the cell that stands in the file and the id of the image it means, in the file's order.
    """

    columns: tuple[str, str]
    rows: tuple[tuple[str, str], ...]


def sample_layout(path: Path) -> SubmissionLayout:
    """Columns, ids and order of a sample submission.

    Raises:
        SubmissionError: it has other than two columns, no rows, or an id twice.
    """
    table = read_table(path, 2, "data.sample_submission", SubmissionError)
    rows = tuple((cell, image_id_of(cell.strip())) for cell, _ in table.rows)
    if not rows:
        raise SubmissionError(f"data.sample_submission: {path} has no rows")
    _refuse_repeated([image_id for _, image_id in rows], path)
    return SubmissionLayout((table.columns[0], table.columns[1]), rows)


def sample_layout_for(path: Path, test_ids: Iterable[str], progress: Progress) -> SubmissionLayout:
    """The layout of a sample submission whose images must all be test images; test images it leaves out are told.

    Raises:
        SubmissionError: as `sample_layout`, or it asks for images that are no test images.
    """
    layout = sample_layout(path)
    wanted, there = {image_id for _, image_id in layout.rows}, set(test_ids)
    unknown, extra = sorted(wanted - there), sorted(there - wanted)
    if unknown:
        raise SubmissionError(
            f"data.sample_submission: {path} has {len(unknown)} ids without a test image: {', '.join(unknown[:5])}",
            "Check that data.test and data.sample_submission belong together, then run tk fit again.",
        )
    if extra:
        progress.warn(f"{len(extra)} test images are not in {path} and are left out: {', '.join(extra[:5])}")
    return layout


def default_layout(ids: Iterable[str]) -> SubmissionLayout:
    """The layout where there is no sample submission: columns `id` and `rle_mask`, ids sorted."""
    return SubmissionLayout(("id", "rle_mask"), tuple((image_id, image_id) for image_id in sorted(ids)))


def write_submission(path: Path, layout: SubmissionLayout, runs: Mapping[str, str]) -> None:
    """Write the run-length encodings of all rows of the layout."""
    write_text(path, format_table(layout.columns, [(cell, runs[image_id]) for cell, image_id in layout.rows]))


def read_submission(path: Path) -> dict[str, str]:
    """The run-length encoding of each image in a submission or solution file.

    Raises:
        SubmissionError: it has other than two columns, or an id twice.
        MissingFileError: there is no such file.
    """
    rows = read_table(path, 2, "submission", SubmissionError).rows
    ids = [image_id_of(cell.strip()) for cell, _ in rows]
    _refuse_repeated(ids, path)
    texts = ("" if text.strip() in EMPTY_CELLS else text for _, text in rows)
    return dict(zip(ids, texts, strict=True))


def _refuse_repeated(ids: Sequence[str], path: Path) -> None:
    repeated = sorted(image_id for image_id, count in Counter(ids).items() if count > 1)
    if repeated:
        raise SubmissionError(f"{path}: {len(repeated)} ids stand in several rows: {', '.join(repeated[:5])}")
