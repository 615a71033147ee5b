"""The facts of an image and its mask."""

from dataclasses import dataclass, field

import numpy as np

from toolkit.core.images.duplicates import Thumbnail
from toolkit.core.masks.mask_values import MaskValues
from toolkit.core.masks.misplaced_masks import Contrasts


@dataclass(frozen=True)
class Traces:
    """Measurements that reveal masks that are transposed, or belong to another image, as they are and otherwise.

    `borders` are the lengths of the mask's borders in the assumed and the other pixel order, 0 for square masks, whose
    lengths do not depend on it. `contrasts` are those of the image across these borders; mask files are compared with
    their transpose if they are square. `counted` are those of absolute runs as they are, and if they count pixels from
    0. `before` and `after` are those of the image, and of the image before or after it across the same borders.
    `starts` are the `line_starts` of absolute runs. `upturned` and `mirrored` are contrasts of the mask as it is, and
    upside down or with left and right exchanged.
    """

    borders: tuple[int, int]
    contrasts: Contrasts
    counted: Contrasts
    before: Contrasts
    after: Contrasts
    starts: tuple[int, int] = (0, 0)
    upturned: Contrasts = (None, None)
    mirrored: Contrasts = (None, None)


@dataclass(frozen=True, eq=False)
class ImageFacts:
    """The facts of one image and its mask; if there is a `problem`, only `remedy` and `unknown` are set besides.

    Attributes:
        image_id: of the image.
        problem: why the image or its mask cannot be used.
        remedy: what to do about the problem.
        unknown: pixel values of the mask that belong to no class.
        size: (height, width).
        low: the smallest value of the image as it is read, 0–255.
        high: the largest value.
        is_constant: whether all pixels have the same value.
        is_grey: whether the three channels are equal.
        coverage: the foreground share of the pixels that are not ignored, 0–1.
        ignored: the share of ignored pixels, 0–1.
        pixels: the number of pixels of each class.
        is_scaled: whether the mask is scaled to the image.
        picture: a digest of the pixels of the image.
        drawn: a digest of the labels.
        content: a digest of the files.
        thumbnail: for finding near duplicates.
        values: the values of the mask, where every value above 0 is foreground or the file has several channels; for
            some images with components.
        traces: of masks that are transposed or of another image, for some images.
    """

    image_id: str
    problem: str = ""
    remedy: str = ""
    unknown: tuple[int, ...] = ()
    size: tuple[int, int] = (0, 0)
    low: int = 0
    high: int = 0
    is_constant: bool = False
    is_grey: bool = False
    coverage: float = 0.0
    ignored: float = 0.0
    pixels: tuple[int, ...] = ()
    is_scaled: bool = False
    picture: str = ""
    drawn: str = ""
    content: str = ""
    thumbnail: Thumbnail = field(default_factory=lambda: np.zeros((32, 32), np.uint8))
    values: MaskValues | None = None
    traces: Traces | None = None
