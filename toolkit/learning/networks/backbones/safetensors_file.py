"""Weight files in the format safetensors, read as what they are: a table of contents and numbers.

Such a file has the length of the table (8 bytes, little-endian), the table (JSON: type, shape and place of each tensor
by its name), and the values, one tensor after another. Nothing in it can be executed. The package of the format would
be one more thing to install, keeps the last of two tensors of the same name, and NumPy has no bfloat16 for it.
"""

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import WeightsError
from toolkit.learning.networks.backbones.torch_file import Tensors

_MOST_BYTES_OF_TABLE = 100_000_000
_MOST_AXES = 8
_METADATA = "__metadata__"
_BFLOAT16 = "BF16"
_TYPES: Mapping[str, str] = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    _BFLOAT16: "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U8": "<u1",
    "BOOL": "<u1",
}


class _NotAllowedError(ValueError):
    """The content of a file is not what a file of tensors holds."""


def safetensors_of(path: Path) -> Tensors:
    """The tensors of a file in the order of their places; half precision becomes float32.

    Raises:
        WeightsError: there is no such file, it is damaged, or in another format.
    """
    try:
        return tensors_in(regular(path).read_bytes())
    except FileNotFoundError as error:
        raise WeightsError(
            f"encoder_weights: there is no file {path}",
            "Use imagenet, null, or the path of an .h5 or .safetensors file.",
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, _NotAllowedError | OSError) else f"its table is damaged ({error!r:.200})"
        raise WeightsError(
            f"encoder_weights: {path} cannot be read as safetensors: {what}",
            "Download the file again, or start from random weights: --set encoder_weights=null",
        ) from error


def tensors_in(content: bytes) -> Tensors:
    """The tensors in the content of a file; see `safetensors_of`.

    Raises:
        ValueError: the content is damaged, or not in this format.
    """
    table, values = _parts(content)
    metadata = table.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _NotAllowedError(f"{_METADATA} is not texts by their names")
    places = {name: _place(name, entry) for name, entry in table.items()}
    end = 0
    found: Tensors = {}
    for name in sorted(places, key=lambda name: places[name]):
        start, stop = places[name]
        if start != end:
            raise _NotAllowedError(f"tensor {name!r:.100} begins at byte {start} of the values, expected {end}")
        end = stop
        if end > len(values):
            raise _NotAllowedError(f"tensor {name!r:.100} ends at byte {end} of the values, the file at {len(values)}")
        found[name] = _array(values[start:stop], table[name])
    if end != len(values):
        raise _NotAllowedError(f"{len(values) - end} bytes follow after the last tensor")
    return found


def _parts(content: bytes) -> tuple[dict[str, Any], memoryview]:
    """The table, and the values after it."""
    if len(content) < 8:
        raise _NotAllowedError(f"it has {len(content)} bytes, fewer than the length of its table takes")
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(_MOST_BYTES_OF_TABLE, len(content) - 8):
        raise _NotAllowedError(
            f"its table would have {length} bytes; the file has {len(content)}, and a table at most "
            f"{_MOST_BYTES_OF_TABLE}"
        )
    text = content[8 : 8 + length].decode()
    table = json.loads(text, object_pairs_hook=_without_repetition, parse_constant=_refuse_constant)
    if not text.startswith("{") or not isinstance(table, dict):
        raise _NotAllowedError("its table is not a JSON object")
    return table, memoryview(content)[8 + length :]


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _NotAllowedError(f"its table has two entries {name!r:.100}")
        found[name] = value
    return found


def _refuse_constant(text: str) -> NoReturn:
    raise _NotAllowedError(f"its table holds {text}, which is no number")


def _place(name: str, entry: Any) -> tuple[int, int]:
    """The first and last + 1 byte of a tensor among the values."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _NotAllowedError(f"the entry of tensor {name!r:.100} is not dtype, shape and data_offsets")
    kind, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in _TYPES:
        raise _NotAllowedError(f"tensor {name!r:.100} has dtype {kind!r:.40}, expected one of {', '.join(_TYPES)}")
    if not _are_counts(shape) or len(shape) > _MOST_AXES or not _are_counts(place) or len(place) != 2:
        raise _NotAllowedError(f"shape or data_offsets of tensor {name!r:.100} are not valid")
    start, stop = place
    size = math.prod(shape) * np.dtype(_TYPES[kind]).itemsize
    if stop - start != size:
        raise _NotAllowedError(
            f"tensor {name!r:.100} of shape {shape} and dtype {kind} has {stop - start} bytes, expected {size}"
        )
    return start, stop


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**62 for value in values)


def _array(values: memoryview, entry: Mapping[str, Any]) -> npt.NDArray[Any]:
    array = np.frombuffer(values, _TYPES[entry["dtype"]]).reshape(entry["shape"])
    if entry["dtype"] == _BFLOAT16:  # the upper half of a float32
        return (array.astype("<u4") << 16).view("<f4")
    return array.astype(np.float32) if array.dtype.kind == "f" and array.dtype != np.float32 else array
