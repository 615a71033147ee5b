from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from toolkit.files.images.recently_decoded import RecentArrays


class Reads:
    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str, size: int = 10) -> np.ndarray:
        self.names.append(name)
        return np.full(size, ord(name[0]), np.uint8)


def test_what_was_read_last_is_not_read_again() -> None:
    recent, reads = RecentArrays(25), Reads()
    for name in "aabbab":
        assert recent.get(name, lambda name=name: reads(name))[0] == ord(name)
    assert reads.names == ["a", "b"]


def test_the_oldest_is_forgotten_first_and_the_newest_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.files.images.recently_decoded._SHARE_OF_DISK", 0.0)
    recent, reads = RecentArrays(25), Reads()
    for name in "abacb":  # c takes the place of b, which was not asked for as lately as a
        recent.get(name, lambda name=name: reads(name))
    assert reads.names == ["a", "b", "c", "b"]
    for _ in range(2):
        recent.get("large", lambda: reads("large", 1000))
    assert reads.names[4:] == ["large"]


def test_threads_that_want_the_same_share_one_reading() -> None:
    recent, reads = RecentArrays(), Reads()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: recent.get("a", lambda: reads("a", 10**6)), range(50)))
    assert reads.names == ["a"]
    assert all(array is found[0] for array in found)


def test_nobody_can_write_into_what_others_get() -> None:
    array = RecentArrays().get("a", lambda: np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_what_could_not_be_read_is_tried_again() -> None:
    def fail() -> np.ndarray:
        raise OSError("no")

    recent = RecentArrays()
    with pytest.raises(OSError, match="no"):
        recent.get("a", fail)
    assert recent.get("a", lambda: np.ones(1, np.uint8)) == 1


def test_large_arrays_lie_on_disk_and_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    recent, reads = RecentArrays(80), Reads()
    for name in "abcabc":
        assert recent.get(name, lambda name=name: reads(name, 1000)).tolist() == [ord(name)] * 1000
    assert reads.names == ["a", "b", "c"]
    monkeypatch.setattr("toolkit.files.images.recently_decoded._SHARE_OF_DISK", 0.0)
    for name in "dede":  # in memory, where the last one takes the place of all others
        recent.get(name, lambda name=name: reads(name, 1000))
    assert reads.names[3:] == ["d", "e", "d", "e"]
