import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.cluster.transfer.packs import Pack, digests_of, packs
from toolkit.errors import ChangedError, StorageError
from toolkit.messages import Silent


def sources(folder: Path, contents: list[bytes]) -> dict[str, Path]:
    found = {}
    for number, content in enumerate(contents):
        path = folder / str(number)
        path.write_bytes(content)
        found[hashlib.sha256(content).hexdigest()] = path
    return found


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 50))
def test_all_arrives_in_packs_that_are_not_too_large(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], at_most: int
) -> None:
    files = sources(tmp_path_factory.mktemp("packs"), contents)
    found: dict[str, bytes] = {}
    for pack in packs(files, at_most):
        assert 0 <= len(pack.content) <= at_most
        assert pack.pieces
        for piece, part in pack.parts():
            assert len(found.get(piece.digest, b"")) == piece.offset
            found[piece.digest] = found.get(piece.digest, b"") + bytes(part)
            assert len(found[piece.digest]) <= piece.size
    assert {hashlib.sha256(content).hexdigest(): content for content in found.values()} == found
    assert found.keys() == files.keys()


def test_small_files_share_a_pack(tmp_path: Path) -> None:
    files = sources(tmp_path, [b"a" * 30, b"b" * 30, b"c" * 30, b"", b"d" * 250])
    assert [[piece.length for piece in pack.pieces] for pack in packs(files, 100)] == [
        [30, 30, 30, 0],
        [100],
        [100],
        [50],
    ]


def test_a_file_that_has_changed_is_not_sent(tmp_path: Path) -> None:
    files = sources(tmp_path, [b"a" * 30])
    (tmp_path / "0").write_bytes(b"b" * 30)
    with pytest.raises(ChangedError, match="0 has changed"):
        list(packs(files))
    (tmp_path / "0").write_bytes(b"a" * 29)
    with pytest.raises(ChangedError, match="0 has changed"):
        list(packs(files, 7))


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: b"x" + content[1:]])
def test_damage_on_the_way_is_seen(tmp_path: Path, damage) -> None:
    (pack,) = packs(sources(tmp_path, [b"a" * 30, b"b" * 9]))
    assert len(list(pack.parts())) == 2
    with pytest.raises(StorageError, match="arrived damaged"):
        list(replace(pack, content=damage(pack.content)).parts())
    assert isinstance(pack, Pack)


def test_digests_of_files_under_several_names(tmp_path: Path) -> None:
    files = sources(tmp_path, [b"a", b"b"])
    named = {f"{name} {digest}": path for name in ("x", "y") for digest, path in files.items()}
    assert digests_of(named, Silent(), "reading") == {key: key.partition(" ")[2] for key in named}
