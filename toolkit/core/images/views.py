"""Geometric variants of a batch for test-time augmentation, each with its exact inverse, and how sets are written."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from toolkit.errors import not_valid

Batch = TypeVar("Batch")
"""A NumPy array or a TensorFlow tensor of shape (N, height, width, C)."""

Transpose = Callable[[Any, Sequence[int]], Any]
"""`np.transpose`, or the `tf.transpose` of those who have tensors."""

_LONGEST_FOLDER_NAME = 100
_SCALES = (0.25, 4.0)


@dataclass(frozen=True)
class View:
    """One of the eight symmetries of a rectangle's picture (the dihedral group D4), on an image scaled by `scale`.

    Heights and widths change places first, where `transposed`; then the image is turned upside down (`vertical`) and
    mirrored (`horizontal`). Scaling is not done here but where the image is placed in the network's input, from its
    own pixels, because a batch that had been scaled already would lose detail.
    """

    transposed: bool = False
    vertical: bool = False
    horizontal: bool = False
    scale: float = 1.0

    @property
    def name(self) -> str:
        """Such as `hflip` or `rot90@0.75`; turns are counter-clockwise, as those of `np.rot90`."""
        name = _NAMES[self.transposed, self.vertical, self.horizontal]
        return name if self.scale == 1 else f"{name}@{_number(self.scale)}"

    def apply(self, batch: Batch, transpose: Transpose = np.transpose) -> Batch:
        """The batch as this view shows it, (N, width, height, C) where it is transposed; the scale is left alone."""
        return self._flip(_swap(batch, transpose) if self.transposed else batch)

    def undo(self, batch: Batch, transpose: Transpose = np.transpose) -> Batch:
        """The inverse: `undo(apply(batch))` is the batch again, whatever its height and width."""
        flipped = self._flip(batch)
        return _swap(flipped, transpose) if self.transposed else flipped

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The (height, width) of what `apply` makes of a batch of this size."""
        return size[::-1] if self.transposed else size

    def then(self, other: "View") -> "View":
        """The view that shows what `other` makes of what this one shows; scales multiply."""
        vertical, horizontal = self.vertical, self.horizontal
        if other.transposed:
            vertical, horizontal = horizontal, vertical
        return View(
            self.transposed != other.transposed,
            vertical != other.vertical,
            horizontal != other.horizontal,
            round(self.scale * other.scale, 6),
        )

    def _flip(self, batch: Batch) -> Batch:
        if self.vertical and self.horizontal:
            return batch[:, ::-1, ::-1]  # type: ignore[index,no-any-return] # arrays and tensors have no common type
        if self.vertical:
            return batch[:, ::-1]  # type: ignore[index,no-any-return] # as above
        if self.horizontal:
            return batch[:, :, ::-1]  # type: ignore[index,no-any-return] # as above
        return batch


def _swap(batch: Batch, transpose: Transpose) -> Batch:
    return transpose(batch, (0, 2, 1, 3))  # type: ignore[no-any-return] # as above


_NAMES = {
    (False, False, False): "identity",
    (False, False, True): "hflip",
    (False, True, False): "vflip",
    (False, True, True): "rot180",
    (True, False, False): "transpose",
    (True, True, False): "rot90",
    (True, False, True): "rot270",
    (True, True, True): "antitranspose",
}

_BY_NAME = {name: View(*turn) for turn, name in _NAMES.items()}


def _named(*names: str) -> tuple[View, ...]:
    return tuple(_BY_NAME[name] for name in names)


VIEWS: dict[str, tuple[View, ...]] = {
    "none": _named("identity"),
    "hflip": _named("identity", "hflip"),
    "vflip": _named("identity", "vflip"),
    "flips": _named("identity", "hflip", "vflip", "rot180"),
    "rot180": _named("identity", "rot180"),
    "rot90": _named("identity", "rot180", "rot90", "rot270"),
    "d4": tuple(_BY_NAME.values()),
}
"""Sets of views by name, each a group: `hflip` is what the view of that name generates, `rot90` likewise, and so on."""

_FORMS = (*VIEWS, "scales:0.75,1,1.25", "view:hflip,rot90@0.75", "and products (for example flips*scales:0.75,1)")


def parse_views(text: str) -> tuple[View, ...]:
    """Read a set of views: `flips`, `scales:0.75,1,1.25`, `view:hflip,rot90@0.75`, or a product `flips*scales:0.75,1`.

    A product has every view of its first factor followed by every view of the second, each different one once. `view:`
    takes the views that it names and no others, not even the image as it is.

    Returns:
        Different views in one order for each set, the image as it is first if it is among them.

    Raises:
        ValueError: says what is wrong, and the nearest name.
    """
    factors = [_parse_factor(factor.strip()) for factor in text.split("*")]
    views = _named("identity")
    for factor in factors:
        views = tuple(view.then(other) for view in views for other in factor)
    for view in views:
        _check_scale(view.scale)
    return _ordered(views)


def views_name(views: Sequence[View]) -> str:
    """The one name of a set of views, whatever it was written like; `parse_views` reads it."""
    chosen = _ordered(views)
    turns = {replace(view, scale=1.0) for view in chosen}
    scales = sorted({view.scale for view in chosen})
    named = next((name for name, members in VIEWS.items() if set(members) == turns), None)
    if named is None or len(turns) * len(scales) != len(chosen):
        return f"view:{','.join(view.name for view in chosen)}"
    scaled = [] if scales == [1.0] else [f"scales:{','.join(map(_number, scales))}"]
    return "*".join([*([named] if named != "none" or not scaled else []), *scaled])


def views_folder(text: str) -> str:
    """The name of a set of views as it can stand in the name of a file, such as `flips_scales=0.75,1`.

    Raises:
        ValueError: there is no such set.
    """
    name = views_name(parse_views(text)).replace("*", "_").replace(":", "=")
    if len(name) <= _LONGEST_FOLDER_NAME:
        return name
    return f"views-{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}"


def _ordered(views: Sequence[View]) -> tuple[View, ...]:
    order = list(_BY_NAME.values())
    return tuple(
        sorted(set(views), key=lambda view: (view.scale != 1, view.scale, order.index(replace(view, scale=1.0))))
    )


def _parse_factor(text: str) -> tuple[View, ...]:
    kind, colon, values = text.partition(":")
    if colon and kind.strip() == "scales":
        return tuple(View(scale=_parse_scale(value)) for value in values.split(","))
    if colon and kind.strip() == "view":
        return tuple(_parse_view(value.strip()) for value in values.split(","))
    if text not in VIEWS:
        raise ValueError(not_valid(text, _FORMS))
    return VIEWS[text]


def _parse_view(text: str) -> View:
    name, at, scale = text.partition("@")
    if name not in _BY_NAME:
        raise ValueError(not_valid(name, _BY_NAME))
    return replace(_BY_NAME[name], scale=_parse_scale(scale) if at else 1.0)


def _parse_scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        raise ValueError(f"expected a number as scale, such as 0.75, received {text.strip()!r}") from None
    return _check_scale(scale)


def _check_scale(scale: float) -> float:
    smallest, largest = _SCALES
    if not math.isfinite(scale) or not smallest <= scale <= largest:
        raise ValueError(f"a scale is from {smallest:g} to {largest:g}, received {scale:g}")
    return round(scale, 6)


def _number(scale: float) -> str:
    return np.format_float_positional(scale, trim="-")
