import os
import threading
from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import DataError, StorageError
from toolkit.files.disk.flat_rows import Bytes, Rows, write_rows
from toolkit.messages import Silent

CONTENTS = (b"salt", b"", b"x" * 1000)
SIZES = [len(content) for content in CONTENTS]
NAME = "0" * 32


def row_of(content: bytes) -> Bytes:
    return np.frombuffer(content, np.uint8)


def written(folder: Path) -> Path:
    path = folder / "cache" / "one.rows"
    write_rows(path, NAME, SIZES, lambda row: row_of(CONTENTS[row]), progress=Silent(), title="")
    return path


def contents(rows: Rows) -> list[bytes | None]:
    return [None if found is None else found.tobytes() for found in map(rows.read, range(len(rows.sizes)))]


def test_what_is_written_is_read_whole_and_in_part(tmp_path: Path) -> None:
    rows = Rows.on_disk(written(tmp_path), NAME, SIZES)
    assert rows is not None
    assert contents(rows) == list(CONTENTS)
    part = rows.read(0, 1, 2)
    assert part is not None
    assert part.tobytes() == b"al"
    assert rows.total == written(tmp_path).stat().st_size


def test_a_file_of_another_name_or_length_is_not_opened(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert Rows.on_disk(path, "1" * 32, SIZES) is None
    assert Rows.on_disk(path, NAME, [4, 0, 999]) is None
    assert Rows.on_disk(tmp_path / "missing.rows", NAME, SIZES) is None
    path.write_bytes(path.read_bytes()[:-1])
    assert Rows.on_disk(path, NAME, SIZES) is None


@pytest.mark.parametrize("place", [-1, -999, -1001])
def test_a_damaged_row_is_no_row_and_the_others_are(tmp_path: Path, place: int) -> None:
    path = written(tmp_path)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    rows = Rows.on_disk(path, NAME, SIZES)
    assert rows is not None
    assert contents(rows) == [b"salt", b"", None]


def test_rows_in_memory_appear_when_they_are_written() -> None:
    rows = Rows.in_memory(SIZES)
    assert contents(rows) == [None, None, None]
    rows.write(2, row_of(CONTENTS[2]))
    other = Rows(os.dup(rows.descriptor), SIZES, writable=False)  # as another process sees them
    assert contents(other) == [None, None, CONTENTS[2]]


def test_a_row_that_is_only_half_written_is_no_row() -> None:
    rows = Rows.in_memory(SIZES)
    rows.write(2, row_of(CONTENTS[2]))
    os.pwrite(rows.descriptor, b"yy", rows.total - 2)
    assert rows.read(2) is None


@pytest.mark.parametrize("count", [3, 20])
def test_content_of_another_size_is_refused_and_the_next_row_stays(count: int) -> None:
    rows = Rows.in_memory([4, 4])
    rows.write(1, row_of(b"next"))
    with pytest.raises(DataError, match=f"{count} bytes instead of 4: the image has changed") as caught:
        rows.write(0, row_of(bytes(count)))
    assert "Run the command again" in caught.value.advice
    assert contents(rows) == [None, b"next"]


def test_a_file_with_content_of_another_size_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has changed since it was checked"):
        write_rows(tmp_path / "one.rows", NAME, SIZES, lambda _: row_of(bytes(20)), progress=Silent(), title="")
    assert not list(tmp_path.iterdir())


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    def fail(row: int) -> Bytes:
        raise OSError("no space left")

    with pytest.raises(StorageError):
        write_rows(tmp_path / "one.rows", NAME, SIZES, fail, progress=Silent(), title="")
    assert not list(tmp_path.iterdir())


def test_two_writers_at_once_do_no_harm(tmp_path: Path) -> None:
    paths = []
    both = [threading.Thread(target=lambda: paths.append(written(tmp_path))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    rows = Rows.on_disk(tmp_path / "cache" / "one.rows", NAME, SIZES)
    assert rows is not None
    assert contents(rows) == list(CONTENTS)


def test_a_closed_file_of_rows_frees_its_descriptor(tmp_path: Path) -> None:
    rows = Rows.on_disk(written(tmp_path), NAME, SIZES)
    assert rows is not None
    descriptor = rows.descriptor
    del rows
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(descriptor)
