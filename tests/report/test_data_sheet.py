import numpy as np
import pytest

from toolkit.core.masks.labels import IGNORE, planes
from toolkit.report.colours import CLASS_COLOURS
from toolkit.report.data_sheet import SheetSample, data_sheet
from toolkit.report.preview_sheet import PreviewSample


def shown(height: int, width: int, value: int = 1) -> SheetSample:
    labels = np.zeros((height, width), np.uint8)
    labels[height // 4 : height // 2] = value
    image = np.zeros((height, width, 3), np.uint8)
    return SheetSample("a1b2", "the largest mask", PreviewSample(image, planes(labels, 1, "sigmoid")))


def sheet(*samples: SheetSample) -> np.ndarray:
    return data_sheet("Title", ["note"], samples, "sigmoid", ["salt"])


def test_the_mask_is_drawn_over_the_second_tile_alone() -> None:
    picture = sheet(shown(180, 180))
    outline = (picture[130:] == CLASS_COLOURS[0]).all(axis=2)
    columns = np.flatnonzero(outline.any(axis=0))
    # The margin, the first tile and the gap between the two.
    assert (int(columns[0]), int(columns[-1])) == (20 + 180 + 6, 20 + 180 + 6 + 179)


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (4, 1), (5, 2), (9, 3)])
def test_as_many_pairs_stand_beside_each_other_as_a_screen_takes(count: int, rows: int) -> None:
    picture = sheet(*[shown(180, 180)] * count)
    assert picture.shape[1] <= 1900
    assert picture.shape[0] == pytest.approx(sheet(shown(180, 180)).shape[0] + (rows - 1) * 239, abs=rows)


def test_ignored_pixels_are_striped_and_named_in_the_legend() -> None:
    plain, ignored = sheet(shown(180, 180)), sheet(shown(180, 180, IGNORE))
    assert plain.shape == ignored.shape
    assert not (ignored[130:] == CLASS_COLOURS[0]).all(axis=2).any()
    assert (ignored[:130] < 200).sum() > (plain[:130] < 200).sum()


def test_wide_images_are_shrunk_to_twice_the_height_of_a_tile() -> None:
    assert sheet(shown(100, 1000)).shape[1] == 20 + 360 + 6 + 360 + 20
