"""Covers toolkit/commands/starting/init.py and init_text.py, and toolkit/commands/starting/choices/choice.py,
toolkit/commands/starting/choices/data_choices.py, mask_choices.py and network_choices.py.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.session import Session
from toolkit.commands.starting.choices import backbone_choice
from toolkit.commands.starting.init import InitResult, init
from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.core.masks.rle import encode
from toolkit.errors import ConfigError, DataError, MissingFileError, NothingToLearnError
from toolkit.files.datasets.dataset import find_dataset
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Silent

SIZE = (40, 56)
IDS = [f"s{number:02d}" for number in range(12)]


def picture(seed: int, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """An image of noise with a bright ellipse, and its mask; every fourth has none."""
    random = np.random.default_rng(seed)
    mask = np.zeros(size, np.uint8)
    if seed % 4:
        centre = (int(random.integers(10, size[1] - 10)), int(random.integers(10, size[0] - 10)))
        cv2.ellipse(mask, centre, (9, 4), float(random.integers(0, 90)), 0, 360, 1, -1)
    image = random.normal(90, 9, (*size, 3)) + 90 * mask[..., None]
    return np.clip(image, 0, 255).astype(np.uint8), mask.astype(bool)


PICTURES = {image_id: picture(number) for number, image_id in enumerate(IDS)}


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def unknown(tmp_path: Path) -> Path:
    """A folder in which tests put files; training images are written by `with_images`."""
    folder = tmp_path / "unknown"
    folder.mkdir()
    return folder


def with_images(folder: Path, name: str = "train/images/{id}.png", ids: list[str] = IDS) -> None:
    for image_id in ids:
        save(folder / name.replace("{id}", image_id), PICTURES[image_id][0])


def with_masks(
    folder: Path, name: str = "train/masks/{id}.png", draw: Callable[[np.ndarray], np.ndarray] | None = None
) -> None:
    for image_id in IDS:
        mask = PICTURES[image_id][1]
        save(folder / name.replace("{id}", image_id), mask.astype(np.uint8) * 255 if draw is None else draw(mask))


def recognised(folder: Path, *, workspace: str = "work") -> tuple[InitResult, Config, dict[str, str]]:
    """What `tk init` says, its configuration, and by key why; `tk fit` would take the data."""
    work = Workspace(folder.parent / workspace)
    result = init(Session(work), folder)
    config = load_config(work.find("baseline").config).config
    find_dataset(config, Silent())
    return result, config, {one.key: one.why for one in result.recognised}


def assert_masks_are_ours(config: Config) -> None:
    data = find_dataset(config, Silent()).labelled
    for image_id in IDS:
        assert np.array_equal(data.read_labels(image_id) == 1, PICTURES[image_id][1]), image_id


def other(result: InitResult, key: str) -> str:
    return next(one.other for one in result.recognised if one.key == key)


def test_images_and_masks_beside_each_other(unknown: Path) -> None:
    with_images(unknown, "images/{id}.png")
    with_masks(unknown, "masks/{id}.png")
    result, config, why = recognised(unknown)
    assert_masks_are_ours(config)
    assert result.training_images == len(IDS)
    assert "0 and 255" in why["data.masks"]
    assert "3 (25%) are empty" in why["data.masks"]
    assert config.shape == (64, 64, 3)
    assert config.resize == "pad"
    assert any("no folder of test images" in line for line in result.not_used)


@pytest.mark.parametrize(
    ("gpu", "installed", "expected"),
    [
        (True, False, ("resnet34", "imagenet")),
        (False, True, ("efficientnetlite0", "imagenet")),
        (False, False, ("efficientnetlite0", None)),
    ],
)
def test_the_backbone_suits_the_machine(
    gpu: bool, installed: bool, expected: tuple[str, str | None], unknown: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbone_choice, "has_gpu", lambda: gpu)
    monkeypatch.setattr(backbone_choice, "installed_weights", lambda _: unknown if installed else None)
    with_images(unknown, "images/{id}.png")
    with_masks(unknown, "masks/{id}.png")
    result, config, why = recognised(unknown)
    assert (config.backbone, config.encoder_weights) == expected
    assert ("segmentation-toolkit[lite]" in why.get("encoder_weights", "")) == (expected[1] is None)
    told = {one.key: one.value for one in result.recognised}
    assert told.get("encoder_weights") == (None if gpu else "imagenet" if installed else "null")


def test_a_folder_of_test_images_and_one_with_masks_of_its_own(unknown: Path) -> None:
    for split in ("train", "val"):
        with_images(unknown, f"{split}/images/{{id}}.png")
        with_masks(unknown, f"{split}/masks/{{id}}.png")
    with_images(unknown, "test/images/{id}.png", IDS[:3])
    result, config, why = recognised(unknown)
    assert str(config.data.images).endswith("train/images")
    assert str(config.data.test).endswith("test/images")
    assert "from its name, the folder holds test images" in why["data.test"]
    assert any("val/images" in line and "extra_train_data" in line for line in result.not_used)


@pytest.mark.parametrize("order", ["column", "row"])
def test_the_pixel_order_is_recognised_by_coherent_masks(unknown: Path, order: Any) -> None:
    with_images(unknown)
    rows = [f"{image_id},{encode(mask, order)}" for image_id, (_, mask) in PICTURES.items()]
    write(unknown / "train.csv", "\n".join(["name,mask_rle", *rows]))
    result, config, why = recognised(unknown)
    assert config.data.table_format.pixel_order == order
    assert "torn" in why["data.masks"]
    assert_masks_are_ours(config)
    assert other(result, "data.masks") == ""


@pytest.mark.parametrize("order", ["column", "row"])
def test_mask_files_show_the_pixel_order_of_a_table_of_objects(unknown: Path, order: Any) -> None:
    with_images(unknown)
    with_masks(unknown)
    rows = []
    for image_id, (_, mask) in PICTURES.items():
        left, right = mask.copy(), mask.copy()
        middle = int(np.mean(np.nonzero(mask)[1])) if mask.any() else 0
        left[:, middle:], right[:, :middle] = False, False
        rows += [f"{image_id},{encode(part, order)}" for part in (left, right)]
    write(unknown / "labels.csv", "\n".join(["ImageId,EncodedPixels", *rows]))
    result, config, why = recognised(unknown)
    assert config.data.masks is not None
    assert config.data.masks.name == "labels.csv"
    assert "masks equal their mask files" in why["data.masks"]
    assert "train/masks" in other(result, "data.masks")
    assert config.data.table_format.rows == "object"
    assert_masks_are_ours(config)


def test_relative_starts_are_recognised(unknown: Path) -> None:
    with_images(unknown)
    rows = [f"{image_id},{encode(mask, relative=True) or '-1'}" for image_id, (_, mask) in PICTURES.items()]
    write(unknown / "train-rle.csv", "\n".join(["ImageId,EncodedPixels", *rows]))
    result, config, why = recognised(unknown)
    assert config.data.table_format.relative
    assert "relative" in why["data.masks"]
    assert result.experiment == "baseline"


def test_a_table_of_classes_with_a_sample_is_described_as_a_competition(unknown: Path) -> None:
    with_images(unknown, "train/{id}.jpg")
    with_images(unknown, "test/{id}.jpg", IDS[:3])
    rows = [
        f"{image_id}.jpg_{name},{encode(mask) if name == 'Big' else ''}"
        for image_id, (_, mask) in PICTURES.items()
        for name in ("Big", "Small")
    ]
    write(unknown / "train.csv", "\n".join(["Picture_Kind,Runs", *rows]))
    asked = [f"{image_id}.jpg_{name},1 1" for image_id in IDS[:3] for name in ("Big", "Small")]
    write(unknown / "sample_submission.csv", "\n".join(["Picture_Kind,Runs", *asked]))
    for image_id in IDS[:3]:
        (unknown / "test" / f"{image_id}.jpg").rename(unknown / "test" / f"t{image_id}.jpg")
    sample = (unknown / "sample_submission.csv").read_text()
    write(unknown / "sample_submission.csv", sample.replace("\ns", "\nts"))
    _, config, why = recognised(unknown)
    form = config.data.table_format
    assert form.classes == ("Big", "Small")
    assert form.id == "{id}.jpg_{class}"
    assert config.class_count == 2
    assert config.activation == "sigmoid"
    assert "submission has 3" in why["data.test"]


def test_a_known_competition_is_found_by_columns_and_ids(unknown: Path) -> None:
    with_images(unknown)
    rows = [f"{image_id},{encode(mask)}" for image_id, (_, mask) in PICTURES.items()]
    write(unknown / "train.csv", "\n".join(["id,rle_mask", *rows]))
    _, config, why = recognised(unknown)
    assert config.data.competition is not None
    assert config.data.competition.name == "tgs-salt"
    assert config.primary_metric == "salt_map"
    assert "id, rle_mask" in why["data.competition"]


def index_mask(mask: np.ndarray) -> np.ndarray:
    """0, 1, 2 in stripes, and 255 where the mask is."""
    stripes = np.indices(mask.shape)[0] // 14 % 3
    return np.where(mask, 255, stripes).astype(np.uint8)


def test_index_masks_with_ignored_become_exclusive_classes(unknown: Path) -> None:
    with_images(unknown)
    with_masks(unknown, draw=index_mask)
    write(unknown / "codes.txt", "sky\nroad\ncar\n")
    result, config, why = recognised(unknown)
    assert config.classes == ("sky", "road", "car")
    assert config.activation == "softmax"
    assert config.data.ignore == 255
    assert "one more class" in other(result, "data.ignore")
    assert "codes.txt" in why["classes"]
    assert config.primary_metric == "miou"


@pytest.mark.parametrize(("overlap", "activation"), [(False, "softmax"), (True, "sigmoid")])
def test_each_channel_of_masks_becomes_a_class(unknown: Path, overlap: bool, activation: str) -> None:
    with_images(unknown)
    for image_id in IDS:
        mask = PICTURES[image_id][1]
        planes = np.eye(4, dtype=np.uint8)[np.where(mask, 3, np.indices(mask.shape)[0] // 14 % 3)]
        planes[..., 1] |= np.uint8(overlap) & mask
        path = unknown / f"train/masks/{image_id}.npy"
        path.parent.mkdir(exist_ok=True)
        np.save(path, planes)
    _, config, why = recognised(unknown)
    assert (config.class_count, config.activation, config.data.mask_encoding) == (4, activation, "channels")
    assert why["data.mask_encoding"] == "each channel is a class"


def test_two_values_and_ignored_are_one_class(unknown: Path) -> None:
    with_images(unknown)
    with_masks(unknown, draw=lambda mask: np.where(np.indices(mask.shape)[1] < 5, 255, mask).astype(np.uint8))
    _, config, _ = recognised(unknown)
    assert config.classes == 1
    assert config.data.ignore == 255


def test_inverted_masks_are_reported(unknown: Path) -> None:
    with_images(unknown)
    with_masks(unknown, draw=lambda mask: (~mask).astype(np.uint8) * 255)
    save(unknown / "train" / "masks" / f"{IDS[0]}.png", np.eye(*SIZE, dtype=np.uint8) * 255)
    result, _, why = recognised(unknown)
    assert "% of the pixels" in why["data.mask_values"]
    assert "mask_values: [0]" in other(result, "data.mask_values")


def test_blurred_borders_are_cut_in_the_middle(unknown: Path) -> None:
    with_images(unknown)
    with_masks(unknown, draw=lambda mask: cv2.GaussianBlur(mask.astype(np.uint8) * 255, (0, 0), 0.6))
    _, config, why = recognised(unknown)
    assert "blurred borders" in why["data.masks"]
    assert config.data.value_ranges == {"foreground": (128, 255)}
    data = find_dataset(config, Silent()).labelled
    equal = [(data.read_labels(image_id) == 1) == PICTURES[image_id][1] for image_id in IDS]
    assert np.mean(equal) > 0.99


def test_the_layout_with_one_folder_for_each_image(unknown: Path) -> None:
    with_images(unknown, "stage1_train/{id}/images/{id}.png")
    for image_id in IDS:
        mask = PICTURES[image_id][1].astype(np.uint8) * 255
        save(unknown / "stage1_train" / image_id / "masks" / f"{image_id[::-1]}0.png", mask)
        save(unknown / "stage1_train" / image_id / "masks" / f"{image_id[::-1]}1.png", mask * 0)
    with_images(unknown, "stage1_test/{id}/images/{id}.png", IDS[:4])
    result, config, _ = recognised(unknown)
    assert result.training_images == len(IDS)
    assert result.test_images == 4
    assert config.data.mask_name == "{id}/masks/*.png"
    assert_masks_are_ours(config)


@pytest.mark.parametrize("name", ["{id}_mask.png", "{id}_label.png", "gt_{id}.png"])
def test_mask_names_derived_from_image_names(unknown: Path, name: str) -> None:
    with_images(unknown, "photos/{id}.jpg")
    with_masks(unknown, f"labels/{name}")
    _, config, _ = recognised(unknown)
    assert config.data.mask_name == name
    assert_masks_are_ours(config)


def test_images_and_masks_in_one_folder(unknown: Path) -> None:
    with_images(unknown, "train/{id}.png")
    with_masks(unknown, "train/{id}_mask.png")
    result, config, _ = recognised(unknown)
    assert result.training_images == len(IDS)
    assert_masks_are_ours(config)


def test_a_folder_of_masks_for_each_class(unknown: Path) -> None:
    with_images(unknown, "images/{id}.png")
    with_masks(unknown, "masks/blob/{id}.png")
    with_masks(unknown, "masks/rim/{id}.png", lambda mask: (mask ^ np.roll(mask, 1, 1)).astype(np.uint8) * 255)
    _, config, _ = recognised(unknown)
    assert config.classes == ("blob", "rim")
    assert config.activation == "sigmoid"
    assert_masks_are_ours_in_bits(config)


def assert_masks_are_ours_in_bits(config: Config) -> None:
    data = find_dataset(config, Silent()).labelled
    for image_id in IDS:
        assert np.array_equal(data.read_labels(image_id) & 1 == 1, PICTURES[image_id][1]), image_id


def test_colours_get_their_names_from_a_table(unknown: Path) -> None:
    with_images(unknown)
    colours = np.array([[0, 0, 0], [128, 64, 128], [0, 0, 142]], np.uint8)
    with_masks(unknown, draw=lambda mask: colours[np.where(mask, 2, np.indices(mask.shape)[0] // 20 % 2)])
    write(unknown / "class_dict.csv", "name,r,g,b\nnothing,0,0,0\nroad,128,64,128\ncar,0,0,142\n")
    _, config, why = recognised(unknown)
    assert set(config.task_classes.names) == {"nothing", "road", "car"}
    assert config.task_classes.names[0] == "nothing"
    assert "class_dict.csv" in why["data.colors"]


def test_numbered_objects(unknown: Path) -> None:
    with_images(unknown)

    def numbered(mask: np.ndarray) -> np.ndarray:
        spots = np.zeros(mask.shape, np.uint8)
        for number in range(1, 2 + int(mask.sum()) % 5):
            spots[8 * number - 6 : 8 * number - 2, 5:9] = number
        return spots

    with_masks(unknown, draw=numbered)
    result, config, _ = recognised(unknown)
    assert config.data.mask_encoding == "instances"
    assert "index masks" in other(result, "data.mask_encoding")


def test_objects_of_coco(unknown: Path) -> None:
    with_images(unknown, "images/{id}.png")
    square = [[5, 5, 20, 5, 20, 20, 5, 20]]
    tree = {
        "images": [
            {"id": n, "file_name": f"{image_id}.png", "height": SIZE[0], "width": SIZE[1]}
            for n, image_id in enumerate(IDS)
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1 + n % 2, "segmentation": square, "iscrowd": 0}
            for n in range(len(IDS))
        ],
    }
    write(unknown / "annotations.json", json.dumps(tree))
    _, config, _ = recognised(unknown)
    assert config.classes == ("cat", "dog")
    assert config.data.masks is not None
    assert config.data.masks.name == "annotations.json"


def test_objects_of_labelme(unknown: Path) -> None:
    with_images(unknown, "train/{id}.png")
    for image_id in IDS:
        shape = {"label": "cell", "shape_type": "polygon", "points": [[5, 5], [20, 5], [20, 20], [5, 20]]}
        tree = {"shapes": [shape], "imagePath": f"{image_id}.png", "imageHeight": SIZE[0], "imageWidth": SIZE[1]}
        write(unknown / "train" / f"{image_id}.json", json.dumps(tree))
    _, config, why = recognised(unknown)
    assert config.classes == ("cell",)
    assert "labelme" in why["data.masks"]


def test_a_mask_folder_named_after_the_image_folder(unknown: Path) -> None:
    with_images(unknown, "train/{id}_01.jpg")
    with_masks(unknown, "train_masks/{id}_01_mask.gif")
    with_images(unknown, "test/{id}_02.jpg", IDS[:2])
    rows = [f"{image_id}_01.jpg,{encode(mask, 'row')}" for image_id, (_, mask) in PICTURES.items()]
    write(unknown / "train_masks.csv", "\n".join(["img,rle_mask", *rows]))
    write(unknown / "sample_submission.csv", "\n".join(["img,rle_mask", *(f"{one}_02.jpg,1 1" for one in IDS[:2])]))
    result, config, _ = recognised(unknown)
    assert config.data.table_format.pixel_order == "row"
    assert config.data.mask_name == "{id}_mask.gif"
    assert result.test_images == 2
    assert "same masks for 100%" in other(result, "data.masks")


def test_metadata_are_used_with_their_column_of_ids(unknown: Path) -> None:
    with_images(unknown)
    with_masks(unknown)
    write(unknown / "patients.csv", "file,patient\n" + "".join(f"{image_id}.png,p{image_id[1]}\n" for image_id in IDS))
    result, config, why = recognised(unknown)
    assert config.data.metadata is not None
    assert config.data.metadata_id == "file"
    assert "patient" in why["data.metadata"]
    assert "groups: patient" in other(result, "data.metadata")


def test_values_beyond_8_bits_get_a_range(unknown: Path) -> None:
    for image_id, (image, _) in PICTURES.items():
        save(unknown / "images" / f"{image_id}.png", image[..., 0].astype(np.uint16) * 15)
    with_masks(unknown, "masks/{id}.png")
    _, config, why = recognised(unknown)
    assert config.data.value_range == ((0, 4095),)
    assert "12 bits" in why["data.value_range"]


def test_further_images_of_the_same_ids_may_be_channels(unknown: Path) -> None:
    with_images(unknown, "images/{id}.png")
    with_images(unknown, "infrared/{id}.png")
    with_masks(unknown, "masks/{id}.png")
    result, _, _ = recognised(unknown)
    assert any("further channels" in line for line in result.not_used)


@pytest.mark.train  # takes a second
def test_large_images_are_cut_into_patches(unknown: Path) -> None:
    for number in range(2):
        image, mask = picture(1 + number, (900, 1100))
        save(unknown / "images" / f"{number}.png", image)
        save(unknown / "masks" / f"{number}.png", mask.astype(np.uint8))
    _, config, why = recognised(unknown)
    assert config.patches is not None
    assert config.patches.per_image > 2
    assert config.folds_count == 2
    assert "900×1100" in why["shape"]


def test_other_files_are_listed(unknown: Path) -> None:
    with_images(unknown)
    with_masks(unknown)
    with_images(unknown, "unlabelled/{id}.png", IDS[:2])
    write(unknown / "prices.csv", "a,b\n1,2\n")
    write(unknown / "notes.pdf", "?")
    result, _, _ = recognised(unknown)
    told = "\n".join(result.not_used)
    for words in ("unlabelled: 2 images without masks", "prices.csv", "1 .pdf file"):
        assert words in told
    text = (unknown.parent / "work" / "experiments" / "baseline" / "config.yaml").read_text()
    assert "prices.csv" in text


def with_index_masks(folder: Path, missing: int | None = None) -> None:
    """Masks of the numbers 0 to 3 in stripes; one number may never occur."""

    def draw(mask: np.ndarray) -> np.ndarray:
        stripes = np.indices(mask.shape)[1] // 14 % 4
        return np.where(mask | (stripes == missing), 0, stripes).astype(np.uint8)

    with_images(folder)
    with_masks(folder, draw=draw)
    with_images(folder, "test/images/t{id}.png", IDS[:2])


def with_sample(folder: Path, names: list[str]) -> None:
    asked = [f"t{image_id},{name},1 1" for image_id in IDS[:2] for name in names]
    write(folder / "sample_submission.csv", "\n".join(["id,class,rle_mask", *asked]))


DESCRIBED = "name: own\nmetric: miou\nrows: class\nclasses: [tree, bush, moss]\ncolumns: [id, class, rle_mask]\n"


@pytest.mark.parametrize("missing", [None, 2, 3])
def test_the_competition_that_a_folder_describes_names_the_classes_of_index_masks(
    unknown: Path, missing: int | None
) -> None:
    with_index_masks(unknown, missing)
    with_sample(unknown, ["tree", "bush", "moss"])
    write(unknown / "competition.yaml", DESCRIBED)
    result, config, why = recognised(unknown)
    assert config.classes == ("background", "tree", "bush", "moss")
    assert config.activation == "softmax"
    assert config.data.table_format.name == "own"
    assert "in the order of the competition" in why["classes"]
    assert why["data.competition"] == "competition.yaml describes it"
    assert result.not_used == []


def test_a_sample_names_classes_in_its_order(unknown: Path) -> None:
    with_index_masks(unknown)
    with_sample(unknown, ["tree", "bush", "moss"])
    _, config, why = recognised(unknown)
    assert config.classes == ("background", "tree", "bush", "moss")
    assert config.data.table_format.classes == ("tree", "bush", "moss")
    assert "in the order of the table" in why["classes"]


def test_a_sample_with_other_classes_than_the_masks_is_left_out(unknown: Path) -> None:
    with_index_masks(unknown)
    with_sample(unknown, ["tree", "bush"])
    _, config, why = recognised(unknown)
    assert config.data.competition is None
    assert config.data.sample_submission is None
    assert "its rows have the classes tree, bush" in why["data.competition"]


def test_a_competition_yaml_of_another_kind_is_reported(unknown: Path) -> None:
    with_images(unknown)
    with_masks(unknown)
    write(unknown / "competition.yaml", "title: Bundle\nphases: []\n")
    result, config, _ = recognised(unknown)
    assert config.data.competition is None
    assert "competition.yaml is not a valid description of a competition" in result.not_used[0]


def test_rows_of_objects_are_merged_by_class(unknown: Path) -> None:
    with_images(unknown)
    rows = []
    for image_id, (_, mask) in PICTURES.items():
        upper, lower = mask.copy(), mask.copy()
        upper[20:], lower[:20] = False, False
        rows += [f"{image_id},big,{encode(upper)}", f"{image_id},big,{encode(lower)}", f"{image_id},small,9 2"]
    write(unknown / "labels.csv", "\n".join(["name,category,runs", *rows]))
    _, config, _ = recognised(unknown)
    assert config.data.table_format.rows == "class"
    assert config.task_classes.names == ("big", "small")
    assert_masks_are_ours_in_bits(config)


def test_a_solution_is_not_mistaken_for_a_sample(unknown: Path) -> None:
    with_images(unknown)
    with_masks(unknown)
    with_images(unknown, "test/images/t{id}.png", IDS[:2])
    header = "id,rle_mask"
    write(unknown / "hidden.csv", "\n".join([header, *(f"t{one},{n + 1} 2" for n, one in enumerate(IDS[:2]))]))
    write(unknown / "sample_submission.csv", "\n".join([header, *(f"t{one},1 1" for one in IDS[:2])]))
    result, config, _ = recognised(unknown)
    assert config.data.sample_submission is not None
    assert config.data.sample_submission.name == "sample_submission.csv"
    assert any("hidden.csv" in line and "solution" in line for line in result.not_used)


def test_a_folder_named_after_objects_is_not_a_channel(unknown: Path) -> None:
    with_images(unknown)
    with_masks(unknown)
    with_masks(unknown, "train/instances/{id}.png")
    result, _, _ = recognised(unknown)
    assert any("train/instances" in line and "mask_encoding: instances" in line for line in result.not_used)


def test_masks_saved_as_jpeg_are_cut_in_the_middle(unknown: Path) -> None:
    with_images(unknown, "images/{id}.jpg")
    with_masks(unknown, "masks/{id}.jpg")
    _, config, why = recognised(unknown)
    assert config.data.value_ranges is not None
    assert "lossy compression" in why["data.value_ranges"]
    data = find_dataset(config, Silent()).labelled
    equal = [(data.read_labels(image_id) == 1) == PICTURES[image_id][1] for image_id in IDS]
    assert np.mean(equal) > 0.99


def test_masks_without_matching_names_are_reported(unknown: Path) -> None:
    with_masks(unknown, "masks/{id}.png")
    with pytest.raises(NothingToLearnError, match="holds masks, but no images"):
        recognised(unknown)
    with_images(unknown, "images/{id}x{id}.png")
    with pytest.raises(NothingToLearnError, match="no masks with the same names") as told:
        recognised(unknown)
    for words in ("images: 12 images, for example s00xs00.png", "masks: 12 masks, by the name of the folder"):
        assert words in told.value.message


def test_a_file_instead_of_a_folder_is_refused(unknown: Path) -> None:
    write(unknown / "data.zip", "PK")
    with pytest.raises(MissingFileError, match=r"data\.zip is a file, not a folder"):
        recognised(unknown / "data.zip")


def test_nothing_is_overwritten(unknown: Path) -> None:
    with_images(unknown)
    with_masks(unknown)
    recognised(unknown)
    config = unknown.parent / "work" / "experiments" / "baseline" / "config.yaml"
    config.write_text("mine")
    with pytest.raises(ConfigError, match="already exists"):
        init(Session(Workspace(unknown.parent / "work")), unknown)
    assert config.read_text() == "mine"


def test_folders_without_masks_or_images_are_refused_with_their_contents(unknown: Path) -> None:
    write(unknown / "sample_submission.csv", "img,rle_mask\na_01.jpg,1 1\nb_02.jpg,1 1\n")
    with pytest.raises(NothingToLearnError, match="holds no images") as told:
        init(Session(Workspace(unknown.parent / "work")), unknown)
    assert "like carvana" in told.value.message
    with_images(unknown)
    with pytest.raises(NothingToLearnError, match="12 images, but no masks"):
        init(Session(Workspace(unknown.parent / "work")), unknown)
    with pytest.raises(MissingFileError, match="there is no folder"):
        init(Session(Workspace(unknown.parent / "work")), unknown / "nowhere")
    assert not (unknown.parent / "work" / "experiments" / "baseline").exists()


def test_the_command_prints_json(unknown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_images(unknown)
    with_masks(unknown)
    monkeypatch.chdir(unknown.parent)
    result = CliRunner().invoke(app, ["init", "unknown", "--name", "first", "--json"])
    assert result.exit_code == 0, result.output
    tree = json.loads(result.stdout)
    assert tree["experiment"] == "first"
    assert {one["key"] for one in tree["recognised"]} >= {"data.images", "data.masks", "shape"}
    assert CliRunner().invoke(app, ["init", "unknown", "--name", "first"]).exit_code == ConfigError.exit_code


def test_unreadable_files_are_listed(unknown: Path) -> None:
    with_images(unknown)
    with_masks(unknown)
    (unknown / "gone.csv").symlink_to(unknown / "nowhere")
    write(unknown / "empty.csv", "")
    write(unknown / "broken.json", "{")
    write(unknown / "deep.json", "[" * 100_000)
    write(unknown / "odd.json", json.dumps({"images": None, "annotations": 3, "categories": ["a"]}))
    write(unknown / "some.csv", f"id,depth\n{IDS[0]},3\n{IDS[1]},4\n")
    result, config, _ = recognised(unknown)
    told = "\n".join(result.not_used)
    for name in (
        "gone.csv: not understood; ",
        "empty.csv: not understood; ",
        "2 JSON files: broken.json, deep.json",
        "odd.json: ",
    ):
        assert name in told
    assert "some.csv: metadata" in told
    assert "it lists only 2 of the 12 images" in told
    assert config.data.metadata is None


def test_only_unreadable_images_are_refused_with_the_reason(unknown: Path) -> None:
    for image_id in IDS:
        write(unknown / "train" / "images" / f"{image_id}.png", "no image")
    with_masks(unknown)
    with pytest.raises(DataError, match=r"none of the 12 images in .* can be read") as told:
        init(Session(Workspace(unknown.parent / "work")), unknown)
    assert "s00.png is not an image" in told.value.advice


def test_masks_that_all_have_another_size_are_refused(unknown: Path) -> None:
    with_images(unknown)
    with_masks(unknown, draw=lambda mask: np.kron(mask, np.full((2, 2), 255, np.uint8)))
    with pytest.raises(DataError, match=r"none of the masks has the size of its image .* the mask is 80×112"):
        recognised(unknown)
    work = Workspace(unknown.parent / "work")
    assert not list(work.experiments.glob("*/config.yaml"))
    save(unknown / "train/masks/s05.png", PICTURES["s05"][1].astype(np.uint8) * 255)
    result = init(Session(work), unknown)
    assert any("11 masks have another size than the image" in line for line in result.not_used)
