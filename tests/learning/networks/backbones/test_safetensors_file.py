import json
import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from toolkit.errors import WeightsError
from toolkit.learning.networks.backbones.safetensors_file import safetensors_of, tensors_in

ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
VALUE = struct.pack("<f", 0.5)


def written(table: Any, values: bytes = b"") -> bytes:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + values


def file_of(tensors: Mapping[str, np.ndarray]) -> bytes:
    """A file as the package safetensors writes it, with its padding."""
    table, values = {}, b""
    for name, array in tensors.items():
        content = array.astype("<f4").tobytes()
        table[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [len(values), len(values) + len(content)]}
        values += content
    text = json.dumps({"__metadata__": {"format": "pt"}, **table}).encode()
    return written(text + b" " * (-len(text) % 8), values)


@given(st.dictionaries(st.text(min_size=1), arrays.arrays(np.float32, arrays.array_shapes(min_dims=0, min_side=0))))
def test_what_is_written_is_read(tensors: dict[str, np.ndarray]) -> None:
    tensors.pop("__metadata__", None)
    found = tensors_in(file_of(tensors))
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("F16", np.array([0.5, -2], "<f2").tobytes(), [0.5, -2]),
        ("BF16", struct.pack("<2H", 0x3F00, 0xC000), [0.5, -2]),
        ("F64", struct.pack("<2d", 0.5, -2), [0.5, -2]),
        ("I64", struct.pack("<2q", 5, -2), [5, -2]),
    ],
)
def test_types_of_numbers(kind: str, values: bytes, expected: list[float]) -> None:
    table = {"a": {"dtype": kind, "shape": [2], "data_offsets": [0, len(values)]}}
    assert tensors_in(written(table, values))["a"].tolist() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1234567", "it has 7 bytes"),
        (struct.pack("<Q", 2**63) + b"{}", "its table would have 9223372036854775808 bytes"),
        (struct.pack("<Q", 3) + b"{}", "its table would have 3 bytes"),
        (written(b"[]"), "its table is not a JSON object"),
        (written(b'{"a": '), "its table is damaged"),
        (written(b"\xff\xfe"), "its table is damaged"),
        (written(b'{"a": ' + b"[" * 100_000), "its table is damaged"),
        (written(b'{"a": NaN}'), "its table holds NaN"),
        (written(b'{"a": 1, "a": 2}'), "two entries 'a'"),
        (written({"a": ONE}), "ends at byte 4 of the values, the file at 0"),
        (written({"a": ONE}, VALUE * 2), "4 bytes follow after the last tensor"),
        (written({"a": ONE, "b": ONE}, VALUE), "tensor 'b' begins at byte 0 of the values, expected 4"),
        (written({"a": ONE | {"data_offsets": [4, 8]}}, VALUE * 2), "tensor 'a' begins at byte 4"),
        (written({"a": ONE | {"dtype": "F8_E4M3"}}, VALUE), "dtype 'F8_E4M3'"),
        (written({"a": ONE | {"dtype": ["F32"]}}, VALUE), "dtype"),
        (written({"a": ONE | {"shape": [2]}}, VALUE), "has 4 bytes, expected 8"),
        (written({"a": ONE | {"shape": [-1]}}, VALUE), "are not valid"),
        (written({"a": ONE | {"shape": [True]}}, VALUE), "are not valid"),
        (written({"a": ONE | {"shape": [2**62]}}, VALUE), "are not valid"),
        (written({"a": ONE | {"shape": [1] * 9}}, VALUE), "are not valid"),
        (written({"a": ONE | {"data_offsets": [0, 4, 4]}}, VALUE), "are not valid"),
        (written({"a": ONE | {"more": 1}}, VALUE), "is not dtype, shape and data_offsets"),
        (written({"a": 1}, VALUE), "is not dtype, shape and data_offsets"),
        (written({"__metadata__": {"a": 1}}), "__metadata__ is not texts"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_sentence(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError) as error:
        safetensors_of(path)
    assert str(path) in error.value.message
    assert message in error.value.message
    assert len(error.value.message) < 600


@given(st.binary(max_size=200))
def test_nothing_but_a_value_error_comes_of_any_bytes(content: bytes) -> None:
    with suppress(ValueError, RecursionError):
        tensors_in(content)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no file"):
        safetensors_of(tmp_path / "missing.safetensors")
