import os
from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import StorageError
from toolkit.files.disk import cache_folder
from toolkit.files.disk.cache_folder import CacheFolder


def filled(tmp_path: Path) -> CacheFolder:
    """Three files of 100 bytes, `b` the least recently used."""
    folder = CacheFolder(tmp_path / "cache")
    folder.make()
    for age, name in enumerate("acb"):
        folder.rows(name).write_bytes(bytes(100))
        os.utime(folder.rows(name), (1000 - age, 1000 - age))
    return folder


def names(folder: CacheFolder) -> set[str]:
    return {path.stem for path in folder.files() if path.suffix == ".rows"}


def test_the_least_recently_used_make_room(tmp_path: Path) -> None:
    folder = filled(tmp_path)
    assert folder.make_room(100, at_most=300)
    assert names(folder) == {"a", "c"}
    assert folder.make_room(100, at_most=300)
    assert names(folder) == {"a", "c"}


def test_a_file_that_can_never_fit_makes_no_room(tmp_path: Path) -> None:
    folder = filled(tmp_path)
    assert not folder.make_room(301, at_most=300)
    assert not folder.make_room(1 << 60)
    assert names(folder) == {"a", "b", "c"}


def test_unfinished_files_of_killed_processes_are_deleted_and_fresh_ones_are_not(tmp_path: Path) -> None:
    folder = filled(tmp_path)
    old, fresh = (folder.path / f".123.0a1b2c3d.{name}.rows" for name in ("old", "fresh"))
    old.touch()
    os.utime(old, (1000, 1000))
    fresh.touch()
    folder.make_room(1)
    assert not old.exists()
    assert fresh.exists()


def test_the_folder_keeps_itself_out_of_git(tmp_path: Path) -> None:
    assert (filled(tmp_path).path / ".gitignore").read_text() == "*\n"


def test_without_a_folder_there_are_no_files(tmp_path: Path) -> None:
    assert CacheFolder(tmp_path / "cache").files() == []


@pytest.mark.parametrize(("free", "left"), [(200, "acb"), (100, "ac"), (0, "a"), (-50, "")])
def test_files_make_room_until_a_new_one_takes_half_of_what_is_free(
    free: int, left: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_folder, "free_disk", lambda _: free)
    folder = filled(tmp_path)
    assert folder.make_room(100)
    assert names(folder) == set(left)


def test_a_file_that_takes_too_much_even_of_an_empty_folder_makes_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_folder, "free_disk", lambda _: 0)
    folder = filled(tmp_path)
    assert not folder.make_room(151)
    assert names(folder) == {"a", "b", "c"}


def test_files_that_another_process_deletes_meanwhile_are_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = filled(tmp_path)
    deleted = folder.rows("b")
    look = Path.stat

    def late(path: Path, **options: Any) -> os.stat_result:
        if path == deleted:
            deleted.unlink(missing_ok=True)
        return look(path, **options)

    monkeypatch.setattr(Path, "stat", late)
    assert names(folder) == {"a", "c"}
    assert folder.sizes()[folder.rows("a")] == 100
    assert folder.make_room(100, at_most=300)
    assert names(folder) == {"a", "c"}


@pytest.mark.parametrize("name", ["b.rows", ".123.0a1b2c3d.old.rows"])
def test_a_file_that_cannot_be_deleted_is_reported(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filled(tmp_path)
    path = folder.path / name
    path.touch()
    os.utime(path, (900, 900))

    def refused(path: Path, **options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(StorageError, match=r"cannot delete .*Permission denied"):
        folder.make_room(100, at_most=100)
