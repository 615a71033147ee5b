"""Covers toolkit/files/data/finding.py and merging.py, and toolkit/files/masks/mask_files.py."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from pycocotools import mask as coco_masks

from toolkit.config.loading import config_from_plain, load_config, plain_config
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import IGNORE
from toolkit.core.masks.rle import encode
from toolkit.errors import ConfigError, DataError, MissingFileError, NothingToLearnError
from toolkit.files.data.finding import find_test_images
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.dataset import find_labelled

SIZE = (13, 17)
IDS = ("a", "b.c", "NA")
COLOURS = ((0, 0, 0), (255, 0, 0), (0, 128, 255), (9, 9, 9))
Writer = Callable[[Path, str, np.ndarray], None]
Find = Callable[..., LabelledImages]


def labels_of(image_id: str, ignored: bool = False) -> np.ndarray:
    """Labels 0, 1, 2 in rectangles that differ between images, and optionally ignored pixels."""
    labels = np.zeros(SIZE, np.uint8)
    shift = IDS.index(image_id)
    labels[2 : 6 + shift, 3:9] = 1
    labels[8:12, 5 + shift : 15] = 2
    if ignored:
        labels[0, :] = IGNORE
    return labels


@pytest.fixture
def find(tmp_path: Path) -> Find:
    """Writes images, and masks with a function, and finds them with these lines of `data` and of the configuration."""

    def find(lines: str, more: str = "", write: Writer | None = None, ignored: bool = False) -> LabelledImages:
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
        for number, image_id in enumerate(IDS):
            pixels = np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / f"{image_id}.png")
            if write is not None:
                write(tmp_path / "masks", image_id, labels_of(image_id, ignored))
        text = "\n".join(f"  {line}" for line in lines.splitlines())
        (tmp_path / "config.yaml").write_text(f"data:\n{text}\nstages: [{{epochs: 1}}]\n{more}")
        return find_labelled(load_config(tmp_path / "config.yaml").config)

    return find


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)


def values(folder: Path, image_id: str, labels: np.ndarray) -> None:
    save(folder / f"{image_id}.png", labels)


def sixteen_bits(folder: Path, image_id: str, labels: np.ndarray) -> None:
    cv2.imwrite(str(folder / f"{image_id}.png"), labels.astype(np.uint16) * 1000)


def palette(folder: Path, image_id: str, labels: np.ndarray) -> None:
    image = Image.fromarray(labels, "P")
    image.putpalette([level for colour in COLOURS for level in colour])
    image.save(folder / f"{image_id}.png")


def coloured(folder: Path, image_id: str, labels: np.ndarray) -> None:
    save(folder / f"{image_id}.png", np.array(COLOURS, np.uint8)[np.where(labels == IGNORE, 3, labels)])


def one_file_a_class(folder: Path, image_id: str, labels: np.ndarray) -> None:
    for number, name in ((1, "salt"), (2, "rock")):
        save(folder / name / f"{image_id}.png", (labels == number).astype(np.uint8) * 255)


def bits(folder: Path, image_id: str, labels: np.ndarray) -> None:
    save(
        folder / f"{image_id}.png",
        np.where(labels == IGNORE, 128, (labels == 1) + 2 * (labels == 2)).astype(np.uint8),
    )


def channels(folder: Path, image_id: str, labels: np.ndarray) -> None:
    np.save(folder / f"{image_id}.npy", np.stack([labels == number for number in range(3)], axis=2))


def channels_first(folder: Path, image_id: str, labels: np.ndarray) -> None:
    planes = np.stack([(labels == number) * np.float32(1) for number in range(3)])
    np.savez(folder / f"{image_id}.npz", image=np.zeros((2, 2)), mask=np.pad(planes, ((0, 0), (0, 0), (0, 60))))


def array(folder: Path, image_id: str, labels: np.ndarray) -> None:
    np.save(folder / f"{image_id}.npy", labels.astype(np.float64))


def archive(folder: Path, image_id: str, labels: np.ndarray) -> None:
    np.savez_compressed(folder / f"{image_id}.npz", labels.astype(np.int64))


def tiff(folder: Path, image_id: str, labels: np.ndarray) -> None:
    tifffile.imwrite(folder / f"{image_id}.tif", np.pad(labels, ((0, 0), (0, 0))), tile=(16, 16))


def labelme(folder: Path, image_id: str, labels: np.ndarray) -> None:
    shapes = []
    for number, name in ((1, "salt"), (2, "rock")):
        rows, columns = np.nonzero(labels == number)
        corners = [[int(columns.min()), int(rows.min())], [int(columns.max()), int(rows.max())]]
        shapes.append({"label": name, "points": corners, "shape_type": "rectangle", "group_id": None})
    tree = {"shapes": shapes, "imageHeight": SIZE[0], "imageWidth": SIZE[1], "imageData": "x" * 1000}
    (folder / f"{image_id}.json").write_text(json.dumps(tree))


EXCLUSIVE = "classes: [none, salt, rock]\n"
IN_EVERY_WAY: dict[str, tuple[Writer, str, str]] = {
    "values": (values, "", "classes: 3\n"),
    "16 bits": (sixteen_bits, "mask_values: [0, 1000, 2000]", "classes: 3\n"),
    "named values": (values, "mask_values: {rock: 2, none: 0, salt: 1}", EXCLUSIVE),
    "named values without a background": (values, "mask_values: {salt: 1, rock: 2}", ""),
    "palette": (palette, "", "classes: 3\n"),
    "colours": (coloured, 'colors: {none: "#000000", salt: [255, 0, 0], rock: "#0080FF"}', ""),
    "colours without a background": (coloured, "colors: {salt: [255, 0, 0], rock: [0, 128, 255]}", EXCLUSIVE),
    "colours of a palette": (palette, 'colors: {none: "#000000", salt: [255, 0, 0], rock: "#0080ff"}', ""),
    "a file for each class": (
        one_file_a_class,
        'mask_name: "{class}/{id}.png"',
        EXCLUSIVE + "activation: softmax\n",
    ),
    "bits": (bits, "mask_encoding: bits", EXCLUSIVE + "activation: softmax\n"),
    "channels": (channels, "mask_encoding: channels", EXCLUSIVE + "activation: softmax\n"),
    "named channels": (
        channels,
        "mask_encoding: channels\nmask_values: {rock: 2, salt: 1}",
        EXCLUSIVE + "activation: softmax\n",
    ),
    "npy": (array, "", "classes: 3\n"),
    "npz": (archive, "", "classes: 3\n"),
    "tiled tiff": (tiff, "", "classes: 3\n"),
    "labelme": (labelme, "", EXCLUSIVE),
    "ranges of the masks": (values, "value_ranges: {salt: [1, 1], rock: [1.5, 2.5]}", ""),
}


@pytest.mark.parametrize(("write", "lines", "more"), IN_EVERY_WAY.values(), ids=IN_EVERY_WAY)
def test_the_same_labels_read_back_equal_however_they_were_written(
    find: Find, write: Writer, lines: str, more: str
) -> None:
    data = find(f"images: images\nmasks: masks\n{lines}", more, write)
    assert data.images.ids == tuple(sorted(IDS))
    for image_id in IDS:
        expected = labels_of(image_id)
        np.testing.assert_array_equal(data.read_labels(image_id), expected)
        np.testing.assert_array_equal(data.window_labels(image_id, Window(3, 4, 9, 8)), expected[3:12, 4:12])


@pytest.mark.parametrize(
    ("write", "lines", "more"),
    [
        (values, "ignore: 255", "classes: 3\n"),
        (values, "mask_values: {none: 0, salt: 1, rock: 2, ignore: 255}", ""),
        (coloured, 'colors: {none: "#000000", salt: [255, 0, 0], rock: "#0080ff", ignore: [9, 9, 9]}', ""),
        (bits, "mask_encoding: bits\nmask_values: {salt: 0, rock: 1, ignore: 7}", EXCLUSIVE + "activation: softmax\n"),
        (bits, "mask_encoding: bits\nignore: 7", EXCLUSIVE + "activation: softmax\n"),
        (values, "value_ranges: {salt: [1, 1], rock: [2, 2], ignore: [200, 255]}", ""),
    ],
)
def test_ignored_pixels_have_a_value_colour_bit_or_range(find: Find, write: Writer, lines: str, more: str) -> None:
    data = find(f"images: images\nmasks: masks\n{lines}", more, write, ignored=True)
    np.testing.assert_array_equal(data.read_labels("a"), labels_of("a", ignored=True))


@pytest.mark.parametrize(
    ("write", "lines"),
    [
        (values, "mask_values: {none: 0, salt: 1, rock: 2}"),
        (coloured, 'colors: {none: "#000000", salt: [255, 0, 0], rock: "#0080ff"}'),
        (one_file_a_class, 'mask_name: "{class}/{id}.png"'),
        (values, "value_ranges: {salt: [1, 1], rock: [2, 2]}"),
        (bits, "mask_encoding: bits\nmask_values: {salt: 0, rock: 1}"),
        (channels, "mask_encoding: channels\nmask_values: {none: 0, salt: 1, rock: 2}"),
        (labelme, ""),
    ],
)
@pytest.mark.parametrize("classes", ["[none, rock]", "[rock]"])
def test_classes_that_are_left_out_are_background(find: Find, write: Writer, lines: str, classes: str) -> None:
    more = f"classes: {classes}\nactivation: {'softmax' if 'none' in classes else 'sigmoid'}\n"
    data = find(f"images: images\nmasks: masks\n{lines}", more, write)
    np.testing.assert_array_equal(data.read_labels("a"), labels_of("a") == 2)


def test_classes_that_share_pixels_are_bits_channels_or_files(find: Find, tmp_path: Path) -> None:
    salt, rock = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    salt[2:9, 2:9], rock[5:12, 5:12] = True, True
    expected = salt + 2 * rock

    def write(folder: Path, image_id: str, _: np.ndarray) -> None:
        save(folder / f"{image_id}.png", expected.astype(np.uint8))
        np.save(folder / f"{image_id}.npy", np.stack([salt, rock]))
        save(folder / f"{image_id}-salt.png", salt)
        save(folder / f"{image_id}-rock.png", rock)

    more = "classes: [salt, rock]\nactivation: sigmoid\n"
    for lines in ('mask_name: "{id}.png"\nmask_encoding: bits', 'mask_name: "{id}-{class}.png"'):
        data = find(f"images: images\nmasks: masks\n{lines}", more, write)
        np.testing.assert_array_equal(data.read_labels("a"), expected)


def test_classes_are_ranges_of_the_values_of_the_image_itself(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    pixels = np.array([[0, 49, 50], [199, 200, 255]], np.uint8)
    save(tmp_path / "images" / "a.png", pixels)
    cv2.imwrite(str(tmp_path / "images" / "b.png"), pixels.astype(np.uint16) * 2)
    text = "data:\n  images: images\n  value_ranges: {background: [0, 49], glow: [50, 199], hot: [200, 1000]}\n"
    (tmp_path / "config.yaml").write_text(text + "stages: [{epochs: 1}]\n")
    config = load_config(tmp_path / "config.yaml").config
    assert config.task_classes.names == ("background", "glow", "hot")
    assert config.activation == "softmax"
    data = find_labelled(config)
    assert data.read_labels("a").tolist() == [[0, 0, 1], [1, 2, 2]]
    assert data.read_labels("b").tolist() == [[0, 1, 1], [2, 2, 2]]


def test_ranges_that_share_values_are_independent_classes(find: Find) -> None:
    lines = "images: images\nmasks: masks\nvalue_ranges: {any: [1, 2], rock: [2, 2]}"
    data = find(lines, "classes: [any, rock]\nactivation: sigmoid\n", values)
    np.testing.assert_array_equal(data.read_labels("a"), np.array([0, 1, 3])[labels_of("a")])
    with pytest.raises(ConfigError, match=r"data\.value_ranges\.rock: \[2\.0, 2\.0\] overlaps .* of any"):
        find(lines, "classes: [none, any, rock]\n", values)


def objects_of(image_id: str) -> np.ndarray:
    objects = labels_of(image_id).astype(np.int32)
    objects[8:12, 10] = 3  # touches its neighbours
    return objects


@pytest.mark.parametrize("depth", ["uint16", "npy", "colours", "files"])
def test_touching_objects_are_separate_if_they_are_numbered(find: Find, depth: str) -> None:
    def write(folder: Path, image_id: str, _: np.ndarray) -> None:
        objects = objects_of(image_id) * 300
        if depth == "uint16":
            cv2.imwrite(str(folder / f"{image_id}.png"), objects.astype(np.uint16))
        elif depth == "npy":
            np.save(folder / f"{image_id}.npy", objects)
        elif depth == "colours":
            save(folder / f"{image_id}.png", np.stack([objects % 256, objects // 256, objects * 0], 2).astype(np.uint8))
        else:
            for number in (1, 2, 3):
                save(folder / f"{image_id}_{number}.png", (objects == number * 300).astype(np.uint8) * 255)

    name = 'mask_name: "{id}_*.png"\n' if depth == "files" else ""
    data = find(f"images: images\nmasks: masks\n{name}mask_encoding: instances", "", write)
    np.testing.assert_array_equal(data.read_labels("a"), objects_of("a") > 0)
    np.testing.assert_array_equal(data.read_objects("a"), objects_of("a"))


def coco_tree(*, with_rle: bool) -> dict[str, object]:
    """Annotations of rectangles, as polygons or run-length encodings, plain and compressed."""
    images, annotations = [], []
    for number, image_id in enumerate(IDS):
        images.append({"id": number + 7, "file_name": f"train/{image_id}.png", "height": SIZE[0], "width": SIZE[1]})
        for label, compressed in ((1, True), (2, False)):
            mask = labels_of(image_id) == label
            rows, columns = np.nonzero(mask)
            top, left, bottom, right = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
            segmentation: object = [[float(value) for value in (left, top, right, top, right, bottom, left, bottom)]]
            if with_rle:
                encoded = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))
                runs = np.diff(np.flatnonzero(np.diff(mask.T.ravel().astype(int), prepend=0, append=0)), prepend=0)
                counts = encoded["counts"].decode() if compressed else [*map(int, runs), int(mask.size - runs.sum())]
                segmentation = {"size": list(SIZE), "counts": counts}
            entry = {"id": len(annotations), "image_id": number + 7, "category_id": label}
            annotations.append(entry | {"segmentation": segmentation})
    categories = [{"id": 1, "name": "salt"}, {"id": 2, "name": "rock"}]
    return {"images": images, "annotations": annotations, "categories": categories}


@pytest.mark.parametrize("with_rle", [False, True])
def test_a_coco_file_gives_classes_and_objects(find: Find, tmp_path: Path, with_rle: bool) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(coco_tree(with_rle=with_rle)))
    data = find("images: images\nmasks: labels.json", EXCLUSIVE)
    for image_id in IDS:
        np.testing.assert_array_equal(data.read_labels(image_id), labels_of(image_id))
        np.testing.assert_array_equal(data.read_objects(image_id), labels_of(image_id))
    foreground = find("images: images\nmasks: labels.json", "")
    np.testing.assert_array_equal(foreground.read_labels("a"), labels_of("a") > 0)
    rock = find("images: images\nmasks: labels.json", "classes: [rock]\n")
    np.testing.assert_array_equal(rock.read_labels("a"), labels_of("a") == 2)
    objects = rock.read_objects("a")
    assert objects is not None
    assert objects.max() == 1
    with pytest.raises(DataError, match=r"data\.masks: .* has no category rocks; its categories are salt, rock"):
        find("images: images\nmasks: labels.json", "classes: [rocks]\n")


def test_files_with_other_names_than_their_images_are_found_by_a_pattern(find: Find, tmp_path: Path) -> None:
    def write(folder: Path, image_id: str, labels: np.ndarray) -> None:
        save(folder / f"{image_id}_label.png", labels)
        save(folder.parent / "both" / f"{image_id}.png", labels)
        save(folder.parent / "both" / f"{image_id}_label.png", labels)
        (folder.parent / "nested" / image_id).mkdir(exist_ok=True, parents=True)
        save(folder.parent / "nested" / image_id / "images" / f"{image_id}.png", labels)
        save(folder.parent / "nested" / image_id / "mask.png", labels)

    for lines in (
        'images: images\nmasks: masks\nmask_name: "{id}_label.png"',
        'images: both\nmasks: both\nmask_name: "{id}_label.png"',
        'images: nested\nmasks: nested\nimage_name: "{id}/images/{id}.png"\nmask_name: "{id}/mask.png"',
    ):
        data = find(lines, "classes: 3\n", write)
        assert data.images.ids == tuple(sorted(IDS))
        np.testing.assert_array_equal(data.read_labels("NA"), labels_of("NA"))
    with pytest.raises(NothingToLearnError, match=r"data\.masks: .* holds no file that matches \{id\}_mask\.png"):
        find('images: images\nmasks: masks\nmask_name: "{id}_mask.png"', "", write)
    with pytest.raises(DataError, match="is also the folder of the images"):
        find("images: both\nmasks: both", "", write)


def test_merged_sources_are_each_read_with_their_own_keys(find: Find, tmp_path: Path) -> None:
    def write(folder: Path, image_id: str, labels: np.ndarray) -> None:
        values(folder, image_id, labels)
        coloured(folder.parent / "colours", image_id, labels)
        save(folder.parent / "more" / f"{image_id}.png", labels + 50)

    lines = """\
images: images
masks: masks
mask_values: {none: 0, salt: 1, rock: 2}
merge:
  - {images: more, masks: colours, prefix: m_, colors: {none: [0, 0, 0], salt: [255, 0, 0], rock: [0, 128, 255]}}"""
    data = find(lines, "", write)
    assert data.images.ids == tuple(sorted([*IDS, *(f"m_{one}" for one in IDS)]))
    assert set(data.masks.ids) == set(data.images.ids)
    for image_id in IDS:
        for name in (image_id, f"m_{image_id}"):
            np.testing.assert_array_equal(data.read_labels(name), labels_of(image_id))
            np.testing.assert_array_equal(data.window_labels(name, Window(1, 2, 3, 4)), labels_of(image_id)[1:4, 2:6])
            assert data.images.size(name) == SIZE
    assert (data.images.read("m_a")[..., 0] == labels_of("a") + 50).all()
    assert len(data.images.only({"a", "m_NA"}).ids) == 2
    with pytest.raises(DataError, match=r"data\.merge\.0: 3 ids also occur in .*images: .*a"):
        find(lines.replace("prefix: m_, ", ""), "", write)


def test_the_digest_of_masks_covers_the_keys_they_are_read_with(find: Find) -> None:
    seen = set()
    for lines in (
        "mask_encoding: bits",
        "mask_encoding: bits\nmask_values: [1, 0]",
        "mask_encoding: bits\nmask_values: [1, 2]",
        'mask_name: "{id}.png"\nvalue_ranges: {salt: [1, 1], rock: [2, 2]}',
        'mask_name: "{id}.png"\nvalue_ranges: {salt: [0, 1], rock: [2, 2]}',
    ):
        data = find(f"images: images\nmasks: masks\n{lines}", "classes: [salt, rock]\nactivation: sigmoid\n", bits)
        seen.add(data.masks.content("a"))
    assert len(seen) == 5


def test_a_configuration_comes_back_from_plain_data(find: Find, tmp_path: Path) -> None:
    merged = "merge: [{images: images, masks: masks, prefix: b}]"
    find(f"images: [images, masks]\nmasks: masks\ncolors: {{a: [1, 2, 3]}}\n{merged}", "", values)
    config = load_config(tmp_path / "config.yaml").config
    assert config.data.images == (tmp_path / "images", tmp_path / "masks")
    assert config_from_plain(plain_config(config, tmp_path / "other"), tmp_path / "other") == config


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("images: images\nmasks: nowhere.json", r"data\.masks: there is no folder, CSV or JSON file"),
        ("images: [images, masks]\nmasks: masks", r"3 channels|is of one size|shape asks"),
        ("images: [images, nowhere]\nmasks: masks", r"data\.images: there is no folder .*nowhere"),
    ],
)
def test_missing_files_are_reported(find: Find, lines: str, told: str) -> None:
    with pytest.raises((MissingFileError, DataError), match=told):
        find(lines, "classes: 3\n", values).images.read("a")


def test_an_unknown_colour_is_reported_in_hexadecimal(find: Find) -> None:
    data = find("images: images\nmasks: masks\ncolors: {none: [0, 0, 0], salt: [255, 0, 0]}", "", coloured)
    with pytest.raises(
        DataError, match=r"a: the mask has colours that no class has: #0080ff \(40 pixels\); expected n"
    ):
        data.read_labels("a")


def test_some_of_the_classes_of_a_table_may_be_read(find: Find, tmp_path: Path) -> None:
    rows = [
        f"{image_id}.jpg_{name},{encode(labels_of(image_id) == number)}"
        for image_id in IDS
        for number, name in ((1, "Fish"), (2, "Sugar"))
    ]
    (tmp_path / "train.csv").write_text("Image_Label,EncodedPixels\n" + "\n".join(rows) + "\n")
    form = "competition: {extends: clouds, label_size: null, output_size: null}"
    data = find(f"images: images\nmasks: train.csv\n{form}", "classes: [Sugar]\n")
    np.testing.assert_array_equal(data.read_labels("a"), labels_of("a") == 2)


def test_several_files_per_image_have_no_other_coding(find: Find) -> None:
    def write(folder: Path, image_id: str, labels: np.ndarray) -> None:
        for number in (1, 2):
            save(folder / f"{image_id}_{number}.png", (labels == number).astype(np.uint8) * 255)

    lines = 'images: images\nmasks: masks\nmask_name: "{id}_*.png"'
    np.testing.assert_array_equal(find(lines, "", write).read_labels("a"), labels_of("a") > 0)
    with pytest.raises(DataError, match="several files per image are combined; mask_values does not apply to them"):
        find(f"{lines}\nmask_values: [255]", "", write)
    with pytest.raises(DataError, match=r"do not tell which of the classes salt, rock each shows"):
        find(lines, EXCLUSIVE, write)
    with pytest.raises(DataError, match=r"there is no file of class rock; the classes in the names are 1, 2"):
        find(lines.replace("*", "{class}"), "classes: ['1', rock]\nactivation: sigmoid\n", write)


def test_a_wildcard_that_matches_one_file_per_image_allows_every_coding(find: Find) -> None:
    def write(folder: Path, image_id: str, labels: np.ndarray) -> None:
        save(folder / f"{image_id}_{IDS.index(image_id)}.png", labels + 100)

    lines = 'images: images\nmasks: masks\nmask_name: "{id}_*.png"\nmask_values: [100, 101, 102]'
    np.testing.assert_array_equal(find(lines, "classes: 3\n", write).read_labels("NA"), labels_of("NA"))


def test_sources_of_different_kinds_are_merged(find: Find, tmp_path: Path) -> None:
    def write(folder: Path, image_id: str, labels: np.ndarray) -> None:
        save(folder / f"{image_id}_l.png", labels)
        labelme(folder.parent / "shapes", image_id, labels)

    (tmp_path / "shapes").mkdir()
    (tmp_path / "coco.json").write_text(json.dumps(coco_tree(with_rle=False)))
    lines = """\
images: images
masks: masks
mask_name: "{id}_l.png"
mask_values: {none: 0, salt: 1, rock: 2}
merge:
  - {images: images, masks: coco.json, prefix: c_}
  - {images: images, masks: shapes, mask_name: "{id}.json", prefix: l_}"""
    data = find(lines, EXCLUSIVE, write)
    for prefix in ("", "c_", "l_"):
        np.testing.assert_array_equal(data.read_labels(f"{prefix}a"), labels_of("a"))


@pytest.mark.parametrize(
    ("write", "lines"), [(one_file_a_class, 'mask_name: "{class}/{id}.png"'), (labelme, ""), (None, "coco")]
)
def test_a_class_that_would_be_background_by_accident_is_refused(
    find: Find, tmp_path: Path, write: Writer | None, lines: str
) -> None:
    more = "classes: [salt, rock]\nactivation: softmax\n"
    (tmp_path / "coco.json").write_text(json.dumps(coco_tree(with_rle=False)))
    masks = "masks: coco.json" if lines == "coco" else f"masks: masks\n{lines}"
    with pytest.raises(
        DataError, match=r"salt has .*, but as the first of exclusive classes it is the background"
    ) as told:
        find(f"images: images\n{masks}", more, write).read_labels("a")
    assert "activation: sigmoid" in told.value.advice


def test_masks_in_jpeg_are_read_by_the_nearest_colour(find: Find) -> None:
    def lossy(folder: Path, image_id: str, labels: np.ndarray) -> None:
        Image.fromarray(np.array(COLOURS, np.uint8)[labels]).save(folder / f"{image_id}.jpg", quality=95, subsampling=0)

    lines = 'masks: masks\nimages: images\ncolors: {a: "#000000", b: "#ff0000", c: "#0080ff"}\n'
    found = find(lines + "nearest_color: true", "activation: softmax", lossy)
    assert np.mean(found.read_labels("a") == labels_of("a")) > 0.95
    with pytest.raises(DataError, match="lossy compression alters mask values") as told:
        find(lines, "activation: softmax", lossy).read_labels("a")
    assert "nearest_color: true" in told.value.advice


def test_names_without_pairs_are_refused_with_the_lines(find: Find, tmp_path: Path) -> None:
    def other(folder: Path, image_id: str, labels: np.ndarray) -> None:
        save(folder / f"m_{image_id}_x.png", labels)

    with pytest.raises(DataError, match=r"data\.masks: no image has a mask") as told:
        find("images: images\nmasks: masks", write=other)
    assert '  mask_name: "m_{id}_x.png"' in told.value.advice
    found = find('images: images\nmasks: masks\nmask_name: "m_{id}_x.png"')
    assert set(found.images.ids) == set(IDS)
    for image_id in IDS:
        save(tmp_path / "images" / f"m_{image_id}_x.png", labels_of(image_id))
    with pytest.raises(DataError, match="is also the folder of the images") as shared:
        find("images: images\nmasks: images")
    assert "image_name" in shared.value.advice


def test_names_of_test_images_have_a_pattern_of_their_own(find: Find, tmp_path: Path) -> None:
    save(tmp_path / "test" / "9_test.png", np.zeros(SIZE, np.uint8))
    lines = 'images: images\nmasks: masks\nimage_name: "{id}.png"\ntest: test'
    find(lines, write=values)
    data = load_config(tmp_path / "config.yaml").config.data
    test = find_test_images(data.model_copy(update={"test_name": "{id}_test.png"}), 3)
    assert test is not None
    assert test.ids == ("9",)
    with pytest.raises(NothingToLearnError) as told:
        find_test_images(data.model_copy(update={"image_name": "{id}_sat.png"}), 3)
    assert "test_name" in told.value.advice
    assert "9_test.png" in told.value.advice


def test_drawings_beside_images_are_refused_with_the_line(find: Find, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for image_id in IDS:
        save(tmp_path / "images" / f"{image_id}_overlay.png", np.zeros(SIZE, np.uint8))
    with pytest.raises(DataError, match=r"3 files called \{id\}_overlay\.png in .* are drawings") as told:
        find("images: images\nmasks: masks", write=values)
    assert 'exclude: "*_overlay.png"' in told.value.advice
    assert set(find('images: images\nmasks: masks\nexclude: "*_overlay.png"').images.ids) == set(IDS)
