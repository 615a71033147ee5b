"""Arrays of pixels in .npy and .npz files; Python objects in them are never unpickled."""

import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.config.yaml.file_paths import regular

ARRAY_SUFFIXES = (".npy", ".npz")
_CHANNELS_AT_MOST = 64
MOST_DEFLATED = 1_032
"""How many bytes one byte of deflated data can stand for (https://zlib.net/zlib_tech.html)."""


class ArrayShapeError(ValueError):
    """An array that is not damaged, but has another number of dimensions than images and masks have."""


def read_array(path: Path, names: tuple[str, ...] = ()) -> npt.NDArray[Any]:
    """The array of a file, (height, width) or (height, width, channels); that of a .npy file is a memory map.

    An array is taken as (channels, height, width) if its first side is at most 64 and its last side is longer.

    Args:
        path: of a .npy file, or of a .npz file that holds one array or one with one of the `names`.
        names: of the array to read, if the file holds several.

    Raises:
        OSError, ValueError: the file cannot be opened, is damaged, or holds something else.
    """
    with _damage_as_value_error():
        if path.suffix.lower() == ".npy":
            return _channels_last(np.load(regular(path), mmap_mode="r", allow_pickle=False))
        _header(path, names)  # refuses what is not in the file
        with _member(path, names) as (file, _):
            return _channels_last(np.lib.format.read_array(file, allow_pickle=False))


def array_size(path: Path, names: tuple[str, ...] = ()) -> tuple[int, int]:
    """(height, width), from the header alone; raises as `read_array`."""
    return _size(_header(path, names)[0])


def array_depth(path: Path, names: tuple[str, ...] = ()) -> int:
    """The number of bits of a value, from the header alone; raises as `read_array`."""
    return 8 * _header(path, names)[1].itemsize


def _header(path: Path, names: tuple[str, ...]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array."""
    with _damage_as_value_error():
        if path.suffix.lower() == ".npy":
            array = np.load(regular(path), mmap_mode="r", allow_pickle=False)
            return array.shape, _of_numbers(array.dtype)
        with _member(path, names) as (file, held):
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, kind = read(file)
    claimed = math.prod(shape) * kind.itemsize
    if claimed > held:
        raise ValueError(f"claims an array of shape {shape}, which has {claimed} bytes; the file can hold {held}")
    return shape, _of_numbers(kind)


def _of_numbers(kind: np.dtype[Any]) -> np.dtype[Any]:
    if kind.kind not in "biuf":
        raise ValueError(f"holds values of type {kind}; expected whole numbers, floats or bool")
    return kind


@contextmanager
def _damage_as_value_error() -> Iterator[None]:
    """Damaged headers and archives raise errors of many types (for example of zlib and of Python's tokenizer)."""
    try:
        yield
    except (OSError, ValueError):
        raise
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


@contextmanager
def _member(path: Path, names: tuple[str, ...]) -> Iterator[tuple[Any, int]]:
    """The file of the wanted array in a .npz archive, and how many bytes it can have at most."""
    try:
        with regular(path).open("rb") as file, zipfile.ZipFile(file) as archive:
            about = archive.getinfo(_name_in(archive.namelist(), names))
            packed = min(about.compress_size, path.stat().st_size)
            most = {zipfile.ZIP_STORED: packed, zipfile.ZIP_DEFLATED: MOST_DEFLATED * packed}
            with archive.open(about) as member:
                yield member, min(about.file_size, most.get(about.compress_type, about.file_size))
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error


def _name_in(members: Sequence[str], names: tuple[str, ...]) -> str:
    fitting = [member for member in members if member.removesuffix(".npy") in names]
    if len(members) == 1:
        return members[0]
    if len(fitting) != 1:
        found = ", ".join(member.removesuffix(".npy") for member in members) or "none"
        expected = f", or one called {' or '.join(names)}" if names else ""
        raise ValueError(f"holds the arrays {found}; expected a single array{expected}")
    return fitting[0]


def _channels_last(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    _size(array.shape)
    if array.ndim == 3 and _is_first(array.shape):
        return np.moveaxis(array, 0, 2)
    return array


def _size(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) not in (2, 3) or not all(shape):
        raise ArrayShapeError(f"holds an array of shape {shape}; expected (height, width) or (height, width, channels)")
    return (shape[1], shape[2]) if len(shape) == 3 and _is_first(shape) else (shape[0], shape[1])


def _is_first(shape: tuple[int, ...]) -> bool:
    return shape[0] <= _CHANNELS_AT_MOST < shape[2]
