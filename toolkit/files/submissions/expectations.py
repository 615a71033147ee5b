"""What a submission file is held against: competition, sample, test images, the masks that it is made of."""

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
"""The id of an image and, of a row that holds one class, the class."""


@dataclass(frozen=True)
class TestImages:
    """The images that a submission is about: their ids, and what gives size (height, width) and pixels of one.

    A size that is asked for may be that of an image that is not among them, if it is known all the same.
    """

    __test__ = False  # pytest takes what is called so for tests

    ids: frozenset[str]
    size: Callable[[str], tuple[int, int] | None]
    read: Callable[[str], Image] | None = None


@dataclass(frozen=True)
class Expected:
    """What a submission is held against. What is not known is None or empty, and is not checked.

    `masks` are digests of the masks that it was made of, objects united; `earlier` are submissions made before, and
    `upload_to` is the competition that it is about to be uploaded to.
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
        """(height, width) of the masks of an image, if it is known."""
        if self.competition.output_size is not None:
            return self.competition.output_size
        return None if self.images is None else self.images.size(image_id)

    def keys(self) -> dict[RowKey, tuple[str, ...]] | None:
        """The cells before the mask of every row that there should be, in their order; None if that is not known."""
        if self.sample is not None:
            return {(row.image_id, row.class_name): row.cells for row in self.sample.rows}
        if self.images is None:
            return None
        names = self.competition.classes or (None,)
        ids = sorted(self.images.ids)
        return {(image_id, name): self.competition.cells(image_id, name) for image_id in ids for name in names}


def mask_digest(mask: Mask) -> str:
    """By which a mask `bool (height, width)` is recognised."""
    return digest(f"{mask.shape}".encode() + np.packbits(mask).tobytes())
