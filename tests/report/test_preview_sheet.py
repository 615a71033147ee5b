from typing import Any

import numpy as np
import pytest

from toolkit.core.masks.labels import IGNORE, Activation, planes
from toolkit.report.colours import CLASS_COLOURS, CLASS_STRENGTH, Colour
from toolkit.report.preview_sheet import PreviewRow, PreviewSample, preview_sheet


def drawn(colour: Colour) -> Colour:
    """A tint over black."""
    red, green, blue = (round(value * CLASS_STRENGTH) for value in colour)
    return red, green, blue


def sample(
    labels: np.ndarray, classes: int = 1, activation: Activation = "sigmoid", channels: int = 3
) -> PreviewSample:
    return PreviewSample(np.zeros((*labels.shape, channels), np.uint8), planes(labels, classes, activation))


def sheet(*samples: PreviewSample, activation: Activation = "sigmoid", **options: Any) -> np.ndarray:
    return preview_sheet("Title", ["note"], [PreviewRow("a1b2", samples[0], samples[1:])], activation, **options)


def places(picture: np.ndarray, colour: Colour) -> np.ndarray:
    """Where the sheet has a colour below its header."""
    found: np.ndarray = (picture == np.array(colour, np.uint8)).all(axis=2)
    found[:130] = False
    return found


def square(value: int = 1, size: int = 144) -> np.ndarray:
    labels = np.zeros((size, size), np.uint8)
    labels[size // 4 : size // 2, size // 4 : size // 2] = value
    return labels


def test_each_variant_has_its_own_mask_where_it_lies() -> None:
    picture = sheet(sample(square()), sample(square()[:, ::-1]), sample(np.zeros((144, 144), np.uint8)))
    filled, line = places(picture, drawn(CLASS_COLOURS[0])), places(picture, CLASS_COLOURS[0])
    assert int(filled.sum()) == 2 * 34 * 34
    assert int(line.sum()) == 2 * (36 * 36 - 34 * 34)
    columns = np.flatnonzero(filled.any(axis=0))
    # The original: from 36. Its mirror image, after a tile and the gap: from 72.
    assert columns[0] - 20 == 37
    assert columns[34] - columns[0] == 144 + 16 + 36


def test_classes_have_their_colours_and_the_background_of_softmax_none() -> None:
    labels = np.zeros((144, 144), np.uint8)
    labels[:48], labels[48:96] = 1, 2
    exclusive = sheet(sample(labels, 3, "softmax"), activation="softmax")
    assert [places(exclusive, drawn(colour)).any() for colour in CLASS_COLOURS[:3]] == [True, True, False]
    independent = sheet(sample(labels, 2))
    tiles = [places(one, drawn(CLASS_COLOURS[1]))[:, : 20 + 144] for one in (exclusive, independent)]
    assert np.array_equal(*tiles)


def test_ignored_is_striped_and_in_the_legend_only_where_there_is_some() -> None:
    plain, ignored = sheet(sample(square())), sheet(sample(square(IGNORE)))
    assert places(plain, drawn(CLASS_COLOURS[0])).any()
    assert not places(ignored, drawn(CLASS_COLOURS[0])).any()
    tile = ignored[-20 - 144 : -20, 20 : 20 + 144]
    inside = tile[36:72, 36:72]
    striped = int((inside.sum(axis=2) > 0).sum())
    assert striped == int((tile.sum(axis=2) > 0).sum()) == pytest.approx(36 * 36 / 2, rel=0.02)
    assert (ignored[:130] < 100).sum() > (plain[:130] < 100).sum()


def test_a_blended_target_is_tinted_by_its_share() -> None:
    half = PreviewSample(np.zeros((144, 144, 3), np.uint8), np.full((144, 144, 1), 0.4, np.float32))
    tile = sheet(half)[-100, 100]
    assert tile.tolist() == [round(value * CLASS_STRENGTH * 0.4) for value in CLASS_COLOURS[0]]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_any_number_of_channels_is_shown(channels: int) -> None:
    bright = PreviewSample(np.full((144, 144, channels), 90, np.uint8), np.zeros((144, 144, 1), np.uint8))
    assert sheet(bright)[-100, 100].tolist() == [90, 90, 90]


def test_rows_stand_in_two_blocks_where_there_is_room() -> None:
    rows = [PreviewRow(str(number), sample(square()), [sample(square())] * 5) for number in range(4)]
    wide = [PreviewRow(str(number), sample(square()), [sample(square())] * 12) for number in range(4)]
    two, one = preview_sheet("T", [], rows, "sigmoid"), preview_sheet("T", [], wide, "sigmoid")
    assert two.shape[1] <= 1900
    assert one.shape[0] > two.shape[0] + 250
    assert two.dtype == np.uint8


def test_arrays_that_cannot_be_drawn_are_an_error() -> None:
    with pytest.raises(ValueError, match="received \\(4, 5, 3\\) and \\(4, 4, 1\\)"):
        PreviewSample(np.zeros((4, 5, 3), np.uint8), np.zeros((4, 4, 1), np.uint8))
    with pytest.raises(ValueError, match="at least one row"):
        preview_sheet("T", [], [], "sigmoid")
    with pytest.raises(ValueError, match="same number of variants"):
        preview_sheet(
            "T",
            [],
            [PreviewRow("a", sample(square()), []), PreviewRow("b", sample(square()), [sample(square())])],
            "sigmoid",
        )
    with pytest.raises(ValueError, match="at least 16, received 8"):
        sheet(sample(square()), tile_height=8)
