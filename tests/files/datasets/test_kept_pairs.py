import os

import numpy as np
import pytest

from toolkit.core.images.windows import Window
from toolkit.files.datasets.kept_pairs import KeptPairs, Layout, Pair, as_row
from toolkit.files.disk.flat_rows import Rows

IMAGE = np.arange(4 * 5 * 2, dtype=np.uint8).reshape(4, 5, 2)
LABELS = np.arange(100, 120, dtype=np.uint8).reshape(4, 5)
LAYOUT = Layout("settings", 2, {"other": (1, 1), "this": (4, 5)})


class Source:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> Pair:
        self.made += 1
        return IMAGE.copy(), LABELS.copy()


@pytest.fixture
def kept() -> KeptPairs:
    return KeptPairs(LAYOUT, Rows.in_memory(LAYOUT.bytes_of_rows))


def test_a_pair_is_made_once_and_is_the_same_afterwards(kept: KeptPairs) -> None:
    source = Source()
    for _ in range(3):
        image, labels = kept.pair("this", source)
        np.testing.assert_array_equal(image, IMAGE)
        np.testing.assert_array_equal(labels, LABELS)
        image[:] = 0  # belongs to the caller
    assert source.made == 1


def test_windows_are_those_of_the_whole(kept: KeptPairs) -> None:
    source, window = Source(), Window(1, 2, 2, 3)
    for _ in range(2):
        np.testing.assert_array_equal(kept.image_window("this", window, source), IMAGE[1:3, 2:5])
        np.testing.assert_array_equal(kept.labels_window("this", window, source), LABELS[1:3, 2:5])
    assert source.made == 1


def test_a_damaged_row_is_made_again() -> None:
    rows = Rows.in_memory(LAYOUT.bytes_of_rows)
    rows.write(1, as_row((IMAGE + 1, LABELS)))
    os.pwrite(rows.descriptor, as_row((IMAGE, LABELS))[:-1].data, rows.total - 60)  # half written
    kept, source = KeptPairs(LAYOUT, rows), Source()
    np.testing.assert_array_equal(kept.pair("this", source)[0], IMAGE)
    assert source.made == 1
    np.testing.assert_array_equal(KeptPairs(LAYOUT, rows).pair("this", source)[0], IMAGE)
    assert source.made == 1


def test_rows_that_cannot_be_written_are_made_each_time() -> None:
    rows = Rows.in_memory(LAYOUT.bytes_of_rows)
    rows.writable = False
    kept, source = KeptPairs(LAYOUT, rows), Source()
    for _ in range(2):
        np.testing.assert_array_equal(kept.labels_window("this", Window(0, 0, 4, 5), source), LABELS)
    assert source.made == 2


def test_the_name_says_all_that_bytes_depend_on() -> None:
    layouts = [
        LAYOUT,
        Layout("others", 2, LAYOUT.sizes),
        Layout("settings", 3, LAYOUT.sizes),
        Layout("settings", 2, {"this": (4, 5)}),
        Layout("settings", 2, {**LAYOUT.sizes, "this": (5, 4)}),
    ]
    assert len({layout.name for layout in layouts}) == len(layouts)
    assert LAYOUT.total == 3 + 60
    assert kept_total(LAYOUT) == 48 + 2 * 8 + 63


def kept_total(layout: Layout) -> int:
    return Rows.in_memory(layout.bytes_of_rows).total
