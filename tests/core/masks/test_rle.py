import csv
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco

from toolkit.core.masks.rle import PixelOrder, RleError, decode, encode

SIZES = [(1, 1), (1, 17), (17, 1), (2, 3), (3, 2), (7, 5), (30, 41), (101, 101)]
DENSITIES = [0.0, 0.03, 0.5, 0.97, 1.0]


FORMS = pytest.mark.parametrize(("order", "relative"), list(itertools.product(("column", "row"), (False, True))))


def random_masks(size: tuple[int, int], density: float, count: int) -> np.ndarray:
    return np.random.default_rng([*size, round(100 * density)]).random((count, *size)) < density


@FORMS
@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("size", SIZES)
def test_decoding_inverts_encoding(size: tuple[int, int], density: float, order: PixelOrder, relative: bool) -> None:
    for mask in random_masks(size, density, 30):
        decoded = decode(encode(mask, order, relative), size, order, relative)
        assert decoded.dtype == np.bool_
        assert np.array_equal(decoded, mask)


def pixel_by_pixel(mask: np.ndarray, order: PixelOrder, relative: bool) -> str:
    """The definition of competitions."""
    words: list[int] = []
    start, end = None, 0
    for position, inside in enumerate([*mask.ravel(order="F" if order == "column" else "C").tolist(), False]):
        if inside and start is None:
            start = position
        elif not inside and start is not None:
            words += [start - end if relative else start + 1, position - start]
            start, end = None, position
    return " ".join(map(str, words))


@FORMS
@pytest.mark.parametrize("size", SIZES)
def test_agrees_with_counting_pixel_by_pixel(size: tuple[int, int], order: PixelOrder, relative: bool) -> None:
    for density in DENSITIES:
        for mask in random_masks(size, density, 5):
            assert encode(mask, order, relative) == pixel_by_pixel(mask, order, relative)
            assert encode(np.asfortranarray(mask), order, relative) == pixel_by_pixel(mask, order, relative)


def test_the_other_order_encodes_the_transposed_mask() -> None:
    for mask in random_masks((13, 29), 0.4, 20):
        assert encode(mask, "row") == encode(mask.T, "column")


def test_relative_starts_are_gaps() -> None:
    mask = np.array([[False, True, False], [True, True, True]])
    assert encode(mask, relative=True) == "1 3 1 1"
    assert encode(~mask, relative=True) == "0 1 3 1"
    assert encode(mask, "row", relative=True) == "1 1 1 3"
    assert np.array_equal(decode("0 1 0 2", (2, 3), relative=True), decode("1 3", (2, 3)))


@pytest.mark.parametrize("relative", [False, True])
def test_many_runs_are_handled_like_few(relative: bool) -> None:
    """Texts of hundreds of numbers take another path than shorter ones."""
    for runs in range(180, 220):
        mask = np.zeros((2, 225), np.bool_)
        mask[0, :runs] = True
        text = encode(mask, relative=relative)
        assert text == pixel_by_pixel(mask, "column", relative)
        assert np.array_equal(decode(text, mask.shape, relative=relative), mask)
        words = text.split()
        for place in (0, 1, -2, -1):
            broken = words.copy()
            broken[place] = "1000" if place % 2 == 0 else "0"
            with pytest.raises(RleError):
                decode(" ".join(broken), mask.shape, relative=relative)


@FORMS
def test_numbers_of_every_length_are_written(order: PixelOrder, relative: bool) -> None:
    mask = np.zeros((40, 3000), np.bool_)
    mask.reshape(-1)[np.unique(np.geomspace(1, mask.size, 300).astype(int)) - 1] = True
    mask[:, :60] |= random_masks((40, 60), 0.5, 1)[0]
    assert encode(mask, order, relative) == pixel_by_pixel(mask, order, relative)
    assert np.array_equal(decode(encode(mask, order, relative), mask.shape, order, relative), mask)


def test_decoding_inverts_encoding_for_every_mask_of_three_by_four() -> None:
    for pixels in itertools.product((False, True), repeat=12):
        mask = np.array(pixels).reshape(3, 4)
        assert np.array_equal(decode(encode(mask), (3, 4)), mask)


@pytest.mark.parametrize("size", SIZES)
def test_the_longest_text_of_a_size_is_accepted(size: tuple[int, int]) -> None:
    mask = np.arange(size[0] * size[1]).reshape(size, order="F") % 2 == 0
    assert np.array_equal(decode(encode(mask), size), mask)


@pytest.mark.parametrize("size", [(1, 30), (30, 1), (6, 11), (40, 25)])
def test_encoding_inverts_decoding(size: tuple[int, int]) -> None:
    random = np.random.default_rng(size)
    for runs in range(14):
        borders = np.sort(random.choice(size[0] * size[1] + 1, 2 * runs, replace=False))
        starts, ends = borders[::2], borders[1::2]
        pairs = zip(starts + 1, ends - starts, strict=True)
        text = " ".join(f"{start} {length}" for start, length in pairs)
        assert encode(decode(text, size)) == text


def test_pixels_are_counted_from_1_down_the_columns() -> None:
    mask = np.array([[False, True, False], [True, True, True]])
    assert encode(mask) == "2 3 6 1"
    assert encode(mask.T) == "2 1 4 3"
    assert decode("2 3 6 1", (2, 3)).tolist() == mask.tolist()
    assert decode("1 1", (2, 3)).tolist() == [[True, False, False], [False, False, False]]
    assert decode("3 1", (2, 3)).tolist() == [[False, True, False], [False, False, False]]


def test_a_run_that_touches_the_last_pixel_is_kept() -> None:
    mask = np.zeros((4, 5), np.bool_)
    mask[2:, 4] = True
    assert encode(mask) == "19 2"
    assert np.array_equal(decode("19 2", (4, 5)), mask)


def test_a_run_goes_on_into_the_next_column() -> None:
    mask = np.zeros((3, 4), np.bool_)
    mask[2, 1] = mask[0, 2] = True
    assert encode(mask) == "6 2"


def test_an_empty_mask_gives_an_empty_text() -> None:
    assert encode(np.zeros((5, 4), np.bool_)) == ""
    for text in ("", " ", "   "):
        assert not decode(text, (5, 4)).any()


def test_a_full_mask_is_one_run() -> None:
    assert encode(np.ones((5, 4), np.bool_)) == "1 20"


def test_the_layout_in_memory_does_not_matter() -> None:
    mask = random_masks((9, 14), 0.5, 1)[0]
    expected = encode(mask)
    assert encode(np.asfortranarray(mask)) == expected
    assert encode(np.repeat(mask, 2, axis=1)[:, ::2]) == expected
    assert encode(mask[::-1, ::-1][::-1, ::-1]) == expected


# pycocotools 2.0 hands NumPy 2 an array type of its own that does not know `copy`.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("size", SIZES)
def test_agrees_with_pycocotools(size: tuple[int, int], density: float) -> None:
    height, width = size
    for mask in random_masks(size, density, 20):
        # COCO counts the pixels of alternating runs, background first.
        counts, position = [], 0
        found = iter(map(int, encode(mask).split()))
        for start, length in zip(found, found, strict=True):
            counts += [start - 1 - position, length]
            position = start - 1 + length
        if position < height * width:
            counts.append(height * width - position)
        theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        ours = coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
        assert ours == theirs
        assert np.array_equal(coco.decode(theirs).astype(np.bool_), decode(encode(mask), size))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1", "odd count of 1"),
        ("1 2 5", "odd count of 3"),
        ("0 1", "starts count from 1, received 0"),
        ("1 2 0 3", "starts count from 1, received 0"),
        ("1 0", "expected lengths of at least 1, received 0"),
        ("1 2 5 0", "expected lengths of at least 1, received 0"),
        ("1 3 3 1", "run 2 starts at 3"),
        ("1 3 9 4 11 1", "run 3 starts at 11"),
        ("5 1 1 1", "run 2 starts at 1"),
        ("5 1 5 1", "run 2 starts at 5"),
        ("600 2", "ends at pixel 601, but the image has 600"),
        ("601 1", "ends at pixel 601, but the image has 600"),
        ("1 601", "ends at pixel 601, but the image has 600"),
        ("1 999999999999999999", "but the image has 600"),
        ("999999999999999999 999999999999999999", "but the image has 600"),
        ("1 1000000000000000000", "but the image has 600"),
        ("9223372036854775808 1", "but the image has 600"),
        ("np.int64(2) 1", "whole numbers"),
        ("1.0 2", "whole numbers"),
        ("1e2 1", "whole numbers"),
        ("0x1 1", "whole numbers"),
        ("1_0 1", "whole numbers"),
        ("nan", "whole numbers"),
        ("-1", "whole numbers"),
        ("1 -1", "whole numbers"),
        ("+1 1", "whole numbers"),
        ("1,2", "whole numbers"),
        ("1  2", "single spaces"),
        ("1\t2", "single spaces"),
        ("1 2\n", "single spaces"),
        ("1\u00a02", "single spaces"),
        ("٣ 1", "whole numbers"),
        ("１ 1", "whole numbers"),
        ("² 1", "whole numbers"),
        ("1 1\x00", "whole numbers"),
    ],
)
def test_invalid_encodings_are_rejected(text: str, problem: str) -> None:
    with pytest.raises(RleError) as caught:
        decode(text, (20, 30))
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0 0", "expected lengths of at least 1"),
        ("1", "odd count of 1"),
        ("-1 3", "whole numbers"),
        ("600 1", "run 1 ends at pixel 601, but the image has 600"),
        ("0 300 0 301", "run 2 ends at pixel 601, but the image has 600"),
        ("0 9223372036854775807", "but the image has 600"),
    ],
)
def test_invalid_relative_encodings_are_rejected(text: str, problem: str) -> None:
    with pytest.raises(RleError, match=problem):
        decode(text, (20, 30), relative=True)


def test_any_text_gives_a_mask_or_an_rle_error() -> None:
    random = np.random.default_rng(5)
    accepted = 0
    for length in random.integers(1, 12, 3000):
        text = "".join(random.choice(list("01239    -.\n"), length))
        try:
            mask = decode(text, (5, 9))
        except RleError:
            continue
        accepted += 1
        assert sum(map(int, text.split()[1::2])) == mask.sum()
    assert 100 < accepted < 2000


def test_the_last_pixel_is_the_limit() -> None:
    assert decode("600 1", (20, 30))[19, 29]
    assert decode("599 2", (20, 30)).sum() == 2


def test_runs_may_touch() -> None:
    assert np.array_equal(decode("2 2 4 3", (3, 4)), decode("2 5", (3, 4)))


@pytest.mark.parametrize(
    "text", ["1 1 " * 2_000_000, "1" * 5_000_000, "x" * 5_000_000], ids=["runs", "digits", "noise"]
)
def test_absurdly_long_texts_are_rejected_by_length(text: str) -> None:
    with pytest.raises(RleError, match="but a mask of 600 pixels needs"):
        decode(text, (20, 30))


def test_an_error_shows_only_the_beginning_of_a_long_text() -> None:
    with pytest.raises(RleError) as caught:
        decode("a" * 2000, (101, 101))
    assert "aaaa..." in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "mask", [np.zeros((2, 3), np.uint8), np.zeros((2, 3, 1), np.bool_), np.zeros(6, np.bool_), np.zeros((2, 3))]
)
def test_only_two_dimensional_bool_masks_are_encoded(mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected a bool mask"):
        encode(mask)


@pytest.mark.realdata
def test_real_encodings_match_the_real_masks(real_data: Path) -> None:
    with (real_data / "salt" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:300]
    for row in rows:
        file_name = str(real_data / "salt" / "train" / "masks" / f"{row['id']}.png")
        mask = cv2.imread(file_name, cv2.IMREAD_UNCHANGED) > 0
        assert encode(mask) == row["rle_mask"]
        assert np.array_equal(decode(row["rle_mask"], (101, 101)), mask)
