from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from toolkit.files.images.recently_decoded import RecentlyDecoded


class Reads:
    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str, size: int = 10) -> np.ndarray:
        self.names.append(name)
        return np.full(size, ord(name[0]), np.uint8)


def test_an_array_in_the_cache_is_not_read_again() -> None:
    cache, reads = RecentlyDecoded(25), Reads()
    for name in "aabbab":
        assert cache.get(name, lambda name=name: reads(name))[0] == ord(name)
    assert reads.names == ["a", "b"]


def test_the_oldest_array_is_dropped_first_and_the_newest_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.files.images.recently_decoded._SHARE_OF_DISK", 0.0)
    cache, reads = RecentlyDecoded(25), Reads()
    for name in "abacb":  # c replaces b, which was requested less recently than a
        cache.get(name, lambda name=name: reads(name))
    assert reads.names == ["a", "b", "c", "b"]
    for _ in range(2):
        cache.get("large", lambda: reads("large", 1000))
    assert reads.names[4:] == ["large"]


def test_threads_that_ask_for_the_same_array_read_it_once() -> None:
    cache, reads = RecentlyDecoded(), Reads()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: cache.get("a", lambda: reads("a", 10**6)), range(50)))
    assert reads.names == ["a"]
    assert all(array is found[0] for array in found)


def test_arrays_are_read_only() -> None:
    array = RecentlyDecoded().get("a", lambda: np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_an_array_that_could_not_be_read_is_read_again() -> None:
    def fail() -> np.ndarray:
        raise OSError("no")

    cache = RecentlyDecoded()
    with pytest.raises(OSError, match="no"):
        cache.get("a", fail)
    assert cache.get("a", lambda: np.ones(1, np.uint8)) == 1


def test_large_arrays_are_kept_on_disk_and_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cache, reads = RecentlyDecoded(80), Reads()
    for name in "abcabc":
        assert cache.get(name, lambda name=name: reads(name, 1000)).tolist() == [ord(name)] * 1000
    assert reads.names == ["a", "b", "c"]
    monkeypatch.setattr("toolkit.files.images.recently_decoded._SHARE_OF_DISK", 0.0)
    for name in "dede":  # in memory, where the last one replaces all others
        cache.get(name, lambda name=name: reads(name, 1000))
    assert reads.names[3:] == ["d", "e", "d", "e"]
