import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.config.data.data import SourceKeys
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import BINARY, IGNORE, Classes
from toolkit.errors import DataError, MissingFileError, NothingToLearnError
from toolkit.files.data.finding import find_source
from toolkit.files.data.sources import LabelledImages, find_images, find_negatives
from toolkit.files.images.decoding import UnreadableImageError, image_id_of

Draw = Callable[..., Path]


def find(folder: Path, masks: str = "masks", classes: Classes = BINARY) -> LabelledImages:
    keys = SourceKeys(images=folder / "images", masks=folder / masks)
    return find_source(keys, classes, 3, "data")


@pytest.fixture
def labelled(draw: Draw, tmp_path: Path) -> Callable[..., LabelledImages]:
    """Images of 2×3 with these names, and their masks as the bytes of a CSV file."""

    def labelled(table: bytes, names: tuple[str, ...] = ("a.png", "b.png")) -> LabelledImages:
        for name in names:
            draw(f"images/{name}", np.zeros((2, 3), np.uint8))
        (tmp_path / "train.csv").write_bytes(table)
        return find(tmp_path, "train.csv")

    return labelled


@pytest.mark.parametrize(
    ("name", "image_id"),
    [
        ("a.png", "a"),
        ("A.JPG", "A"),
        ("a.b.jpeg", "a.b"),
        ("1.2.276.0.7230010.png", "1.2.276.0.7230010"),
        ("1.2.276.0.7230010", "1.2.276.0.7230010"),
        ("0004d4463b50_01.jpg", "0004d4463b50_01"),
        ("0002cc93b.jpg_1", "0002cc93b.jpg_1"),
        ("a", "a"),
        ("png", "png"),
        ("NA", "NA"),
    ],
)
def test_an_id_is_the_name_without_the_extension_of_an_image(name: str, image_id: str) -> None:
    assert image_id_of(name) == image_id


def test_ids_are_sorted_in_whatever_order_the_files_were_made(draw: Draw, tmp_path: Path) -> None:
    for name in ("9", "b", "10", "A", "a-1", "a"):
        draw(f"images/{name}.png")
    assert find_images(tmp_path / "images", "data.images").ids == ("10", "9", "A", "a", "a-1", "b")


def test_only_images_are_listed(draw: Draw, tmp_path: Path) -> None:
    draw("images/a.png")
    draw("images/._a.png")
    draw("images/folder.png/inner.png")
    (tmp_path / "images" / "notes.txt").write_text("not an image")
    assert find_images(tmp_path / "images", "data.images").ids == ("a",)


def test_an_id_of_two_files_is_refused_with_both(draw: Draw, tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "b.png", "c.png", "c.TIF"):
        draw(f"images/{name}")
    with pytest.raises(DataError) as told:
        find_images(tmp_path / "images", "data.images")
    for word in ("data.images", "a.png", "a.jpg", "c.png", "c.TIF"):
        assert word in told.value.message
    assert "b.png" not in told.value.message


def test_a_missing_folder_is_reported_with_the_part_of_the_path_that_exists(tmp_path: Path) -> None:
    missing = tmp_path / "data" / "images"
    with pytest.raises(MissingFileError, match=r"data\.test") as told:
        find_images(missing, "data.test")
    assert str(missing) in told.value.message
    assert f"{tmp_path} exists" in told.value.advice
    with pytest.raises(MissingFileError, match="there is no folder"):
        find_images(Path("nowhere"), "--images")


def test_a_file_in_place_of_the_folder_is_refused(draw: Draw) -> None:
    path = draw("a.png")
    with pytest.raises(MissingFileError, match=r"data\.images: .*a\.png is a file, not a folder") as told:
        find_images(path, "data.images")
    assert told.value.advice == f"Name the folder of images: {path.parent}"


def test_a_folder_without_permission_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(MissingFileError, match="Permission denied"):
        find_images(tmp_path, "data.images")


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not an image")
    with pytest.raises(NothingToLearnError, match=r"\.png"):
        find_images(tmp_path, "data.images")


def test_a_name_that_is_not_utf8_is_reported(draw: Draw, tmp_path: Path) -> None:
    path = draw("images/a.png")
    try:
        path.rename(tmp_path / "images" / os.fsdecode(b"caf\xe9.png"))
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(DataError, match="not UTF-8") as told:
        find_images(tmp_path / "images", "data.images")
    told.value.message.encode()


def test_masks_are_files_named_like_the_images_whatever_the_kind(draw: Draw, tmp_path: Path) -> None:
    mask = np.array([[0, 1, 0], [0, 1, 255]], np.uint8)
    draw("images/a.jpg", np.zeros((2, 3), np.uint8))
    draw("masks/a.png", mask)
    draw("masks/a.jpg", np.zeros((2, 3), np.uint8))
    data = find(tmp_path)
    np.testing.assert_array_equal(data.read_labels("a"), mask > 0)


def test_missing_masks_are_reported(draw: Draw, tmp_path: Path) -> None:
    draw("images/a.png")
    with pytest.raises(MissingFileError, match=r"data\.masks.*train\.csv"):
        find(tmp_path, "train.csv")
    (tmp_path / "masks").mkdir()
    with pytest.raises(NothingToLearnError, match=r"data\.masks"):
        find(tmp_path)


def test_runs_go_down_the_columns_of_an_image_that_is_not_square(labelled: Callable[..., LabelledImages]) -> None:
    data = labelled(b"id,rle_mask\na,2 2\nb,5 2\n")
    assert data.read_labels("a").tolist() == [[False, True, False], [True, False, False]]
    assert data.read_labels("b").tolist() == [[False, False, True], [False, False, True]]


def test_several_rows_of_one_image_are_combined(labelled: Callable[..., LabelledImages]) -> None:
    data = labelled(b"id,rle_mask\na,1 1\nb,6 1\na,3 2\na,2 2\n")
    assert data.read_labels("a").tolist() == [[True, True, False], [True, True, False]]
    assert data.read_labels("b").sum() == 1


def test_a_binary_mask_is_read_as_labels(labelled: Callable[..., LabelledImages]) -> None:
    labels = labelled(b"id,rle_mask\na,1 1\nb,6 1\n").read_labels("a")
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[1, 0, 0], [0, 0, 0]]


def test_rows_are_objects_if_any_image_has_several(labelled: Callable[..., LabelledImages]) -> None:
    data = labelled(b"id,rle_mask\na,1 2\nb,6 1\na,3 1 6 1\na,2 2\n")
    objects = data.read_objects("a")
    assert objects is not None
    assert objects.dtype == np.int32
    # Pixels of several rows belong to the first, so that no pixel remains for the third.
    assert objects.tolist() == [[1, 2, 0], [1, 0, 2]]
    single = data.read_objects("b")
    assert single is not None
    assert single.tolist() == [[0, 0, 0], [0, 0, 1]]


def test_an_image_without_objects_among_those_with(labelled: Callable[..., LabelledImages]) -> None:
    data = labelled(b"id,rle_mask\na,1 2\nb,\na,5 1\n")
    objects = data.read_objects("b")
    assert objects is not None
    assert not objects.any()


def test_one_row_per_image_does_not_separate_objects(
    labelled: Callable[..., LabelledImages], draw: Draw, tmp_path: Path
) -> None:
    data = labelled(b"id,rle_mask\na,1 1 5 1\nb,\n")
    assert data.read_objects("a") is None
    draw("masks/a.png", np.ones((2, 3), np.uint8))
    assert find(tmp_path).read_objects("a") is None


def test_objects_that_do_not_fit_are_reported_with_their_image(labelled: Callable[..., LabelledImages]) -> None:
    data = labelled(b"id,rle_mask\na,1 1\na,6 2\n")
    with pytest.raises(DataError, match=r"a: the run-length encoding is not valid for an image of 2×3"):
        data.read_objects("a")
    with pytest.raises(DataError, match="b: the mask is missing"):
        data.read_objects("b")


@pytest.mark.parametrize("cell", ["", "-1", " -1", " "])
def test_an_empty_cell_or_minus_one_is_an_empty_mask(labelled: Callable[..., LabelledImages], cell: str) -> None:
    data = labelled(f"id,rle_mask\na,{cell}\nb,1 2\n".encode())
    assert data.read_labels("a").shape == (2, 3)
    assert not data.read_labels("a").any()


@pytest.mark.parametrize(
    "table",
    [
        b"\xef\xbb\xbfImageId, EncodedPixels\r\na,1 2\r\nb,-1\r\n",
        b"ImageId,EncodedPixels\na.png,1 2\nb.png,\n",
        b"img,rle_mask\nb.jpg,\n a.jpg ,1 2 \n",
    ],
    ids=["byte order mark and a space in the header", "ids with extension", "other extension, spaces"],
)
def test_original_tables_of_competitions_are_read(labelled: Callable[..., LabelledImages], table: bytes) -> None:
    data = labelled(table)
    assert set(data.masks.ids) == {"a", "b"}
    assert data.read_labels("a").sum() == 2
    assert data.read_labels("b").sum() == 0


def test_ids_that_look_like_numbers_or_empty_cells_stay_text(labelled: Callable[..., LabelledImages]) -> None:
    names = ("NA.png", "None.png", "007.png", "1e5.png", "nan.png", "1.2.276.0.7230010.png")
    data = labelled(b"id,rle_mask\nNA,1 1\nNone,1 2\n007,1 3\n1e5,1 4\nnan,1 5\n1.2.276.0.7230010,1 6\n", names)
    areas = [int(data.read_labels(image_id).sum()) for image_id in data.images.ids]
    assert dict(zip(data.images.ids, areas, strict=True)) == {
        "007": 3, "1.2.276.0.7230010": 6, "1e5": 4, "NA": 1, "None": 2, "nan": 5,
    }  # fmt: skip


def test_a_mask_that_no_longer_fits_is_reported_with_its_id(
    labelled: Callable[..., LabelledImages], draw: Draw, tmp_path: Path
) -> None:
    data = labelled(b"id,rle_mask\na,6 2\n")
    with pytest.raises(DataError, match=r"a: the run-length encoding is not valid for an image of 2×3"):
        data.read_labels("a")
    with pytest.raises(DataError, match="b: the mask is missing"):
        data.read_labels("b")
    draw("masks/a.png", np.zeros((3, 2), np.uint8))
    with pytest.raises(DataError, match="a: the mask is 3×2, but the image is 2×3"):
        find(tmp_path).read_labels("a")


def test_a_table_of_other_columns_is_refused(labelled: Callable[..., LabelledImages]) -> None:
    with pytest.raises(DataError, match=r"train\.csv:1: expected 2 columns, received 3"):
        labelled(b"id,class,rle\na,1,1 1\n")


RAW = np.array([[0, 1, 3], [5, 5, 9]], np.uint8)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (Classes(ignore=(9,)), [[0, 1, 1], [1, 1, IGNORE]]),
        (Classes(("it",), values=((5,),)), [[0, 0, 0], [1, 1, 0]]),
        (Classes(("it",), values=((0, 3),), ignore=(9, 1)), [[1, IGNORE, 1], [0, 0, IGNORE]]),
        (Classes(("a", "b"), "sigmoid", ((3, 5), (1, 9))), [[0, 2, 1], [1, 1, 2]]),
        (Classes(("a", "b", "c"), "softmax", ((1,), (0,), (5, 3)), (9,)), [[1, 0, 2], [2, 2, IGNORE]]),
    ],
)
def test_pixel_values_of_masks_are_classes(
    draw: Draw, tmp_path: Path, classes: Classes, expected: list[list[int]]
) -> None:
    draw("images/a.png", np.zeros((2, 3), np.uint8))
    draw("masks/a.png", RAW)
    data = find(tmp_path, "masks", classes)
    labels = data.read_labels("a")
    assert labels.dtype == np.uint8
    assert labels.tolist() == expected


def test_the_index_of_a_palette_is_the_class_whatever_its_colour(draw: Draw, tmp_path: Path) -> None:
    draw("images/a.png", np.zeros((2, 3), np.uint8))
    image = Image.fromarray(np.array([[0, 1, 2], [2, 1, 0]], np.uint8), mode="P")
    image.putpalette([200, 10, 10, 0, 0, 0, 90, 90, 200])
    (tmp_path / "masks").mkdir()
    image.save(tmp_path / "masks" / "a.png")
    classes = Classes(("sky", "road", "car"), "softmax", ((0,), (1,), (2,)))
    data = find(tmp_path, "masks", classes)
    assert data.read_labels("a").tolist() == [[0, 1, 2], [2, 1, 0]]


def test_values_of_no_class_are_reported_with_image_and_expected_values(draw: Draw, tmp_path: Path) -> None:
    draw("images/a.png", np.zeros((2, 3), np.uint8))
    draw("masks/a.png", RAW)
    classes = Classes(("sky", "road"), "softmax", ((0,), (1, 5)), (255,))
    data = find(tmp_path, "masks", classes)
    with pytest.raises(DataError) as told:
        data.read_labels("a")
    expected = "a: the mask has pixel values that no class has: 3, 9; expected sky: 0, road: 1 or 5, ignored: 255"
    assert told.value.message == expected


def test_a_plain_table_of_runs_may_have_a_background(labelled: Callable[..., LabelledImages], tmp_path: Path) -> None:
    single = labelled(b"id,rle\na,1 2\nb,\n")
    beside = find(tmp_path, "train.csv", Classes(("a", "b"), "softmax", ((0,), (1,))))
    assert np.array_equal(beside.read_labels("a"), single.read_labels("a"))


@pytest.mark.parametrize(
    "classes", [Classes(("a", "b", "c"), "softmax", ((0,), (1,), (2,))), Classes(values=((0,),)), Classes(ignore=(9,))]
)
def test_a_plain_table_of_runs_has_only_one_class(
    labelled: Callable[..., LabelledImages], tmp_path: Path, classes: Classes
) -> None:
    labelled(b"id,rle\na,1 2\nb,\n")
    with pytest.raises(DataError, match=r"data\.masks: .* is a table of run-length encodings") as told:
        find(tmp_path, "train.csv", classes)
    assert "folder of mask images" in told.value.advice


COLOURS = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4) * 10


@pytest.mark.parametrize(
    ("stored", "channels", "expected"),
    [
        (COLOURS[..., 0], 3, COLOURS[..., [0, 0, 0]]),
        (COLOURS[..., 0], 1, COLOURS[..., :1]),
        (COLOURS[..., :3], 3, COLOURS[..., :3]),
        (COLOURS, 3, COLOURS[..., :3]),
        (COLOURS, 4, COLOURS),
    ],
)
def test_images_have_the_channels_that_are_asked_for(
    draw: Draw, tmp_path: Path, stored: np.ndarray, channels: int, expected: np.ndarray
) -> None:
    draw("images/a.png", stored)
    assert np.array_equal(find_images(tmp_path / "images", "data.images", channels).read("a"), expected)


def test_colours_become_grey_for_one_channel(draw: Draw, tmp_path: Path) -> None:
    draw("images/a.png", np.full((2, 3, 3), (100, 100, 100), np.uint8))
    draw("images/b.png", np.full((2, 3, 3), (255, 0, 0), np.uint8))
    images = find_images(tmp_path / "images", "data.images", 1)
    assert images.read("a").shape == (2, 3, 1)
    assert (images.read("a") == 100).all()
    assert (images.read("b") == 76).all()  # 0.299 of red


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_a_wrong_number_of_channels_is_reported(draw: Draw, tmp_path: Path, channels: int) -> None:
    draw("images/a.png", COLOURS[..., :3])
    with pytest.raises(UnreadableImageError, match=f"a.png has 3 channels, but shape asks for {channels}"):
        find_images(tmp_path / "images", "data.images", channels).read("a")


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_negatives_are_background_without_any_mask(draw: Draw, tmp_path: Path, activation: str) -> None:
    draw("nothing/a.png")
    classes = Classes(("a", "b"), activation, ((4,), (7,)), (9,))
    data = find_negatives(tmp_path / "nothing", classes, 3, "data.external_negatives")
    assert data.read_labels("a").shape == (6, 9)
    assert not data.read_labels("a").any()
    objects = data.read_objects("a")
    assert objects is not None
    assert not objects.any()
    with pytest.raises(MissingFileError, match=r"data\.external_negatives: there is no folder"):
        find_negatives(tmp_path / "nowhere", classes, 3, "data.external_negatives")


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_windows_of_images_and_labels_join_to_the_whole(draw: Draw, tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    draw(f"images/a.{suffix}", rng.integers(0, 256, (23, 31, 3), np.uint8))
    draw(f"masks/a.{suffix}", rng.integers(0, 2, (23, 31), np.uint8) * np.uint8(255))
    runs = "\n".join(["id,rle_mask", "a," + " ".join(f"{start} 3" for start in range(1, 700, 7))])
    (tmp_path / "train.csv").write_text(runs)
    for masks in ("masks", "train.csv"):
        data = find(tmp_path, masks)
        image, labels = data.images.read("a"), data.read_labels("a")
        for top in range(0, 23, 10):
            for left in range(0, 31, 10):
                window = Window(top, left, min(10, 23 - top), min(10, 31 - left))
                here = (slice(top, window.bottom), slice(left, window.right))
                np.testing.assert_array_equal(data.images.window("a", window), image[here])
                np.testing.assert_array_equal(data.window_labels("a", window), labels[here])


@pytest.mark.parametrize("window", [Window(-1, 0, 2, 2), Window(0, 0, 0, 2), Window(5, 8, 2, 1), Window(0, 8, 2, 2)])
def test_a_window_outside_the_image_is_refused(draw: Draw, tmp_path: Path, window: Window) -> None:
    draw("images/a.png")
    draw("masks/a.png")
    data = find(tmp_path)
    for read in (data.images.window, data.window_labels):
        with pytest.raises(ValueError, match=r"not inside an image of 6×9"):
            read("a", window)


def test_a_window_of_a_mask_of_another_size_is_refused(draw: Draw, tmp_path: Path) -> None:
    draw("images/a.png", np.zeros((2, 3), np.uint8))
    draw("masks/a.png", np.zeros((3, 2), np.uint8))
    data = find(tmp_path)
    with pytest.raises(DataError, match="a: the mask is 3×2, but the image is 2×3"):
        data.window_labels("a", Window(0, 0, 1, 1))
