"""Weight files of PyTorch before 1.6, read as tensors alone.

Such a file is five pickles (magic number, version, properties of the machine, tensors by name, keys of the storages),
followed by the storages: for each a count (int64) and its values. Pickles are programs that may call any function.
Here they are only parsed, and a small interpreter knows the few instructions and names that tensors need. A name is a
value like any other; nothing that a file names is imported or called.
"""

import io
import math
import pickletools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.errors import WeightsError

Tensors = dict[str, npt.NDArray[Any]]
"""Arrays by their names, in the order of the file."""

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_DICT, _TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
_TYPES: Mapping[str, str] = {"torch FloatStorage": "<f4", "torch LongStorage": "<i8"}
_CONSTANTS: Mapping[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {"BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1"}
_MOST_AXES = 8


class _NotAllowedError(ValueError):
    """The content of a file is not what a file of tensors holds."""


@dataclass(frozen=True)
class _Name:
    """A function or class that a file names."""

    text: str


@dataclass(frozen=True)
class _Storage:
    """The values that tensors are views of; `count` of them follow the pickles under `key`."""

    key: str
    type: str
    count: int


@dataclass(frozen=True)
class _View:
    """A tensor: consecutive values of a storage; `order` has its axes, the one with the largest stride first."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    order: tuple[int, ...]


def tensors_of(content: bytes, path: Path) -> Tensors:
    """The tensors in the content of a file.

    Args:
        content: of the file.
        path: of the file, for messages.

    Raises:
        WeightsError: the content is damaged, or holds anything but tensors.
    """
    try:
        return _tensors(io.BytesIO(content))
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error) as error:
        what = str(error) if isinstance(error, _NotAllowedError) else f"it is damaged ({error!r:.200})"
        raise WeightsError(
            f"encoder_weights: {path} cannot be read as a PyTorch file of tensors: {what}",
            "Install the file again, or start from random weights: --set encoder_weights=null",
        ) from error


def _tensors(file: io.BytesIO) -> Tensors:
    magic, version, machine = (_value(file) for _ in range(3))
    if type(magic) is not int or magic != _MAGIC or version != _VERSION:
        raise _NotAllowedError("it does not begin like a file of PyTorch before 1.6")
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise _NotAllowedError("its numbers are not little-endian")
    views, keys = _value(file), _value(file)
    if not isinstance(views, dict) or not all(isinstance(view, _View) for view in views.values()):
        raise _NotAllowedError("it holds other values than tensors by their names")
    declared: dict[str, _Storage] = {}
    for view in views.values():
        if declared.setdefault(view.storage.key, view.storage) != view.storage:
            raise _NotAllowedError(f"the storage {view.storage.key!r:.40} has two descriptions")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or sorted(declared) != sorted(keys):
        raise _NotAllowedError("its storages are not those of its tensors")
    arrays = {key: _values(file, declared[key]) for key in keys}
    if file.read(1):
        raise _NotAllowedError("more content follows after the last storage")
    return {name: _array(arrays[view.storage.key], view) for name, view in views.items()}


def _values(file: io.BytesIO, storage: _Storage) -> npt.NDArray[Any]:
    (count,) = struct.unpack("<q", file.read(8))
    if count != storage.count:
        raise _NotAllowedError(f"a storage has {count} values, expected {storage.count}")
    size = count * np.dtype(storage.type).itemsize
    content = file.read(size)
    if len(content) != size:
        raise _NotAllowedError(f"the file ends after {len(content)} of the {size} bytes of a storage")
    return np.frombuffer(content, storage.type)


def _array(values: npt.NDArray[Any], view: _View) -> npt.NDArray[Any]:
    used = values[view.offset : view.offset + math.prod(view.shape)]
    stored = used.reshape([view.shape[axis] for axis in view.order])
    return stored.transpose([view.order.index(axis) for axis in range(len(view.shape))])


def _value(file: io.BytesIO) -> Any:
    """The value of the next pickle, made of numbers, texts, tuples, lists, dictionaries and tensors."""
    stack = _Stack()
    for instruction, argument, _ in pickletools.genops(file):
        if instruction.name == "STOP":
            return stack.result()
        stack.execute(instruction.name, argument)
    raise _NotAllowedError("a pickle has no end")


class _Stack:
    """The stack on which the instructions of one pickle work; values before a mark wait in `_before`."""

    def __init__(self) -> None:
        self._values: list[Any] = []
        self._before: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._instructions: dict[str, Callable[[], Any]] = {
            "EMPTY_DICT": dict,
            "EMPTY_LIST": list,
            "EMPTY_TUPLE": tuple,
            "TUPLE": lambda: tuple(self._since_mark()),
            "TUPLE1": lambda: self._last(1),
            "TUPLE2": lambda: self._last(2),
            "TUPLE3": lambda: self._last(3),
            "SETITEM": lambda: self._with_items(self._last(2)),
            "SETITEMS": lambda: self._with_items(self._since_mark()),
            "APPENDS": lambda: self._extended(self._since_mark()),
            "BINPERSID": lambda: _storage(self._values.pop()),
            "REDUCE": lambda: _made(*self._last(2)),
            "BUILD": lambda: self._without_state(self._last(2)),
        }

    def execute(self, name: str, argument: Any) -> None:
        """Carry out one instruction."""
        if name in _LITERALS:
            self._values.append(argument)
        elif name in _CONSTANTS:
            self._values.append(_CONSTANTS[name])
        elif name == "GLOBAL":
            self._values.append(_name(argument))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._values[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self._values.append(self._memo[argument])
        elif name == "MARK":
            self._before.append(self._values)
            self._values = []
        elif name in self._instructions:
            value = self._instructions[name]()  # before the stack is looked up: a mark may replace it
            self._values.append(value)
        elif name != "PROTO":
            raise _NotAllowedError(f"it uses the pickle instruction {name}, which tensors do not need")

    def result(self) -> Any:
        """The only value that is left at the end."""
        (value,) = self._values
        return value

    def _since_mark(self) -> list[Any]:
        values, self._values = self._values, self._before.pop()
        return values

    def _last(self, count: int) -> tuple[Any, ...]:
        values = tuple(self._values[-count:])
        if len(values) != count:
            raise _NotAllowedError("an instruction has too few values")
        del self._values[-count:]
        return values

    def _with_items(self, items: list[Any] | tuple[Any, ...]) -> dict[str, Any]:
        target = self._values.pop()
        names, values = items[::2], items[1::2]
        # Only texts: hashing deeply nested tuples could exhaust the stack of the process.
        if not isinstance(target, dict) or len(items) % 2 or not all(isinstance(name, str) for name in names):
            raise _NotAllowedError("it sets something other than values by their names")
        target.update(zip(names, values, strict=True))
        return target

    def _extended(self, values: list[Any]) -> list[Any]:
        target = self._values.pop()
        if not isinstance(target, list):
            raise _NotAllowedError("it appends to something other than a list")
        target.extend(values)
        return target

    @staticmethod
    def _without_state(values: tuple[Any, ...]) -> dict[str, Any]:
        """The dictionary of tensors; its attribute `_metadata`, versions of PyTorch's layers, is left out."""
        target, _ = values
        if not isinstance(target, dict):
            raise _NotAllowedError("it sets attributes of something other than a dictionary")
        return target


def _name(text: str) -> _Name:
    if text not in (_DICT, _TENSOR, *_TYPES):
        raise _NotAllowedError(f"it names {text.replace(' ', '.')!r:.100}, which tensors do not need")
    return _Name(text)


def _storage(persistent_id: Any) -> _Storage:
    """A storage from its persistent id: the word storage, type, key, device, count, and None (no view of another)."""
    word, kind, key, device, count, view = persistent_id
    if word != "storage" or not isinstance(kind, _Name) or kind.text not in _TYPES or view is not None:
        raise _NotAllowedError("it refers to something other than a storage of float32 or int64")
    if not (isinstance(key, str) and isinstance(device, str) and _is_count(count)):
        raise _NotAllowedError("the description of a storage is not valid")
    return _Storage(key, _TYPES[kind.text], count)


def _made(function: Any, arguments: Any) -> dict[str, Any] | _View:
    """What a function would return for its arguments: an empty dictionary, or a tensor."""
    if function == _Name(_DICT) and arguments == ():
        return {}
    if function != _Name(_TENSOR):
        raise _NotAllowedError("it calls something other than the constructor of a tensor")
    storage, offset, shape, strides, _, _ = arguments
    if not isinstance(storage, _Storage) or not _is_count(offset) or not _are_counts(shape) or not _are_counts(strides):
        raise _NotAllowedError("the description of a tensor is not valid")
    if offset + math.prod(shape) > storage.count:
        raise _NotAllowedError(f"a tensor of shape {shape} reaches beyond the {storage.count} values of its storage")
    if len(strides) != len(shape):
        raise _NotAllowedError("the description of a tensor is not valid")
    order = tuple(sorted(range(len(shape)), key=lambda axis: -strides[axis]))
    size = 1
    for axis in reversed(order):
        # The stride of an axis with a single entry has no meaning.
        if shape[axis] != 1 and strides[axis] != size:
            raise _NotAllowedError(f"a tensor of shape {shape} has strides {strides}, which leave values out")
        size *= shape[axis]
    return _View(storage, offset, shape, order)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**62


def _are_counts(values: Any) -> bool:
    return isinstance(values, tuple) and len(values) <= _MOST_AXES and all(map(_is_count, values))
