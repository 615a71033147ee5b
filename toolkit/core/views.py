"""Geometric variants of a batch for test-time augmentation, each with its exact inverse."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

# A NumPy array or a TensorFlow tensor: views only slice, so they serve both.
Batch = TypeVar("Batch")


@dataclass(frozen=True)
class View:
    """One variant of an NHWC batch; `undo(apply(batch))` is the batch again, whatever its height and width."""

    name: str
    apply: Callable[[Batch], Batch]
    undo: Callable[[Batch], Batch]


def _identity(batch: Batch) -> Batch:
    return batch


def _flip_horizontally(batch: Batch) -> Batch:
    return batch[:, :, ::-1]  # type: ignore[index,no-any-return] # arrays and tensors have no common type


def _flip_vertically(batch: Batch) -> Batch:
    return batch[:, ::-1]  # type: ignore[index,no-any-return] # as above


def _flip_both(batch: Batch) -> Batch:
    return batch[:, ::-1, ::-1]  # type: ignore[index,no-any-return] # as above


_IDENTITY = View("identity", _identity, _identity)
_HORIZONTAL = View("hflip", _flip_horizontally, _flip_horizontally)
_VERTICAL = View("vflip", _flip_vertically, _flip_vertically)
_BOTH = View("hvflip", _flip_both, _flip_both)

VIEWS: dict[str, tuple[View, ...]] = {
    "none": (_IDENTITY,),
    "hflip": (_IDENTITY, _HORIZONTAL),
    "vflip": (_IDENTITY, _VERTICAL),
    "flips": (_IDENTITY, _HORIZONTAL, _VERTICAL, _BOTH),
}
"""Sets of views by name, as `--views` and ensembles know them; `--tta` means `flips`."""
