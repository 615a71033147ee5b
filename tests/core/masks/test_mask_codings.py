import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toolkit.core.masks.labels import IGNORE, UnknownValuesError
from toolkit.core.masks.mask_codings import (
    ByBit,
    ByChannel,
    ByColour,
    ByObject,
    ByRange,
    ByValue,
    alpha_tells_more,
    class_planes,
    overlap,
    whole_numbers,
)


@given(arrays(np.uint8, (4, 5), elements=st.integers(0, 3)), st.permutations(range(4)))
def test_colours_are_found_in_any_order(numbers: np.ndarray, order: list[int]) -> None:
    palette = np.array([[200, 1, 2], [0, 0, 1], [255, 255, 255], [3, 250, 7]], np.uint8)
    colours = tuple(tuple(palette[place].tolist()) for place in order)
    found = ByColour(colours, tuple("abcd")).decode(palette[numbers])
    assert (np.array(order)[found - 1] == numbers).all()


def test_grey_and_alpha_are_colours_too() -> None:
    coding = ByColour(((7, 7, 7), (0, 0, 0)), ("a", "b"))
    assert coding.decode(np.array([[7, 0]], np.uint8)).tolist() == [[1, 2]]
    assert coding.decode(np.array([[[7, 7, 7, 0], [0, 0, 0, 255]]], np.uint8)).tolist() == [[1, 2]]


def test_unknown_colours_are_background_only_if_configured() -> None:
    stored = np.array([[[9, 9, 9], [0, 0, 0], [1, 2, 3]]], np.uint8)
    colours, names = ((9, 9, 9),), ("a",)
    assert ByColour(colours, names, rest_is_background=True).decode(stored).tolist() == [[1, 0, 0]]
    with pytest.raises(UnknownValuesError, match=r"no class has: #010203 \(1 pixels\); expected a: #090909"):
        ByColour(colours, names, black_is_background=True).decode(stored)
    with pytest.raises(UnknownValuesError, match=r"#000000 .* #010203"):
        ByColour(colours, names).decode(stored)
    with pytest.raises(UnknownValuesError, match="8 bits"):
        ByColour(colours, names).decode(stored.astype(np.uint16))


@given(arrays(np.float32, (3, 4), elements=st.floats(0, 10, width=16)))
def test_ranges_include_both_ends(values: np.ndarray) -> None:
    low, high = 2.5, 7.0
    expected = np.where((values >= low) & (values <= high), 2, np.where(values <= 1, 1, 0))
    assert (ByRange(((0, 1), (low, high))).decode(values) == expected).all()
    planes = ByRange(((0, 5), (low, high)), ignored=((9, 10),)).decode(values)
    ignored = values >= 9
    assert (planes[..., 0] == np.where(ignored, IGNORE, values <= 5)).all()
    assert (planes[..., 1] == np.where(ignored, IGNORE, (values >= low) & (values <= high))).all()


def test_ranges_that_touch_share_a_value() -> None:
    assert overlap(((0, 1), (1, 2)))
    assert overlap(((0, 9), (20, 30), (2, 3)))
    assert not overlap(((5, 9), (0, 4)))


def test_bits_and_channels_are_planes() -> None:
    assert ByBit((2, 0)).decode(np.array([[5, 4, 0]])).tolist() == [[[1, 1], [1, 0], [0, 0]]]
    assert ByBit((0,), ignored=(15,)).decode(np.array([[1, 32768]])).tolist() == [[[1], [IGNORE]]]
    with pytest.raises(UnknownValuesError, match="bits above 1"):
        ByBit((0, 1)).decode(np.array([[4]]))
    stored = np.array([[[0, 9, 0.5], [1, 0, 0]]])
    assert ByChannel((2, 0)).decode(stored).tolist() == [[[1, 0], [0, 1]]]
    assert ByChannel((2,), ignored=(0,)).decode(stored).tolist() == [[[1], [IGNORE]]]
    with pytest.raises(UnknownValuesError, match="no channel 3"):
        ByChannel((3,)).decode(stored)


def test_objects_are_numbered_from_1_without_gaps() -> None:
    stored = np.array([[0, 70000, 5], [5, 255, 0]], np.int64)
    assert ByObject().objects(stored).tolist() == [[0, 3, 1], [1, 2, 0]]
    assert ByObject(ignored=(255,)).objects(stored).tolist() == [[0, 2, 1], [1, 0, 0]]
    assert ByObject(ignored=(255,)).decode(stored)[..., 0].tolist() == [[0, 1, 1], [1, IGNORE, 0]]
    assert ByObject().objects(np.full((1, 2), 9)).tolist() == [[1, 1]]


@pytest.mark.parametrize("values", [np.array([[0.5]]), np.array([[np.nan]]), np.array([[-1]]), np.array([[1j]])])
def test_values_that_are_not_whole_are_rejected(values: np.ndarray) -> None:
    with pytest.raises(UnknownValuesError, match="whole numbers"):
        whole_numbers(values)


def test_whole_floats_are_accepted() -> None:
    assert ByValue().decode(np.array([[0.0, 3.0]])).tolist() == [[0, 3]]


def test_the_nearest_colour_counts_if_it_is_asked_for() -> None:
    stored = np.array([[[250, 9, 3], [3, 240, 0], [9, 9, 9], [130, 130, 0]]], np.uint8)
    colours = ((255, 0, 0), (0, 255, 0))
    named = ByColour(colours, ("red", "green"), black_is_background=True, takes_nearest=True)
    assert named.decode(stored).tolist() == [[1, 2, 0, 1]]  # as near to both: the first
    whole = ByColour((*colours, (0, 0, 0)), ("red", "green", "nothing"), takes_nearest=True)
    assert whole.decode(stored).tolist() == [[1, 2, 3, 1]]
    only = ByColour(colours, ("red", "green"), takes_nearest=True)
    assert only.decode(np.zeros((1, 1, 3), np.uint8)).tolist() == [[1]]
    exact = ByColour(colours, ("red", "green"), black_is_background=True)
    with pytest.raises(UnknownValuesError) as told:
        exact.decode(stored)
    assert "nearest_color: true" in told.value.advice


def test_channels_of_0_and_1_may_be_classes() -> None:
    one_hot = np.eye(4, dtype=np.uint8)[np.indices((8, 8))[0] // 2]
    overlapping = one_hot.copy()
    overlapping[0] = (1, 0, 1, 0)
    for dtype in (np.uint8, bool, np.float32):
        assert class_planes(one_hot.astype(dtype)) == (4, True)
        assert class_planes(overlapping.astype(dtype)) == (4, False)
    assert class_planes(np.eye(2)[np.indices((8, 8))[0] // 4]) == (2, True)


def test_colours_and_alpha_are_no_classes() -> None:
    one_hot = np.eye(4, dtype=np.uint8)[np.indices((8, 8))[0] // 2]
    opaque = one_hot.copy()
    opaque[..., 3] = 1
    grey = np.repeat(one_hot[..., :1], 4, axis=2)
    for pixels in (one_hot[..., 0], one_hot[..., :3], one_hot[..., :2], one_hot * 255, opaque, grey):
        assert class_planes(pixels) == (0, False)


def test_alpha_tells_more_if_it_hides_other_pixels_than_black_ones() -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:4, :, :3] = 200
    pixels[:4, :, 3] = 255
    assert not alpha_tells_more(pixels)
    pixels[..., 3] = 255
    assert not alpha_tells_more(pixels)
    pixels[:, :3, 3] = 0
    assert alpha_tells_more(pixels)
