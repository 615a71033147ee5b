from pathlib import Path

import numpy as np
import pytest

from toolkit.config.training.execution import Cache
from toolkit.errors import DataError
from toolkit.files.datasets import keeping
from toolkit.files.datasets.keeping import keep, size_text
from toolkit.files.datasets.kept_pairs import KeptPairs, Layout, Pair
from toolkit.files.disk.cache_folder import CacheFolder
from toolkit.messages import Silent

LAYOUT = Layout("settings", 1, {str(number): (8, 8) for number in range(20)})


class Told(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)

    def warn(self, message: str) -> None:
        self.lines.append(f"warning: {message}")


def make(content: str) -> Pair:
    return np.full((8, 8, 1), int(content), np.uint8), np.zeros((8, 8), np.uint8)


def unchanged(content: str) -> None:
    pass


def kept(folder: Path, cache: Cache, told: Told | None = None) -> KeptPairs | None:
    return keep(cache, LAYOUT, CacheFolder(folder / "cache"), make, unchanged, progress=told or Told())


def never() -> Pair:
    raise AssertionError("decoded again")


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "free_memory", lambda: LAYOUT.total)


def decoding_is(slow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_is_slow", lambda *_: slow)


def test_off_keeps_nothing_and_says_nothing(tmp_path: Path) -> None:
    told = Told()
    assert kept(tmp_path, "off", told) is None
    assert not told.lines
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("cache", ["auto", "memory"])
def test_what_fits_is_kept_in_memory(tmp_path: Path, cache: Cache) -> None:
    told = Told()
    found = kept(tmp_path, cache, told)
    assert found is not None
    assert found.is_in_memory
    assert len(told.lines) == 1
    assert "in memory" in told.lines[0]
    assert not (tmp_path / "cache").exists()


def test_on_disk_it_is_made_once_for_all_runs(tmp_path: Path) -> None:
    assert kept(tmp_path, "disk") is not None
    again = kept(tmp_path, "disk")
    assert again is not None
    assert not again.is_in_memory
    for content in LAYOUT.sizes:
        np.testing.assert_array_equal(again.pair(content, never)[0], make(content)[0])


@pytest.mark.usefixtures("little_memory")
def test_auto_takes_the_disk_for_slow_files_that_do_not_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    decoding_is(False, monkeypatch)
    assert kept(tmp_path, "auto", told) is None
    decoding_is(True, monkeypatch)
    found = kept(tmp_path, "auto", told)
    assert found is not None
    assert not found.is_in_memory
    assert len(told.lines) == 2


def test_auto_takes_the_file_of_an_earlier_run(tmp_path: Path) -> None:
    kept(tmp_path, "disk")
    found = kept(tmp_path, "auto")
    assert found is not None
    assert not found.is_in_memory


@pytest.mark.usefixtures("little_memory")
def test_memory_that_does_not_suffice_is_reported(tmp_path: Path) -> None:
    told = Told()
    assert kept(tmp_path, "memory", told) is None
    assert told.lines == [
        "warning: cache: memory: decoded images are not kept: they would take 2 KiB, and 1 KiB may be used"
    ]


def test_memory_that_others_will_take_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "free_memory", lambda: 4 * LAYOUT.total)
    folder = CacheFolder(tmp_path / "cache")
    assert keep("memory", LAYOUT, folder, make, unchanged, progress=Silent()) is not None
    assert keep("memory", LAYOUT, folder, make, unchanged, progress=Silent(), reserved=LAYOUT.total) is None


def test_a_disk_without_room_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    monkeypatch.setattr(CacheFolder, "make_room", lambda *_: False)
    assert kept(tmp_path, "disk", told) is None
    assert "more than" in told.lines[0]


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    told = Told()
    assert kept(tmp_path, "disk", told) is None
    assert told.lines[0].startswith("warning: cache: decoded images are not kept: cannot make the folder")


def test_what_has_changed_since_the_check_is_not_kept_for_later_runs(tmp_path: Path) -> None:
    def changed(content: str) -> None:
        if content == "7":
            raise DataError("7: the image has changed")

    folder = CacheFolder(tmp_path / "cache")
    with pytest.raises(DataError, match="7: the image has changed"):
        keep("disk", LAYOUT, folder, make, changed, progress=Silent())
    assert [path.name for path in folder.files()] == []


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    assert kept(tmp_path, "disk") is not None
    path = CacheFolder(tmp_path / "cache").rows(LAYOUT.name)
    good = path.read_bytes()
    path.write_bytes(good[:100])
    kept(tmp_path, "disk")
    assert path.read_bytes() == good
    path.write_bytes(good[:-1] + b"?")
    found = kept(tmp_path, "disk")
    assert found is not None
    np.testing.assert_array_equal(found.pair("19", lambda: make("19"))[1], np.zeros((8, 8)))
    assert path.read_bytes() == good


@pytest.mark.parametrize(("size", "text"), [(300, "0 KiB"), (5 << 20, "5 MiB"), (3 << 29, "1.5 GiB")])
def test_sizes_have_a_unit(size: int, text: str) -> None:
    assert size_text(size) == text
