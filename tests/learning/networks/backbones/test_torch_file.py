import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import WeightsError
from toolkit.learning.networks.backbones.torch_file import Tensors, tensors_of

PATH = Path("some/weights.pth")
DICT = b"ccollections\nOrderedDict\n)R"
FLOAT = b"ctorch\nFloatStorage\n"


def number(value: int) -> bytes:
    content = pickle.encode_long(value)
    return b"\x8a" + bytes([len(content)]) + content


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def several(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def storage(key: str, count: int, kind: bytes = FLOAT) -> bytes:
    return several(text("storage"), kind, text(key), text("cpu"), number(count), b"N") + b"Q"


def tensor(of: bytes, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> bytes:
    sides, steps = (several(*map(number, values)) for values in (shape, strides))
    arguments = several(of, number(offset), sides, steps, b"\x89", DICT)
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def state(**tensors: bytes) -> bytes:
    items = b"".join(text(name) + value for name, value in tensors.items())
    metadata = b"}" + text("_metadata") + DICT + b"s"
    return DICT + b"(" + items + b"u" + metadata + b"b"


def file(named: bytes, keys: tuple[str, ...] = (), values: bytes = b"", *, little: bytes = b"\x88") -> bytes:
    """A file in the layout of PyTorch before 1.6."""
    machine = b"}(" + text("little_endian") + little + b"u"
    listed = b"](" + b"".join(map(text, keys)) + b"e"
    parts = (number(0x1950A86A20F9469CFC6C), number(1001), machine, named, listed)
    return b"".join(b"\x80\x02" + part + b"." for part in parts) + values


def stored(*values: float) -> bytes:
    return struct.pack(f"<q{len(values)}f", len(values), *values)


def read(content: bytes) -> Tensors:
    return tensors_of(content, PATH)


def test_tensors_are_views_of_storages() -> None:
    named = state(
        kernel=tensor(storage("7", 6), (2, 2), (2, 1), offset=2),
        bias=tensor(storage("7", 6), (2,), (1,)),
        turned=tensor(storage("7", 6), (2, 1, 3), (1, 9, 2)),
        seen=tensor(storage("9", 1, b"ctorch\nLongStorage\n"), (), ()),
    )
    found = read(file(named, ("9", "7"), struct.pack("<qq", 1, 41) + stored(0, 1, 2, 3, 4, 5)))
    assert list(found) == ["kernel", "bias", "turned", "seen"]
    np.testing.assert_array_equal(found["kernel"], np.array([[2, 3], [4, 5]], np.float32))
    np.testing.assert_array_equal(found["bias"], np.array([0, 1], np.float32))
    np.testing.assert_array_equal(found["turned"], np.array([[[0, 2, 4]], [[1, 3, 5]]], np.float32))
    assert found["seen"].dtype == np.int64
    assert found["seen"] == 41


ONE = state(a=tensor(storage("7", 1), (1,), (1,)))
WHOLE = file(ONE, ("7",), stored(1.5))


def test_a_file_that_ends_early_is_refused_wherever_it_ends() -> None:
    assert read(WHOLE)["a"] == [1.5]
    for length in range(len(WHOLE)):
        with pytest.raises(WeightsError, match=r"some/weights\.pth"):
            read(WHOLE[:length])
    with pytest.raises(WeightsError, match="more content"):
        read(WHOLE + b"\x00")


class Calls:
    """Calls a function when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("called",))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("place", range(5))
def test_nothing_is_called(protocol: int, place: int, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = pickle.dumps({"a": Calls()}, protocol)
    machine, keys = b"}(" + text("little_endian") + b"\x88u", b"](" + text("7") + b"e"
    pickles = [part + b"." for part in (number(0x1950A86A20F9469CFC6C), number(1001), machine, ONE, keys)]
    assert read(b"".join(pickles) + stored(1.5))["a"] == [1.5]
    pickles[place] = hostile
    with pytest.raises(WeightsError):
        read(b"".join(pickles) + stored(1.5))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (state(a=b"cos\nsystem\n" + several(text("true")) + b"R"), r"names 'os\.system'"),
        (state(a=b"ctorch._utils\n_rebuild_tensor\n)R"), "_rebuild_tensor'"),
        (state(a=b"ccollections\nOrderedDict\n" + several(text("x")) + b"R"), "calls something other"),
        (state(a=FLOAT + several(number(3)) + b"R"), "calls something other"),
        (state(a=text("f") + b")R"), "calls something other"),
        (state(a=b"(" + text("x") + b"ios\nsystem\n"), "instruction INST"),
        (state(a=number(1)), "other values than tensors"),
        (state(a=storage("7", 1).replace(b"storage", b"modules")), "other than a storage"),
        (state(a=tensor(storage("7", 1, b"ctorch\nOther\n"), (1,), (1,))), r"names 'torch\.Other'"),
        (state(a=tensor(storage("7", 1), (2,), (1,))), "reaches beyond"),
        (state(a=tensor(storage("7", 1), (1,), (1,), offset=1)), "reaches beyond"),
        (state(a=tensor(storage("7", 1), (2**61, 2**61), (2**61, 1))), "reaches beyond"),
        (state(a=tensor(storage("7", 1), (-1,), (1,))), "not valid"),
        (state(a=tensor(storage("7", 4), (2, 2), (2, 2))), "strides"),
        (state(a=tensor(storage("7", 4), (2, 2), (1, 1))), "strides"),
        (state(a=tensor(storage("7", 4), (2, 2), (0, 0))), "strides"),
        (state(a=tensor(storage("7", 4), (4,), (1, 1))), "not valid"),
        (state(a=tensor(storage("7", 1), (1,) * 9, (1,) * 9)), "not valid"),
        (state(a=tensor(storage("7", 1), (1,), (1,)), b=tensor(storage("7", 2), (1,), (1,))), "two descriptions"),
        (state(a=tensor(storage("8", 1), (1,), (1,))), "storages are not those"),
        (b"](" + number(1) + b"u", "values by their names"),
        (DICT + b"(" + b")" + number(1) + b"u", "values by their names"),
        (b"](e)b", "attributes of something other"),
        (number(1) + number(2), "damaged"),
        (b"R", "too few values"),
        (b"h\x05", "damaged"),
        (b"u", "damaged"),
    ],
)  # fmt: skip
def test_anything_but_tensors_is_refused_and_named(named: bytes, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        read(file(named, ("7",), stored(1.5)))


@pytest.mark.parametrize("values", [struct.pack("<q", 2**62), struct.pack("<q", -1), stored(1, 2), stored()])
def test_a_storage_has_as_many_values_as_it_is_described_with(values: bytes) -> None:
    with pytest.raises(WeightsError, match="expected 1"):
        read(file(ONE, ("7",), values))


def test_huge_counts_take_no_memory() -> None:
    for count in (2**40, 2**61):
        named = state(a=tensor(storage("7", count), (count,), (1,)))
        with pytest.raises(WeightsError):
            read(file(named, ("7",), struct.pack("<q", count)))
    with pytest.raises(WeightsError):
        read(b"\x80\x02X\xff\xff\xff\xff")


@pytest.mark.parametrize("nested", [b")" + b"\x85" * 30_000, b"(" * 30_000])
def test_deep_nesting_exhausts_nothing(nested: bytes) -> None:
    assert sys.getrecursionlimit() < 30_000
    for named in (nested, DICT + b"(" + nested + nested + b"u", state(a=nested), nested + nested + b"R", nested + b"Q"):
        with pytest.raises(WeightsError):
            read(file(named, ("7",), stored(1.5)))
    keys = WHOLE.replace(b"](" + text("7"), b"](" + nested + nested)
    with pytest.raises(WeightsError):
        read(keys)


def test_other_formats_are_refused() -> None:
    for content in (
        b"",
        b"PK\x03\x04",
        pickle.dumps(1),
        b"\x89HDF\r\n",
        file(ONE, ("7",), stored(1.5), little=b"\x89"),
    ):
        with pytest.raises(WeightsError):
            read(content)
