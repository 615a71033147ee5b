import hashlib
import multiprocessing
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from toolkit.cluster.transfer import node_files
from toolkit.cluster.transfer.node_files import NodeFiles
from toolkit.cluster.transfer.packs import packs
from toolkit.errors import MissingFileError, StorageError
from toolkit.files.disk import changes
from toolkit.files.disk.writing import write_text


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def fill(node: NodeFiles, folder: Path, *texts: str, at_most: int = 1000) -> None:
    folder.mkdir(exist_ok=True)
    sources = {}
    for text in texts:
        sources[digest(text)] = folder / digest(text)
        sources[digest(text)].write_text(text)
    for pack in packs(sources, at_most):
        node.store(pack)


def below(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def node(tmp_path: Path) -> NodeFiles:
    return NodeFiles(tmp_path / "node")


@pytest.mark.parametrize("at_most", [1000, 7])
def test_files_arrive_once_and_are_laid_out(node: NodeFiles, tmp_path: Path, at_most: int) -> None:
    texts = ["one", "", "a long text in pieces"]
    wanted = [digest(text) for text in [*texts, "one"]]
    assert node.missing(wanted) == wanted[:3]
    fill(node, tmp_path / "user", *texts, at_most=at_most)
    assert node.missing([*wanted, digest("other")]) == [digest("other")]
    root = tmp_path / "root"
    node.lay_out({"a/b.txt": digest(texts[0]), "a/c.txt": digest(texts[2]), "d": digest("")}, root)
    assert below(root) == {"a/b.txt": texts[0], "a/c.txt": texts[2], "d": ""}
    assert (root / "d").stat().st_nlink == 2
    assert not (root / "d").stat().st_mode & 0o222


def test_what_is_right_is_not_touched_and_what_is_wrong_is_replaced(node: NodeFiles, tmp_path: Path) -> None:
    fill(node, tmp_path / "user", "one", "two")
    files, root = {"data/a": digest("one"), "data/b": digest("two")}, tmp_path / "root"
    node.lay_out(files, root)
    before = (root / "data" / "a").stat()
    write_text(root / "data" / "b", "changed by a run")
    node.lay_out(files, root)
    assert (root / "data" / "a").stat() == before  # its times too: what is remembered of it stays true
    assert below(root) == {"data/a": "one", "data/b": "two"}
    assert node.path_of(digest("two")).read_text() == "two"


def test_a_run_that_replaces_files_does_not_change_the_kept_ones(node: NodeFiles, tmp_path: Path) -> None:
    fill(node, tmp_path / "user", "state")
    node.lay_out({"state.json": digest("state")}, tmp_path / "root")
    write_text(tmp_path / "root" / "state.json", "new state")
    assert node.path_of(digest("state")).read_text() == "state"


def test_folders_hold_nothing_from_earlier(node: NodeFiles, tmp_path: Path) -> None:
    fill(node, tmp_path / "user", "one", "two")
    root = tmp_path / "root"
    old = {
        name: digest("one") for name in ("exp/fold0/a", "exp/fold1/a", "exp/b", "exp/c/d", "data/x", "data/.cache/y")
    }
    node.lay_out(old, root)
    (root / "exp" / "link").symlink_to(tmp_path)
    node.lay_out({"exp/fold0/a": digest("two"), "exp/b/e": digest("two"), "exp/c": digest("one")}, root, ["exp"])
    files = {"exp/fold0/a": "two", "exp/b/e": "two", "exp/c": "one", "data/x": "one", "data/.cache/y": "one"}
    assert below(root) == files
    assert not (root / "exp" / "link").is_symlink()
    assert (tmp_path / "user").is_dir()
    node.lay_out({}, root, ["data", "nowhere"])
    assert below(root / "data") == {".cache/y": "one"}


@pytest.mark.parametrize("target", ["../a", "/a", "a/../../b"])
def test_nothing_leaves_the_root(node: NodeFiles, tmp_path: Path, target: str) -> None:
    fill(node, tmp_path / "user", "one")
    with pytest.raises(StorageError, match="is no path below"):
        node.lay_out({"good": digest("one"), target: digest("one")}, tmp_path / "root")
    assert not (tmp_path / "root").exists()
    with pytest.raises(StorageError, match="is no path below"):
        node.lay_out({}, tmp_path / "root", [target])


def test_links_do_not_lead_out(node: NodeFiles, tmp_path: Path) -> None:
    fill(node, tmp_path / "user", "one")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "out").symlink_to(tmp_path / "user")
    for files, folders in (({"out/a": digest("one")}, []), ({}, ["out"])):
        with pytest.raises(StorageError, match="out is a link"):
            node.lay_out(files, tmp_path / "root", folders)
    assert below(tmp_path / "user") == {digest("one"): "one"}


def test_copies_where_there_are_no_links(node: NodeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(source: Any, target: Any) -> None:
        raise OSError(18, "another disk")

    monkeypatch.setattr(changes.os, "link", no_link)
    fill(node, tmp_path / "user", "one", "two")
    files, root = {"a": digest("one"), "b": digest("two")}, tmp_path / "root"
    node.lay_out(files, root)
    assert below(root) == {"a": "one", "b": "two"}
    before = (root / "a").stat()
    write_text(root / "b", "TWO")
    node.lay_out(files, root)
    assert (root / "a").stat().st_ino == before.st_ino
    assert below(root) == {"a": "one", "b": "two"}


def test_errors_say_what_is_wrong(node: NodeFiles, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"1 files to lay out in .*root are not in .*node"):
        node.lay_out({"a": digest("one")}, tmp_path / "root")
    for wrong in ("../../etc/passwd", "", "A" * 64):
        with pytest.raises(StorageError, match="is no digest"):
            node.missing([wrong])


def test_pieces_out_of_turn_and_of_other_files(node: NodeFiles, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("a text in pieces")
    first, second, *_ = packs({digest("a text in pieces"): path}, 6)
    with pytest.raises(StorageError, match="out of turn"):
        node.store(second)
    node.store(first)
    node.store(first)  # sent again
    with pytest.raises(StorageError, match="out of turn"):
        NodeFiles(tmp_path / "node").store(second)  # of another process
    node.store(second)
    assert node.missing([digest("a text in pieces")])
    assert not [one for one in (tmp_path / "node" / "blobs").iterdir() if not one.name.startswith(".")]


@pytest.mark.parametrize("at_most", [6, 1000])
def test_a_name_that_is_not_that_of_the_content(node: NodeFiles, tmp_path: Path, at_most: int) -> None:
    path = tmp_path / "file"
    path.write_text("some content")
    for pack in packs({digest("some content"): path}, at_most):
        lying = [type(one)(digest("other"), one.size, one.offset, one.length, one.sum) for one in pack.pieces]
        wrong = type(pack)(tuple(lying), pack.content)
        if pack.pieces[-1].offset + pack.pieces[-1].length == 12:
            with pytest.raises(StorageError, match="another content"):
                node.store(wrong)
        else:
            node.store(wrong)
    assert below(tmp_path / "node" / "blobs") == {}


def used_at(times: Mapping[str, float]) -> Callable[[os.stat_result], float]:
    sizes = {len(text): time for text, time in times.items()}
    return lambda found: sizes[found.st_size]


def test_the_least_recently_used_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = NodeFiles(tmp_path / "node", 60)
    texts = {"a" * 20: 2.0, "b" * 19: 1.0, "c" * 18: 3.0, "d" * 17: 9.0, "e" * 50: 9.0, "f" * 70: 9.0}
    monkeypatch.setattr(node_files, "last_used", used_at(texts))
    a, b, c, d, e, f = texts
    fill(node, tmp_path / "user", a, b, c)
    fill(node, tmp_path / "user", d)
    assert node.missing(map(digest, (a, b, c, d))) == [digest(b)]
    with node.holding([digest(a), digest(c)]):
        fill(NodeFiles(tmp_path / "node", 60), tmp_path / "user", e)  # another process
        assert node.missing(map(digest, (a, c, d, e))) == [digest(d)]
    fill(NodeFiles(tmp_path / "node", 60), tmp_path / "user", f)  # larger than all that may be kept, but needed
    assert node.missing(map(digest, texts)) == list(map(digest, (a, b, c, d, e)))


def test_use_is_reading_or_laying_out(node: NodeFiles, tmp_path: Path) -> None:
    fill(node, tmp_path / "user", "one")
    path = node.path_of(digest("one"))
    long_ago = 1e9
    os.utime(path, (long_ago, long_ago))
    assert node_files.last_used(path.stat()) > long_ago  # its inode has just changed
    os.utime(path, (4e9, long_ago))
    assert node_files.last_used(path.stat()) == 4e9


def test_what_killed_processes_left_is_deleted(node: NodeFiles, tmp_path: Path) -> None:
    fill(node, tmp_path / "user", "one")
    blobs = tmp_path / "node" / "blobs"
    old, new = blobs / f".1.0123abcd.{digest('x')}", blobs / f".2.0123abcd.{digest('x')}"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (1e9, 1e9))
    fill(NodeFiles(tmp_path / "node"), tmp_path / "user", "two")
    assert not old.exists()
    assert new.exists()


def test_files_come_from_another_place(node: NodeFiles, tmp_path: Path) -> None:
    asked = []

    class Place:
        def get(self, wanted: str, to: Path) -> None:
            asked.append(wanted)
            if wanted == digest("gone"):
                raise MissingFileError("it is gone")
            to.write_text("one")

    node.fetch(Place(), [digest("one"), digest("one")])
    node.fetch(Place(), [digest("one")])
    assert asked == [digest("one")]
    with pytest.raises(MissingFileError):
        node.fetch(Place(), [digest("gone")])
    assert node.missing([digest("one"), digest("gone")]) == [digest("gone")]


def work(folder: Path, user: Path, root: Path, texts: list[str]) -> None:
    node = NodeFiles(folder, 40)
    digests = list(map(digest, texts))
    with node.holding(digests):
        with node.filling():
            for pack in packs({one: user / one for one in node.missing(digests)}, 15):
                node.store(pack)
        node.lay_out({f"file{number}": one for number, one in enumerate(digests)}, root)


def test_two_processes_at_once(tmp_path: Path) -> None:
    texts = [f"{number} is the content" for number in range(12)]
    fill(NodeFiles(tmp_path / "elsewhere"), tmp_path / "user", *texts)
    context = multiprocessing.get_context("fork")
    tasks = [
        context.Process(
            target=work, args=(tmp_path / "node", tmp_path / "user", tmp_path / f"root{n}", texts[n : n + 9])
        )
        for n in range(3)
    ]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join(60)
    assert [task.exitcode for task in tasks] == [0, 0, 0]
    for number in range(3):
        assert below(tmp_path / f"root{number}") == {f"file{n}": texts[number + n] for n in range(9)}
