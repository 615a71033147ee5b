import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import StorageError
from toolkit.files.disk import changes
from toolkit.files.disk.changes import (
    attempt,
    delete,
    delete_folder,
    link,
    make_folder,
    open_end,
    open_new,
    protect,
    rename,
    sync,
)


def test_what_is_done_is_done(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_folder(folder)
    make_folder(folder)
    with open_new(folder / "old") as file:
        file.write(b"first")
        file.write(memoryview(b" second"))
    sync(folder / "old")
    sync(folder)
    rename(folder / "old", folder / "new")
    assert (folder / "new").read_bytes() == b"first second"
    with open_new(folder / "new") as file:
        file.write(b"x")
    assert (folder / "new").read_bytes() == b"x"
    delete(folder / "new")
    delete(folder / "new")
    assert list(folder.iterdir()) == []
    delete_folder(tmp_path / "a")
    delete_folder(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_files_that_grow_and_files_with_two_names(tmp_path: Path) -> None:
    for text in (b"first", b" second"):
        with open_end(tmp_path / "a") as file:
            file.write(text)
    assert link(tmp_path / "a", tmp_path / "b")
    protect(tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"first second"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o444
    delete(tmp_path / "a")
    assert (tmp_path / "b").exists()


@pytest.mark.parametrize(("number", "refused"), [(errno.EXDEV, False), (errno.EPERM, False), (errno.ENOSPC, True)])
def test_file_systems_without_second_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, refused: bool
) -> None:
    def no_link(path: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", no_link)
    if refused:
        with pytest.raises(StorageError, match=r"cannot write .*b: No space"):
            link(tmp_path / "a", tmp_path / "b")
    else:
        assert not link(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: make_folder(root / "file" / "below"), "cannot make the folder .*below: .*file is a file"),
        (lambda root: open_new(root / "missing" / "a"), "cannot write .*a: No such file"),
        (lambda root: open_new(root / "missing" / ".1.a", root / "a"), "cannot write [^.]*a: No such file"),
        (lambda root: sync(root / "missing"), "cannot write .*missing: No such file"),
        (lambda root: rename(root / "missing", root / "b"), "cannot rename .*missing: No such file"),
        (lambda root: rename(root / "missing", root / "b", root / "b"), "cannot write .*b: No such file"),
        (lambda root: link(root / "missing", root / "b"), "cannot write .*b: No such file"),
        (lambda root: protect(root / "missing"), "cannot write .*missing: No such file"),
        (lambda root: open_end(root / "missing" / "a"), "cannot write .*a: No such file"),
        (lambda root: delete(root / "folder"), "cannot delete .*folder: "),
    ],
)
def test_a_failure_is_a_sentence(tmp_path: Path, change: Callable[[Path], Any], said: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match=said) as caught:
        change(tmp_path)
    assert caught.value.advice in ("Free some space or check the permissions.", "Rename or delete that file.")


def test_a_disk_that_is_full_while_a_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(what: str, change: Callable[[], Any]) -> Any:
        if file.raw.tell() >= 1 << 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return change()

    file = open_new(tmp_path / "a")
    monkeypatch.setattr(changes, "perform", full)
    file.write(bytes(1 << 20))
    with pytest.raises(StorageError, match=r"cannot write .*a: No space left on device"):
        file.write(bytes(1 << 20))
    monkeypatch.undo()
    file.close()


def test_errors_of_other_kinds_are_not_about_the_disk(tmp_path: Path) -> None:
    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        attempt("write", tmp_path, fails)
