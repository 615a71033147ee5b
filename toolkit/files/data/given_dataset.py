"""A dataset that was given in Python: its items as those of a source of the user, and a digest of its content."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.errors import DataError
from toolkit.files.data.user_source import FOREGROUND, GROUP, WEIGHT
from toolkit.files.disk.digests import digest

_ITEMS = (
    "An item of a dataset is (image, mask), (image, mask, id), or an object or mapping with image or x, mask or y, and "
    "optionally id; see docs/python.md. Only a source in plugins.py has the order (id, image, mask)."
)
_IMAGES = "(height, width) or (height, width, channels)"
_MASKS = "bool or class numbers (height, width), or bool (height, width, classes)"

Arrays = tuple[npt.NDArray[Any], npt.NDArray[Any]]


class GivenDataset:
    """The items of a dataset as (id, image, mask); each must be the same whenever it is read.

    Args:
        dataset: an object with `__len__` and `__getitem__`, or a pair (images, masks) of arrays or lists. Its `ids` may
            be a sequence or a method. Methods `foreground`, `group` and `weight` are used as those of a source.

    Raises:
        DataError: it is neither, or the numbers of images and masks differ.
    """

    advice_on_items = _ITEMS

    def __init__(self, dataset: Any) -> None:
        pair = _pair(dataset)
        self.title = type(dataset).__name__ if pair is None else "the arrays"
        self._dataset = dataset if pair is None else pair
        self._digests: dict[int, str] = {}
        if not (hasattr(self._dataset, "__len__") and hasattr(self._dataset, "__getitem__")):
            raise DataError(
                f"a dataset has __len__ and __getitem__, or is a pair (images, masks) of arrays; received {self.title}",
                _ITEMS,
            )
        for name in (FOREGROUND, GROUP, WEIGHT):
            if callable(getattr(dataset, name, None)):
                setattr(self, name, getattr(dataset, name))

    def __len__(self) -> int:
        """The number of items."""
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[str, npt.NDArray[Any], npt.NDArray[Any]]:
        """One item: id, image and mask.

        Raises:
            DataError: it cannot be read, has no mask, has wrong shapes or types, or differs from what it was before.
        """
        image_id, arrays = self._read(index)
        known = self._ids[index]
        if image_id not in (None, known):
            raise DataError(f"{self._at(index)} has the id {image_id!r}, but {known!r} was expected", _ITEMS)
        return known, *arrays

    def ids(self) -> list[str]:
        """The ids of all items; numbers with leading zeros if the dataset has none."""
        return self._ids

    @cached_property
    def digest(self) -> str:
        """A digest of all ids, images and masks; reads the items that were not read before."""
        ids = self._ids
        for index in range(len(self)):
            if index not in self._digests:
                self._read(index)
        listed = sorted(f"{image_id}:{self._digests[index]}" for index, image_id in enumerate(ids))
        return digest("\n".join(listed).encode())

    @cached_property
    def _ids(self) -> list[str]:
        given, count = getattr(self._dataset, "ids", None), len(self)
        if given is not None:
            return [str(image_id) for image_id in (given() if callable(given) else given)]
        first = self._read(0)[0] if count else None
        if first is None:
            return [f"{index:0{len(str(count))}d}" for index in range(count)]
        ids = [first, *(self._read(index)[0] for index in range(1, count))]
        if None in ids:
            raise DataError(f"{self._at(ids.index(None))} has no id, but item 0 has one", _ITEMS)
        return [str(image_id) for image_id in ids]

    def _read(self, index: int) -> tuple[str | None, Arrays]:
        """The id of an item, if it has one, and its arrays; their digest is recorded when they are first read."""
        where = self._at(index)
        try:
            image, mask, image_id = _parts(self._dataset[index], where)
        except DataError:
            raise
        except Exception as error:
            raise DataError(f"{where} cannot be read: {type(error).__name__}: {error}") from error
        where = where if image_id is None else f"{where} ({image_id})"
        pixels = _image(image, where)
        arrays = pixels, _mask(mask, where, pixels.shape[:2])
        content = digest(*(part for array in arrays for part in _content(array)))
        if self._digests.setdefault(index, content) != content:
            raise DataError(
                f"{where} has changed since it was first read",
                "A dataset must give the same image and mask every time. Augmentation belongs in config.yaml.",
            )
        return None if image_id is None else str(image_id), arrays

    def _at(self, index: int) -> str:
        return f"dataset: item {index} of {self.title}"


class _Pair:
    """Images and masks side by side."""

    def __init__(self, images: Any, masks: Any) -> None:
        self._images, self._masks = images, masks

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._images[index], self._masks[index]


def _pair(dataset: Any) -> _Pair | None:
    """A tuple of two arrays or lists as images and masks; None for every other dataset."""
    if not isinstance(dataset, tuple) or not all(isinstance(part, np.ndarray | list) for part in dataset):
        return None
    if len(dataset) != 2:
        return None
    images, masks = map(len, dataset)
    if images != masks:
        alone = f"image {masks} has no mask" if images > masks else f"mask {images} has no image"
        raise DataError(f"dataset: there are {images} images and {masks} masks: {alone}", _ITEMS)
    return _Pair(*dataset)


def _parts(item: Any, where: str) -> tuple[Any, Any, Any]:
    """Image, mask, and id or None."""
    if isinstance(item, tuple | list):
        if not 2 <= len(item) <= 3:
            raise DataError(f"{where} is a {type(item).__name__} of length {len(item)}", _ITEMS)
        image, mask, image_id = (*item, None)[:3]
    else:
        image, mask, image_id = _field(item, "image", "x"), _field(item, "mask", "y"), _field(item, "id")
    for name, value in (("image", image), ("mask", mask)):
        if value is None:
            raise DataError(f"{where}, of type {type(item).__name__}, has no {name}", _ITEMS)
    return image, mask, image_id


def _field(item: Any, *names: str) -> Any:
    """The first of some fields of an object or mapping that is there; None if none is."""
    values = (item.get(name) if isinstance(item, Mapping) else getattr(item, name, None) for name in names)
    return next((value for value in values if value is not None), None)


def _image(value: Any, where: str) -> npt.NDArray[Any]:
    array = np.asarray(value)
    if array.ndim > 3 and array.dtype.kind in "buif":
        raise DataError(
            f"{where} looks like a batch: the image has {_described(array)}; each item is a single image with its mask",
            _ITEMS,
        )
    if array.dtype.kind in "US":
        raise DataError(f"{where}: the image is a text, {value!r}; expected uint8 {_IMAGES}", _ITEMS)
    if array.ndim not in (2, 3) or array.dtype.kind not in "buif" or not array.size:
        raise DataError(f"{where}: the image has {_described(array)}; expected uint8 {_IMAGES}", _ITEMS)
    return array


def _mask(value: Any, where: str, size: tuple[int, ...]) -> npt.NDArray[Any]:
    array = np.asarray(value)
    planes = array.ndim == 3 and array.shape[2] > 1
    if array.ndim not in (2, 3) or array.dtype.kind not in ("b" if planes else "buif") or array.shape[:2] != size:
        raise DataError(
            f"{where}: the mask has {_described(array)}; expected {_MASKS}, for this image of {size[0]}×{size[1]}",
            _ITEMS,
        )
    return array


def _described(array: npt.NDArray[Any]) -> str:
    return f"shape {array.shape} and type {array.dtype}"


def _content(array: npt.NDArray[Any]) -> tuple[bytes, memoryview]:
    """Type, shape and values of an array, for digests."""
    return f"{array.dtype} {array.shape}".encode(), np.ascontiguousarray(array).data
