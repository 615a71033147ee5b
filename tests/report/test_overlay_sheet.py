"""Covers toolkit/report/overlay_sheet.py and drawing.py."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from toolkit.report.colours import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE, TRUTH, Colour
from toolkit.report.overlay_sheet import TRUE_POSITIVE_STRENGTH, OverlayRow, overlay_sheet

RED, GREEN, BLUE = (round(value * TRUE_POSITIVE_STRENGTH) for value in TRUE_POSITIVE)
DRAWN_TRUE_POSITIVE = (RED, GREEN, BLUE)  # over a black image


def row(
    truth: npt.NDArray[np.bool_], mask: npt.NDArray[np.bool_] | None = None, caption: str = "a1b2  fold 0"
) -> OverlayRow:
    mask = truth if mask is None else mask
    image = np.zeros((*truth.shape, 3), np.uint8)
    return OverlayRow(caption, image, truth, mask.astype(np.float32), mask)


def square(height: int, width: int) -> npt.NDArray[np.bool_]:
    truth = np.zeros((height, width), bool)
    truth[height // 4 : height // 2 + 1, width // 4 : width // 2 + 1] = True
    return truth


def sheet_of(*rows: OverlayRow, tile_height: int = 128) -> npt.NDArray[np.uint8]:
    return overlay_sheet("Overlays", [("Worst", rows)], tile_height=tile_height)


def places(sheet: npt.NDArray[np.uint8], colour: Colour) -> npt.NDArray[np.bool_]:
    """Where the sheet has the colour below its heading, that is without the legend."""
    found: npt.NDArray[np.bool_] = (sheet == np.array(colour, np.uint8)).all(axis=2)
    found[:150] = False
    return found


def test_sheet_of_twelve_salt_images_is_modest_rgb() -> None:
    rows = [row(square(101, 101))] * 6
    sheet = overlay_sheet("Overlays", [("Worst", rows), ("Best", rows)])
    assert sheet.dtype == np.uint8
    assert sheet.shape[2] == 3
    assert sheet.shape[1] <= 1400
    assert 1000 <= sheet.shape[0] <= 1600


def test_inputs_stay_and_the_sheet_is_the_same_each_time() -> None:
    one = row(square(40, 60))
    before = [array.copy() for array in (one.image, one.truth, one.probability, one.mask)]
    np.testing.assert_array_equal(sheet_of(one), sheet_of(one))
    for array, kept in zip((one.image, one.truth, one.probability, one.mask), before, strict=True):
        np.testing.assert_array_equal(array, kept)


def test_very_wide_tall_and_tiny_images_share_a_grid() -> None:
    sizes = [(20, 900), (900, 20), (360, 480), (3, 4), (1, 1)]
    mixed = sheet_of(*(row(square(*size)) for size in sizes))
    plain = sheet_of(*[row(square(96, 128))] * len(sizes))
    assert mixed.shape == plain.shape


def test_groups_too_wide_for_one_line_are_stacked() -> None:
    rows = [row(square(96, 128))]
    pair = overlay_sheet("Overlays", [("Worst", rows), ("Best", rows)])
    three = overlay_sheet("Overlays", [("Worst", rows), ("Middle", rows), ("Best", rows)])
    assert pair.shape[1] > 1400
    assert three.shape[1] < 1000
    assert three.shape[0] > 2 * pair.shape[0] - 150


def test_groups_without_rows_are_left_out() -> None:
    rows = [row(square(20, 20))]
    np.testing.assert_array_equal(
        overlay_sheet("Overlays", [("Worst", []), ("Best", [])]), overlay_sheet("Overlays", [])
    )
    np.testing.assert_array_equal(
        overlay_sheet("Overlays", [("Worst", []), ("Best", rows)]), overlay_sheet("Overlays", [("Best", rows)])
    )


def test_long_titles_and_notes_take_more_lines_and_are_not_cut_off() -> None:
    def sheet(title: str, note: str) -> npt.NDArray[np.uint8]:
        return overlay_sheet(title, [("Worst", [row(square(128, 128))])], notes=[note])

    short, title, note = sheet("word", "word"), sheet("word " * 20, "word"), sheet("word", "word " * 40)
    assert short.shape[0] < title.shape[0]
    assert short.shape[0] < note.shape[0]
    assert short.shape[1] == title.shape[1] == note.shape[1]


def test_each_outcome_has_its_colour_in_its_place() -> None:
    truth, mask = np.zeros((128, 128), bool), np.zeros((128, 128), bool)
    truth[32:96, 16:80] = True
    mask[32:96, 48:112] = True
    sheet = sheet_of(row(truth, mask))  # tiles as large as the arrays: every pixel is drawn once
    tile = {}
    for name, colour in (
        ("true positive", DRAWN_TRUE_POSITIVE),
        ("false negative", FALSE_NEGATIVE),
        ("false positive", FALSE_POSITIVE),
    ):
        rows, columns = np.nonzero(places(sheet, colour))
        assert rows.size == 64 * 32, name
        assert int(np.ptp(rows)) == 63
        tile[name] = (int(rows.min()), int(columns.min()))
    assert {top for top, _ in tile.values()} == {tile["true positive"][0]}
    assert tile["false negative"][1] + 32 == tile["true positive"][1] == tile["false positive"][1] - 32
    assert places(sheet, TRUTH).any()


@pytest.mark.parametrize(
    ("truth", "mask", "present"),
    [
        (True, True, DRAWN_TRUE_POSITIVE),
        (True, False, FALSE_NEGATIVE),
        (False, True, FALSE_POSITIVE),
        (False, False, None),
    ],
)
@pytest.mark.parametrize("size", [(9, 7), (300, 200)])
def test_no_colour_without_its_outcome(size: tuple[int, int], truth: bool, mask: bool, present: Colour | None) -> None:
    sheet = sheet_of(row(np.full(size, truth), np.full(size, mask)))
    for colour in (DRAWN_TRUE_POSITIVE, FALSE_NEGATIVE, FALSE_POSITIVE):
        assert places(sheet, colour).any() == (colour == present)


def test_a_thin_false_negative_survives_shrinking() -> None:
    truth = np.zeros((1280, 1280), bool)
    truth[:, 643] = True
    sheet = sheet_of(row(truth, np.zeros_like(truth)))[150:]
    orange = (sheet[..., 0].astype(int) - sheet[..., 2] > 10) & (sheet[..., 1] < sheet[..., 0])
    assert orange.any(axis=1).sum() >= 128


def test_probability_runs_through_viridis_and_is_held_to_its_ends() -> None:
    truth = np.zeros((128, 128), bool)
    ends = np.array([[[0], [255]]], np.uint8)
    low, high = cv2.cvtColor(cv2.applyColorMap(ends[0], cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)[:, 0].tolist()
    probability = np.full((128, 128), -0.5, np.float32)
    probability[64:] = 1.5
    sheet = sheet_of(OverlayRow("x", np.zeros((128, 128, 3), np.uint8), truth, probability, truth))
    assert places(sheet, (low[0], low[1], low[2])).sum() == places(sheet, (high[0], high[1], high[2])).sum() == 64 * 128


def test_a_long_caption_ends_in_an_ellipsis_and_moves_nothing() -> None:
    truth = square(50, 50)
    short, long = sheet_of(row(truth)), sheet_of(row(truth, caption="caption " * 100))
    endless = sheet_of(row(truth, caption="caption " * 300))
    assert short.shape == long.shape
    np.testing.assert_array_equal(long, endless)
    assert (long[:, -20:] == 255).all()


def test_captions_of_any_letters_are_drawn_on_one_line() -> None:
    truth = square(50, 50)
    np.testing.assert_array_equal(sheet_of(row(truth, caption="é\n画")), sheet_of(row(truth, caption="é ?")))
    assert sheet_of(row(truth, caption="")).shape == sheet_of(row(truth)).shape


@pytest.mark.parametrize("name", ["image", "truth", "probability", "mask"])
def test_sizes_that_disagree_are_named_with_the_caption(name: str) -> None:
    arrays: dict[str, Any] = {
        "image": np.zeros((5, 6, 3), np.uint8),
        "truth": np.zeros((5, 6), bool),
        "probability": np.zeros((5, 6), np.float32),
        "mask": np.zeros((5, 6), bool),
    }
    arrays[name] = arrays[name][:, :4]
    with pytest.raises(ValueError, match=rf"'a1b2'.*{name} \(5, 4") as caught:
        OverlayRow("a1b2", **arrays)
    assert "(5, 6" in str(caught.value)


def test_images_without_pixels_or_colours_and_nan_are_refused() -> None:
    with pytest.raises(ValueError, match=r"image \(0, 4, 3\)"):
        row(np.zeros((0, 4), bool))
    plane = np.zeros((4, 4), bool)
    with pytest.raises(ValueError, match=r"image \(4, 4\)"):
        OverlayRow("grey", np.zeros((4, 4), np.uint8), plane, plane.astype(np.float32), plane)
    with pytest.raises(ValueError, match=r"'broken'.*NaN"):
        OverlayRow("broken", np.zeros((4, 4, 3), np.uint8), plane, np.full((4, 4), np.nan, np.float32), plane)


def test_tile_height_is_kept_and_has_a_floor() -> None:
    low, high = (sheet_of(row(square(30, 30)), tile_height=height) for height in (16, 200))
    assert high.shape[0] - low.shape[0] >= 200 - 16 - 60  # the legend takes more lines on a narrow sheet
    with pytest.raises(ValueError, match="at least 16, received 0"):
        sheet_of(row(square(30, 30)), tile_height=0)
