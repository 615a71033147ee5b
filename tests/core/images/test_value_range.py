import numpy as np
import pytest

from toolkit.core.images.value_range import UnknownRangeError, largest_channel, to_bytes, with_channels


@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.int32, np.float32, np.float64])
def test_a_range_becomes_0_to_255_and_values_outside_are_clipped(kind: type) -> None:
    pixels = np.array([[0, 100, 350], [600, 1100, 2000]], kind)
    expected = np.rint(np.clip((pixels.astype(float) - 100) / 1000, 0, 1) * 255)
    assert (to_bytes(pixels, [(100, 1100)]) == expected).all()


def test_nan_becomes_0() -> None:
    assert to_bytes(np.array([[np.nan, np.inf, -np.inf]], np.float32), [(0, 1)]).tolist() == [[0, 255, 0]]


def test_each_channel_may_have_its_own_range() -> None:
    pixels = np.array([[[5, 5]]], np.float32)
    assert to_bytes(pixels, [(0, 5), (5, 10)]).tolist() == [[[255, 0]]]
    with pytest.raises(ValueError, match="has 2 channels, but value_range has 3 entries"):
        to_bytes(pixels, [(0, 5), (5, 10), (0, 1)])


def test_8_bits_stay_and_16_bits_keep_the_upper_8() -> None:
    pixels = np.array([[0, 255]], np.uint8)
    assert to_bytes(pixels, [(0, 10)]) is pixels
    assert to_bytes(pixels > 0).tolist() == [[0, 255]]
    assert to_bytes(np.array([[0x1234]], np.uint16)).tolist() == [[0x12]]


def test_without_a_range_the_error_gives_the_line_to_add() -> None:
    with pytest.raises(UnknownRangeError, match=r"float32, from -0\.5 to 3: .* value_range: \[-0\.5, 3\]"):
        to_bytes(np.array([[-0.5, np.nan, 3]], np.float32))
    with pytest.raises(UnknownRangeError, match="int16"):
        to_bytes(np.zeros((2, 2), np.int16))
    with pytest.raises(ValueError, match="not a real number"):
        to_bytes(np.zeros((2, 2), np.complex64), [(0, 1)])


@pytest.mark.parametrize(("found", "wanted"), [(5, 3), (5, 1), (3, 4), (1, 2)])
def test_other_numbers_of_channels_are_rejected(found: int, wanted: int) -> None:
    with pytest.raises(ValueError, match=f"has {found} channels, but shape asks for {wanted}"):
        with_channels(np.zeros((2, 3, found), np.uint8), wanted)
    assert with_channels(np.zeros((2, 3, found), np.uint8), None).shape == (2, 3, found)


def test_alpha_does_not_count_in_the_largest_channel() -> None:
    assert largest_channel(np.array([[[1, 255]]])).tolist() == [[1]]
    assert largest_channel(np.array([[[1, 2, 3, 255]]])).tolist() == [[3]]
    assert largest_channel(np.array([[[1, 2, 3, 4, 5]]])).tolist() == [[5]]


@pytest.mark.parametrize(
    ("values", "example"), [([0.0, 0.25], r"\[0, 1\]"), ([3.0, 3.0], r"\[3, 4\]"), ([-2.0, 5.0], r"\[-2, 5\]")]
)
def test_the_example_of_a_range_is_valid(values: list[float], example: str) -> None:
    with pytest.raises(UnknownRangeError, match=f"for example value_range: {example}$"):
        to_bytes(np.array([values], np.float32))
