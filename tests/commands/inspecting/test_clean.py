from pathlib import Path

from toolkit.commands.inspecting.clean import clean
from toolkit.commands.session import Session
from toolkit.files.experiment.workspace import Workspace


def filled(root: Path) -> Session:
    session = Session(Workspace(root))
    folder = session.workspace.cache
    folder.make()
    folder.rows("one").write_bytes(bytes(3 << 20))
    (folder.path / ".12.34567890.two.rows").write_bytes(bytes(1 << 20))
    folder.facts("one").write_text("{}")
    return session


def test_it_says_what_is_kept_and_removes_nothing(tmp_path: Path) -> None:
    session = filled(tmp_path)
    result = clean(session)
    assert result.size == (4 << 20) + 2
    (table,) = result.tables()
    assert ("one.rows", "decoded images", "3 MiB") in table.rows
    assert (".12.34567890.two.rows", "decoded images, unfinished", "1 MiB") in table.rows
    assert result.next_steps()[0].startswith("to remove: 3 files, 4 MiB")
    assert session.workspace.cache.rows("one").is_file()


def test_it_removes_the_folder(tmp_path: Path) -> None:
    session = filled(tmp_path)
    result = clean(session, remove=True)
    assert result.removed
    assert result.next_steps()[0].startswith("removed: 3 files")
    assert not session.workspace.cache.path.exists()


def test_what_is_not_kept_by_the_toolkit_stays(tmp_path: Path) -> None:
    session = filled(tmp_path)
    mine = session.workspace.cache.path / "folder" / "mine.txt"
    mine.parent.mkdir()
    mine.touch()
    beside = session.workspace.cache.path / "embeddings.npy"
    beside.touch()
    clean(session, remove=True)
    assert mine.is_file()
    assert beside.is_file()
    assert (session.workspace.cache.path / ".gitignore").is_file()


def test_without_anything_kept_it_says_so(tmp_path: Path) -> None:
    result = clean(Session(Workspace(tmp_path)), remove=True)
    assert not result.removed
    assert result.tables() == []
    assert result.next_steps() == [f"nothing is kept in {tmp_path / 'cache'}"]
