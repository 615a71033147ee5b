"""The key `data.neighbours`: which slices of a volume are the channels of an image."""

import re
from collections import Counter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from toolkit.config.data.folds import GroupPattern
from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.errors import listing


def _with_own(offsets: tuple[int, ...]) -> tuple[int, ...]:
    twice = [offset for offset, count in Counter(offsets).items() if count > 1]
    if twice:
        raise ValueError(f"expected different offsets, received {listing(map(str, twice))} several times")
    if 0 not in offsets:
        raise ValueError(f"expected 0 among the offsets: the slice that the mask belongs to; received {list(offsets)}")
    return offsets


def parts_of(image_id: str | None) -> tuple[str, ...]:
    """The names of the parts in a value of `image_id`."""
    return tuple(re.findall(r"\{(\w+)\}", image_id or ""))


Offsets = Annotated[
    tuple[Annotated[int, Field(ge=-1000, le=1000, strict=True)], ...], Field(min_length=1), AfterValidator(_with_own)
]
Named = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Named, ...], Field(min_length=1)]


class Neighbours(ClosedModel):
    """Neighbouring slices as the channels of an image.

    `order_by` and `group_by` name parts of `image_id` or columns of `data.metadata`; or a pattern reads them from ids.
    """

    offsets: Offsets = Field(
        description="Which slices are the channels of an image, in this order: `[-1, 0, 1]` are the one before, "
        "the slice itself and the one after. It must contain 0."
    )
    order_by: Annotated[Named | GroupPattern, Field(union_mode="left_to_right")] = Field(
        description="The number of a slice in its volume: a part of `image_id`, a column of `data.metadata`, or "
        '`{pattern: ".+_(\\d+)"}`, a regular expression for whole ids whose part in parentheses is the number.'
    )
    group_by: Annotated[Named | Names | GroupPattern | None, Field(union_mode="left_to_right")] = Field(
        None,
        description="The volume of a slice, in the same three ways; several parts or columns make a list. "
        "Neighbours are slices of the same volume, and `groups` defaults to it. Default: all images are one volume.",
    )
    edges: Literal["repeat", "leave_out"] = Field(
        "repeat",
        description="Before the first slice of a volume, and after the last, that slice is repeated. With `leave_out`, "
        "images with repeated slices are not trained on; they are still predicted, scored and submitted.",
    )
    gaps: Literal["error", "nearest"] = Field(
        "error",
        description="Numbers that are missing within a volume: an `error` that names the first, or the `nearest` slice "
        "stands for the one that is missing.",
    )

    @property
    def own(self) -> int:
        """The place of the slice itself among the offsets."""
        return self.offsets.index(0)

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """Each key that names parts or columns, with the name."""
        grouped = self.group_by if isinstance(self.group_by, tuple) else (self.group_by,)
        named = [("group_by", one) for one in grouped if isinstance(one, str)]
        return (("order_by", self.order_by), *named) if isinstance(self.order_by, str) else tuple(named)
