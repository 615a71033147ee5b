from concurrent.futures import ThreadPoolExecutor

from toolkit.files.disk.free_space import Room


def test_no_more_than_fits_is_taken_at_once_and_what_is_larger_comes_alone() -> None:
    room, taken, most = Room(10), [], []

    def work(size: int) -> None:
        with room.taken(size):
            taken.append(min(size, 10))
            most.append(sum(taken))
            taken.remove(min(size, 10))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [1, 4, 99, 6, 10, 3, 3, 3, 50] * 30))
    assert len(most) == 270
    assert max(most) <= 10
