"""Images and masks from a class that the user wrote, used like those from files."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.data.data import GivenSource, UserSource
from toolkit.core.arrays import Image, Objects
from toolkit.core.images.value_range import ValueRange, to_bytes, with_channels
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import UnknownValuesError
from toolkit.core.masks.mask_codings import whole_numbers
from toolkit.errors import ChangedError, ConfigError, DataError, MissingFileError, NothingToLearnError, raised_by
from toolkit.files.code.plugin_loading import load_dotted, load_plugins, take
from toolkit.files.data.metadata import Metadata
from toolkit.files.images.decoding import UnreadableImageError
from toolkit.files.images.window_reading import cut, refuse_outside

_KEPT = 8
_IN_NO_ID = "/\0\r\n"
FOREGROUND, GROUP, WEIGHT = "foreground", "group", "weight"
"""Optional methods of a source; each becomes a column of metadata."""


@dataclass(frozen=True, eq=False)
class Item:
    """One item of a source: image and mask, (height, width) or (height, width, channels), and objects if known."""

    image_id: str
    image: npt.NDArray[Any]
    mask: npt.NDArray[Any] | None
    objects: Objects | None


def user_items(spec: UserSource, key: str) -> "UserItems":
    """The items of the source that the configuration names at a key, or of the dataset that was given in Python.

    Raises:
        ConfigError: the source cannot be created.
        MissingFileError: the dataset was not given again.
        ChangedError: it is not the dataset that the experiment was fitted to.
        DataError: as `UserItems`.
    """
    if not isinstance(spec, GivenSource):
        return _of_class(spec, key)
    dataset = spec.dataset
    if dataset is None:
        raise MissingFileError(
            f"{spec.experiment or key}: images and masks are not on disk: they were a dataset given in Python",
            "Give the dataset again in Python: Experiment(path, dataset), or Experiment(path).fit(dataset).",
        )
    if spec.digest is not None and spec.digest != dataset.digest:
        raise ChangedError(
            f"{spec.experiment} was fitted to a dataset with other images, masks or ids than {dataset.title}",
            "Give the dataset that it was fitted to, or train again: Experiment(path).fit(dataset, restart=True).",
        )
    return UserItems(dataset, dataset.title, "dataset")


def _of_class(spec: UserSource, key: str) -> "UserItems":
    items = UserItems(_made(spec, key), spec.name, key)
    items.made_from = spec
    return items


class UserItems:
    """The items of a source. Recent items are cached; one thread at a time calls the user's code.

    `made_from` says how the source was made, if the configuration names it: another process makes it again.

    Raises:
        DataError: a method of the source raises an error or returns an invalid item.
    """

    def __init__(self, source: Any, title: str, key: str) -> None:
        self.title = title
        self.advice: str = getattr(source, "advice_on_items", _ITEMS)
        self._key = key
        self._source = source
        self.made_from: UserSource | None = None
        self._kept: OrderedDict[int, Item] = OrderedDict()
        self._turn = threading.RLock()
        self.places: Mapping[str, int] = self._find_ids()

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process.

        Raises:
            TypeError: the source is an object of this process.
        """
        if self.made_from is None:
            raise TypeError(f"{self.title} is an object of this process")
        return _of_class, (self.made_from, self._key)

    def read(self, image_id: str) -> Item:
        """The item with this id."""
        place = self.places[image_id]
        with self._turn:
            item = self._kept.get(place)
            if item is None:
                item = self._kept[place] = self._item(place)
            self._kept.move_to_end(place)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        if item.image_id != image_id:
            raise DataError(
                f"{self._key}: item {place} of {self.title} had the id {image_id!r}, now it has {item.image_id!r}",
                "Items and their order must not change while the source is in use.",
            )
        return item

    def metadata(self) -> Metadata:
        """What the methods `foreground`, `group` and `weight` return for each image, as columns."""
        methods = [name for name in (FOREGROUND, GROUP, WEIGHT) if callable(getattr(self._source, name, None))]
        rows = {
            image_id: tuple(_cell(self._call(getattr(self._source, name), name, place)) for name in methods)
            for image_id, place in self.places.items()
        }
        return Metadata(tuple(methods), {image_id: (row,) for image_id, row in rows.items()}, f"source {self.title}")

    def positives(self) -> dict[str, bool] | None:
        """Which images count as having foreground; None if the source has no method `foreground`."""
        method = getattr(self._source, FOREGROUND, None)
        if not callable(method):
            return None
        return {image_id: bool(self._call(method, FOREGROUND, place)) for image_id, place in self.places.items()}

    def _find_ids(self) -> dict[str, int]:
        count = self._call(len, "__len__", self._source)
        if not count:
            raise NothingToLearnError(f"{self._key}: there are no items in {self.title}")
        given = getattr(self._source, "ids", None)
        if given is None:
            ids = [self._item(place).image_id for place in range(count)]
        else:
            ids = self._call(lambda: [str(one) for one in (given() if callable(given) else given)], "ids")
        twice = sorted({image_id for image_id in ids if ids.count(image_id) > 1}) if len(set(ids)) < len(ids) else []
        if twice or len(ids) != count:
            wrong = f"the id {twice[0]!r} several times" if twice else f"{len(ids)} ids for {count} items"
            raise DataError(f"{self._key}: {self.title} has {wrong}", "Give every item a unique id.")
        strange = [image_id for image_id in ids if not image_id or set(image_id) & set(_IN_NO_ID)]
        if strange:
            raise DataError(
                f"{self._key}: {self.title} has the invalid id {strange[0]!r}",
                "An id is not empty, and has no slash or line break.",
            )
        return {image_id: place for place, image_id in enumerate(ids)}

    def _item(self, place: int) -> Item:
        found = self._call(self._source.__getitem__, "__getitem__", place)
        where = f"{self._key}: item {place} of {self.title}"
        if isinstance(found, tuple | list):
            if not 2 <= len(found) <= 4:
                raise DataError(
                    f"{where} is a tuple of length {len(found)}; expected (id, image), (id, image, mask) or "
                    "(id, image, mask, objects)",
                    _ITEMS,
                )
            _refuse_other_order(found[0], where)
            image_id, image, mask, objects = (*found, None, None)[:4]
        else:
            try:
                image_id, image = found.id, found.image
            except AttributeError as error:
                raise DataError(f"{where} is not valid: {error}", _ITEMS) from error
            mask, objects = getattr(found, "mask", None), getattr(found, "objects", None)
        pixels = _array(image, f"{where}: the image")
        return Item(
            str(image_id),
            pixels,
            None if mask is None else _array(mask, f"{where}: the mask"),
            None if objects is None else _objects(objects, f"{where}: the map of objects", pixels.shape[:2]),
        )

    def _call(self, function: Callable[..., Any], name: str, *arguments: Any) -> Any:
        try:
            with self._turn:
                return function(*arguments)
        except DataError:  # of a dataset that was given in Python: it says itself what is wrong
            raise
        except Exception as error:
            at = f"({', '.join(map(str, arguments))})" if arguments and arguments != (self._source,) else ""
            raise DataError(f"{self._key}: {self.title}.{name}{at} failed: {raised_by(error)}") from error


def _made(spec: UserSource, key: str) -> Any:
    """The source: an object of the user's class."""
    folder = Path.cwd() if spec.file is None else spec.file.parent
    try:
        if "." in spec.name or spec.file is None:
            made = load_dotted(spec.name, folder)
        else:
            made = take(load_plugins(spec.file), spec.name, folder)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error.message}", error.advice) from error
    try:
        source = made(**spec.arguments)
    except Exception as error:
        raise ConfigError(f"{key}: {spec.name} cannot be created: {raised_by(error)}") from error
    for method in ("__len__", "__getitem__"):
        if not hasattr(source, method):
            raise ConfigError(
                f"{key}: {spec.name} has no method {method}", "See docs/data.md for the required methods."
            )
    return source


_ITEMS = (
    "An item of a source is (id, image, mask), or an object with these attributes; see docs/data.md. Only a dataset "
    "that is given in Python, Experiment(path).fit(dataset), has the order (image, mask, id)."
)


def _refuse_other_order(first: Any, where: str) -> None:
    """Refuse an item that begins with an image, or a batch of images, in the place of its id."""
    shape = getattr(first, "shape", ())
    if len(shape) > 3:
        raise DataError(
            f"{where} looks like a batch: it begins with an array of shape {tuple(shape)} instead of an id; each item "
            "is a single image with its mask",
            _ITEMS,
        )
    if len(shape) > 1:
        raise DataError(f"{where} begins with an array of shape {tuple(shape)} instead of an id", _ITEMS)


def _array(value: Any, what: str) -> npt.NDArray[Any]:
    array = np.asarray(value)
    if array.ndim not in (2, 3) or array.dtype.kind not in "buif" or not array.size:
        raise DataError(
            f"{what} has shape {array.shape} and type {array.dtype}; expected numbers of shape (height, width) or "
            "(height, width, channels)",
            _ITEMS,
        )
    return array


def _objects(value: Any, what: str, size: tuple[int, ...]) -> Objects:
    array = _array(value, what)
    if array.shape != size:
        raise DataError(f"{what} has shape {array.shape}, but the image is {size[0]}×{size[1]}", _ITEMS)
    try:
        return whole_numbers(array).astype(np.int32)
    except UnknownValuesError as error:
        raise DataError(f"{what} has {error}", _ITEMS) from error


def _cell(value: Any) -> str:
    """A value as the text of a table cell; None is an empty cell."""
    return "" if value is None else str(value)


@dataclass(frozen=True)
class UserImages:
    """The images of a source, as `uint8 (height, width, channels)`."""

    items: UserItems
    ids: tuple[str, ...]
    channels: int
    ranges: tuple[ValueRange, ...] = ()

    @property
    def origin(self) -> str:
        """The name of the source."""
        return self.items.title

    def read(self, image_id: str) -> Image:
        """One image, `uint8 (height, width, channels)`; raises UnreadableImageError."""
        try:
            return with_channels(to_bytes(self.stored(image_id), self.ranges), self.channels)
        except ValueError as error:
            raise UnreadableImageError(f"image {image_id} of {self.origin}", str(error), self.items.advice) from error

    def window(self, image_id: str, window: Window) -> Image:
        """A window of one image; raises as `read`, and ValueError outside the image."""
        refuse_outside(window, self.size(image_id))
        try:
            return with_channels(to_bytes(cut(self.stored(image_id), window), self.ranges), self.channels)
        except ValueError as error:
            raise UnreadableImageError(f"image {image_id} of {self.origin}", str(error), self.items.advice) from error

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of an image."""
        height, width = self.stored(image_id).shape[:2]
        return height, width

    def content(self, image_id: str) -> bytes:
        """Values, type and shape of the array, for digests."""
        pixels = self.stored(image_id)
        return f"{pixels.dtype} {pixels.shape} {self.ranges}".encode() + pixels.tobytes()

    def stamp(self, image_id: str) -> bytes | None:
        """None: a source says nothing but its pixels."""

    def stored(self, image_id: str) -> npt.NDArray[Any]:
        """The pixels that the source returns."""
        return self.items.read(image_id).image

    def only(self, ids: Container[str]) -> "UserImages":
        """The images with these ids."""
        kept = tuple(image_id for image_id in self.ids if image_id in ids)
        return UserImages(self.items, kept, self.channels, self.ranges)


@dataclass(frozen=True)
class UserMasks:
    """The masks of a source: pixel values (height, width) as in mask files, or planes (height, width, classes)."""

    items: UserItems
    size: None = None

    @property
    def ids(self) -> Iterable[str]:
        """All ids."""
        return self.items.places.keys()

    def read(self, image_id: str, size: tuple[int, int]) -> npt.NDArray[Any]:
        """One mask; raises KeyError if the item has none."""
        mask = self.items.read(image_id).mask
        if mask is None:
            raise KeyError(image_id)
        values = whole_numbers(mask)
        if values.ndim == 3:
            return values[:, :, 0] if values.shape[2] == 1 else (values > 0).astype(np.uint8)
        return values

    def window(self, image_id: str, size: tuple[int, int], window: Window) -> None:
        """None: the caller cuts the window from the whole mask."""

    def read_objects(self, image_id: str, size: tuple[int, int]) -> Objects | None:
        """The objects of one image, if the item has them."""
        return self.items.read(image_id).objects

    def content(self, image_id: str) -> bytes:
        """Values, types and shapes of mask and objects, for digests."""
        item = self.items.read(image_id)
        arrays = [one for one in (item.mask, item.objects) if one is not None]
        return b"".join(f"{one.dtype} {one.shape}".encode() + one.tobytes() for one in arrays)

    def stamp(self, image_id: str) -> bytes | None:
        """None: a source says nothing but its pixels."""
