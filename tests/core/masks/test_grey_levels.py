import numpy as np

from toolkit.core.masks.grey_levels import background_of, grey_levels, ranges_of


def counts_of(values: np.ndarray) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def scattered(*levels: int) -> np.ndarray:
    """Each level in 4000 pixels, a tenth of them with errors."""
    random = np.random.default_rng(0)
    errors = random.normal(0, 8, (len(levels), 400)).astype(int)
    exact = np.repeat(np.array(levels)[:, None], 3600, axis=1)
    return np.clip(np.concatenate([exact, np.array(levels)[:, None] + errors], axis=1), 0, 255)


def test_levels_are_found_among_errors() -> None:
    assert grey_levels(counts_of(scattered(0, 255))) == (0, 255)
    assert grey_levels(counts_of(scattered(0, 128, 255))) == (0, 128, 255)


def test_evenly_used_values_and_neighbouring_classes_have_no_levels() -> None:
    assert grey_levels(dict.fromkeys(range(256), 10)) == ()
    assert grey_levels({0: 5000, 26: 4000, 33: 1000}) == ()


def test_ranges_meet_half_way_and_cover_all_values() -> None:
    assert ranges_of((0, 255), 255) == ((0, 127), (128, 255))
    assert ranges_of((0, 65535), 65535) == ((0, 32767), (32768, 65535))
    assert ranges_of((0, 128, 255), 255) == ((0, 63), (64, 191), (192, 255))


def test_the_background_fills_the_borders_where_0_does_not() -> None:
    assert background_of((1, 2), {1: 10, 2: 30}, drawn=False) == (2, "none is 0")
    assert background_of((1, 2), {1: 30, 2: 10}, drawn=False) == (1, "")
    assert background_of((0, 128, 255), {255: 400}, drawn=False) == (0, "")
    assert background_of((0, 128, 255), {255: 396, 0: 4}, drawn=True) == (255, "0 hardly any")
    assert background_of((0, 128, 255), {255: 395, 0: 5}, drawn=True) == (0, "")
    assert background_of((0, 128, 255), {255: 200, 128: 200}, drawn=True) == (0, "")
    assert background_of((1, 2), {}, drawn=False) == (1, "")


def test_values_at_the_borders_count_for_the_nearest_level() -> None:
    frame = {255: 300, 250: 96, 7: 4}
    assert background_of((2, 128, 255), frame, drawn=True, levels=True) == (255, "2 hardly any")
    assert background_of((2, 128, 255), frame | {60: 1}, drawn=True, levels=True) == (2, "")
    assert background_of((2, 128, 255), frame, drawn=False, levels=True) == (2, "")
