"""What a submission file is checked against: competition, sample, test images, and the masks it was made from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from toolkit.config.data.competitions import Competition
from toolkit.core.arrays import Image, Mask
from toolkit.files.disk.digests import digest
from toolkit.files.submissions.layout import SubmissionLayout
from toolkit.files.submissions.log import LoggedSubmission

RowKey = tuple[str, str | None]
"""The id of an image, and the class if rows have one."""


@dataclass(frozen=True)
class TestImages:
    """The test images of a submission: their ids, and functions for the size (height, width) and pixels of an image.

    `size` may also know images that are not among the ids; it returns None for unknown images.
    """

    __test__ = False  # pytest would collect a class with this name

    ids: frozenset[str]
    size: Callable[[str], tuple[int, int] | None]
    read: Callable[[str], Image] | None = None


@dataclass(frozen=True)
class Expected:
    """What a submission is checked against; values that are unknown (None or empty) are not checked.

    Attributes:
        competition: the format of the file.
        sample: the layout of the sample submission.
        sample_path: of the sample submission.
        images: the test images.
        masks: digests of the masks that the file was made from, with all objects of an image combined.
        earlier: earlier submissions.
        upload_to: the competition that the file is about to be uploaded to.
    """

    competition: Competition
    sample: SubmissionLayout | None = None
    sample_path: Path | None = None
    images: TestImages | None = None
    masks: Mapping[RowKey, str] = field(default_factory=dict)
    earlier: Sequence[LoggedSubmission] = ()
    upload_to: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.competition.columns if self.sample is None else self.sample.columns

    def size(self, image_id: str) -> tuple[int, int] | None:
        """(height, width) of the masks of an image; None if it is unknown."""
        if self.competition.output_size is not None:
            return self.competition.output_size
        return None if self.images is None else self.images.size(image_id)

    def keys(self) -> dict[RowKey, tuple[str, ...]] | None:
        """The cells before the mask of every required row, in their order; None if the rows are unknown."""
        if self.sample is not None:
            return {(row.image_id, row.class_name): row.cells for row in self.sample.rows}
        if self.images is None:
            return None
        names = self.competition.classes or (None,)
        ids = sorted(self.images.ids)
        return {(image_id, name): self.competition.cells(image_id, name) for image_id in ids for name in names}


def mask_digest(mask: Mask) -> str:
    """A digest of a mask, `bool (height, width)`."""
    return digest(f"{mask.shape}".encode() + np.packbits(mask).tobytes())
