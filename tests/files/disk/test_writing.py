import errno
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from toolkit.errors import StorageError
from toolkit.files.disk.writing import new_folder, new_path, replacing, write_text


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def stopped_while_replacing(path: Path) -> None:
    with replacing(path) as file:
        file.write(b"half")
        raise ZeroDivisionError


def stopped_while_writing_to_a_new_path(path: Path) -> None:
    with new_path(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert names_in(tmp_path) == ["a.txt"]


def test_missing_folders_are_created(tmp_path: Path) -> None:
    write_text(tmp_path / "deep" / "down" / "a.txt", "new")
    assert (tmp_path / "deep" / "down" / "a.txt").read_text() == "new"


def test_text_is_utf8_with_the_newlines_it_has(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "é\n×\r\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n\xc3\x97\r\n"


def test_the_old_file_is_read_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("there_before", [True, False])
def test_a_block_that_fails_changes_nothing(tmp_path: Path, there_before: bool) -> None:
    path = tmp_path / "a.txt"
    if there_before:
        path.write_text("old")
    before = names_in(tmp_path)
    for writer in (stopped_while_replacing, stopped_while_writing_to_a_new_path):
        with pytest.raises(ZeroDivisionError):
            writer(path)
    assert names_in(tmp_path) == before
    assert not there_before or path.read_text() == "old"


def test_a_new_path_keeps_the_extensions_of_the_name(tmp_path: Path) -> None:
    with new_path(tmp_path / "best.weights.h5") as temporary:
        assert temporary.name.endswith(".best.weights.h5")
        temporary.write_text("x")
    assert names_in(tmp_path) == ["best.weights.h5"]


def test_a_full_disk_is_reported_and_the_old_file_stays(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with full_disk(), pytest.raises(StorageError) as told:
        write_text(path, "x" * 1000)
    assert str(path) in told.value.message
    assert told.value.advice
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_late_is_reported_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a.txt"
    path.write_text("old")
    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(StorageError, match="No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a.txt"]


def test_a_file_in_place_of_a_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError, match="taken"):
        write_text(tmp_path / "taken" / "deep" / "a.txt", "new")


def test_a_new_folder_replaces_an_older_one_when_it_is_complete(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "old").touch()
    left = tmp_path / ".7.01234567.made"  # by a killed process
    left.mkdir()
    with new_folder(tmp_path / "made") as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a").write_text("new")
        assert names_in(tmp_path / "made") == ["old"]
    assert names_in(tmp_path) == ["made"]
    assert (tmp_path / "made" / "inner" / "a").read_text() == "new"


def test_a_new_folder_that_is_not_completed_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "old").touch()

    def stopped() -> None:
        with new_folder(tmp_path / "made") as folder:
            (folder / "a").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stopped()
    assert names_in(tmp_path) == ["made"]
    assert names_in(tmp_path / "made") == ["old"]
