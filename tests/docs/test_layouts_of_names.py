"""The rows of docs/data.md about names of files: tk init writes the lines of the table."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from toolkit.commands.session import Session
from toolkit.commands.starting.init import InitResult, init
from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.config.yaml.yaml_files import read_value
from toolkit.core.arrays import Mask
from toolkit.errors import NothingToLearnError
from toolkit.files.data.finding import find_test_images
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.experiment.workspace import Workspace

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
SIZE = (24, 32)
COUNT = 12
CITIES = ("aachen", "bochum")
RED, GREEN = (255, 0, 0), (0, 255, 0)
LEFT = np.arange(SIZE[1]) < 24


def rows() -> dict[str, str]:
    """The lines of each row of the table, by what the reader has."""
    text = PAGE.read_text().partition("## What you have, and the lines to write")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    return {row[0]: row[2] for row in cells if len(row) == 3}


def lines_of(have: str) -> dict[str, Any]:
    """The keys and values in a row whose first cell begins with these words."""
    (lines,) = [lines for cell, lines in rows().items() if cell.startswith(have)]
    found = re.findall(r"`(\w+): (.*?)`(?:,|$)", lines)
    return {key: read_value(value, "the page") for key, value in found}


def mask_of(number: int) -> Mask:
    """A rectangle that differs from number to number; none for some."""
    mask = np.zeros(SIZE, np.bool_)
    if number % 5:
        mask[3 : 6 + number, 4 + number : 20] = True
    return mask


def save(path: Path, pixels: np.ndarray, **how: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **how)


def picture(path: Path, number: int) -> None:
    noise = np.random.default_rng(number).normal(90, 9, (*SIZE, 3)) + 90 * mask_of(number)[..., None]
    save(path, noise.clip(0, 255).astype(np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def written(folder: Path, *names: str, masks: str = "", parts: Callable[[Path, Mask], None] | None = None) -> None:
    """Images of these names, and masks; `{n}` is a number, `{c}` a city."""
    for number in range(1, COUNT + 1):
        fields = {"n": f"{number:02d}", "c": CITIES[number % 2]}
        for name in names:
            picture(folder / name.format(**fields), number)
        if masks:
            path = folder / masks.format(**fields)
            draw(path, mask_of(number)) if parts is None else parts(path, mask_of(number))


def draw(path: Path, mask: Mask) -> None:
    save(path, mask.astype(np.uint8) * 255)


def recognised(folder: Path) -> tuple[InitResult, Config]:
    work = Workspace(folder.parent / "work")
    result = init(Session(work), folder)
    return result, load_config(work.find("baseline").config).config


def assert_masks(config: Config, ids: list[str], number_of: Callable[[str], int] = int) -> None:
    data = find_labelled(config)
    assert data.images.ids == tuple(ids)
    for image_id in ids:
        assert np.array_equal(data.read_labels(image_id) > 0, mask_of(number_of(image_id))), image_id


IDS = [f"{number:02d}" for number in range(1, COUNT + 1)]


@pytest.mark.parametrize(
    ("have", "images", "masks"),
    [
        ("`images/12.png`", "images/{n}.png", "masks/{n}.png"),
        ("`images/image_12.png`", "images/image_{n}.png", "masks/mask_{n}.png"),
        ("`train/12_sat.jpg`", "train/{n}_sat.jpg", "train/{n}_mask.png"),
        ("`train/12.jpg`", "train/{n}.jpg", "train/{n}.png"),
    ],
)
def test_names_of_images_and_masks(folder: Path, have: str, images: str, masks: str) -> None:
    written(folder, images, masks=masks)
    _, config = recognised(folder)
    lines = lines_of(have)
    assert (config.data.image_name, config.data.mask_name) == (lines.get("image_name"), lines.get("mask_name"))
    assert_masks(config, IDS)


def test_drive(folder: Path) -> None:
    written(folder, "training/images/{n}_training.tif", masks="training/1st_manual/{n}_manual1.gif")
    written(folder, "test/images/{n}_test.tif")
    _, config = recognised(folder)
    lines = lines_of("DRIVE")
    data = config.data
    assert {"image_name": data.image_name, "mask_name": data.mask_name, "test_name": data.test_name} == lines
    assert_masks(config, IDS)
    test = find_test_images(data, 3)
    assert test is not None
    assert test.ids == tuple(IDS)


def test_cityscapes(folder: Path) -> None:
    for part in ("train", "val"):
        written(
            folder, f"leftImg8bit/{part}/{{c}}/{{c}}_{{n}}_leftImg8bit.png",
            masks=f"gtFine/{part}/{{c}}/{{c}}_{{n}}_gtFine_labelIds.png",
        )  # fmt: skip
        written(folder, masks=f"gtFine/{part}/{{c}}/{{c}}_{{n}}_gtFine_instanceIds.png")
    result, config = recognised(folder)
    assert {"image_name": config.data.image_name, "mask_name": config.data.mask_name} == lines_of("Cityscapes")
    ids = sorted(f"{CITIES[number % 2]}_{number:02d}" for number in range(1, COUNT + 1))
    assert_masks(config, ids, lambda image_id: int(image_id[-2:]))
    assert any('mask_name: "*/{id}_gtFine_instanceIds.png"' in line for line in result.not_used)
    assert any("leftImg8bit/val" in line for line in result.not_used)


def test_pascal_voc(folder: Path) -> None:
    written(folder / "VOC", "JPEGImages/{n}.jpg", masks="SegmentationClass/{n}.png")
    written(folder / "VOC", masks="SegmentationObject/{n}.png", parts=lambda path, mask: save(path, np.uint8(3) * mask))
    for number in range(COUNT + 1, 2 * COUNT):
        picture(folder / "VOC" / "JPEGImages" / f"{number:02d}.jpg", number)
    lists = folder / "VOC" / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for name, ids in (("train", IDS[:8]), ("val", IDS[8:]), ("trainval", IDS)):
        (lists / f"{name}.txt").write_text("\n".join(ids) + "\n")
    result, config = recognised(folder)
    (listed,) = config.data.id_lists
    assert listed.samefile(folder / lines_of("Pascal VOC")["ids"])
    assert config.data.mask_name is None
    assert_masks(config, IDS)
    assert any("masks: VOC/SegmentationObject" in line for line in result.not_used)


def test_drawings_beside_images(folder: Path) -> None:
    for part in ("Training", "Test"):
        written(folder, f"ISIC_{part}_Data/{{n}}.jpg", f"ISIC_{part}_Data/{{n}}_superpixels.png")
    written(folder, masks="ISIC_Training_GroundTruth/{n}_segmentation.png")
    result, config = recognised(folder)
    assert {"image_name": config.data.image_name, "mask_name": config.data.mask_name} == lines_of("ISIC")
    assert_masks(config, IDS)
    test = find_test_images(config.data, 3)
    assert test is not None
    assert test.ids == tuple(IDS)
    assert any("{id}_superpixels.png" in line for line in result.not_used)


def test_drawings_with_the_extension_of_images(folder: Path) -> None:
    written(folder, "images/{n}.png", "images/{n}_overlay.png", masks="masks/{n}.png")
    written(folder, "test/{n}.png", "test/{n}_overlay.png")
    _, config = recognised(folder)
    assert {"image_name": config.data.image_name, "exclude": config.data.exclude} == lines_of("`12_overlay.png`")
    assert_masks(config, IDS)
    test = find_test_images(config.data, 3)
    assert test is not None
    assert test.ids == tuple(IDS)


def test_several_masks_of_an_image(folder: Path) -> None:
    def halves(path: Path, mask: Mask) -> None:
        left = np.arange(SIZE[1]) < 14
        draw(path.with_name(f"{path.stem}_0.png"), mask & left)
        draw(path.with_name(f"{path.stem}_1.png"), mask & ~left)

    written(folder, "images/{n}.png", masks="masks/{n}.png", parts=halves)
    _, config = recognised(folder)
    assert {"mask_name": config.data.mask_name} == lines_of("several masks of an image")
    assert_masks(config, IDS)


def test_a_mask_for_each_class(folder: Path) -> None:
    def classes(path: Path, mask: Mask) -> None:
        draw(path.with_name(f"{path.stem}_cell.png"), mask)
        draw(path.with_name(f"{path.stem}_rim.png"), mask & ~np.roll(mask, 1, 1))

    written(folder, "images/{n}.png", masks="masks/{n}.png", parts=classes)
    _, config = recognised(folder)
    assert {"mask_name": config.data.mask_name} == lines_of("a mask for each class")
    assert config.classes == ("cell", "rim")
    assert_masks(config, IDS)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("the class before the id", "{}-{}.png"),
        ("a folder for each image", "{1}/{0}.png"),
        ("a folder for each class", "{}/{}_mask.png"),
    ],
)
def test_names_that_have_the_class_elsewhere(folder: Path, row: str, name: str) -> None:
    def classes(path: Path, mask: Mask) -> None:
        for one, drawn in (("cell", mask), ("rim", mask & ~np.roll(mask, 1, 1))):
            draw(path.parent / name.format(one, path.stem), drawn)

    written(folder, "images/{n}.png", masks="masks/{n}.png", parts=classes)
    _, config = recognised(folder)
    assert {"mask_name": config.data.mask_name} == lines_of(row)
    assert config.classes == ("cell", "rim")
    assert_masks(config, IDS)


def test_masks_of_other_values_in_sibling_folders_are_no_classes(folder: Path) -> None:
    written(folder, "images/{n}.png", masks="masks/kinds/{n}.png")
    numbered = (np.indices(SIZE)[0] // 6).astype(np.uint8)
    written(folder, masks="masks/parts/{n}.png", parts=lambda path, mask: save(path, numbered * mask))
    _, config = recognised(folder)
    assert config.classes == 1
    assert str(config.data.masks).endswith("masks/kinds")
    assert_masks(config, IDS)


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_colours_that_are_not_quite_pure(folder: Path, ending: str) -> None:
    def coloured(path: Path, mask: Mask) -> None:
        pixels = np.zeros((*SIZE, 3), np.uint8)
        pixels[mask] = RED
        pixels[:, ~LEFT] = GREEN
        wide = np.kron(pixels, np.ones((4, 4, 1), np.uint8))
        save(path.with_suffix(".jpg"), wide, quality=80)
        if ending == "png":
            with Image.open(path.with_suffix(".jpg")) as image:
                image.save(path.with_suffix(".png"))
            path.with_suffix(".jpg").unlink()

    written(folder, masks="masks/{n}.png", parts=coloured)
    for number in range(1, COUNT + 1):
        save(folder / "images" / f"{number:02d}.png", np.full((4 * SIZE[0], 4 * SIZE[1], 3), number, np.uint8))
    _, config = recognised(folder)
    lines = lines_of("colours that are not quite pure")
    assert config.data.nearest_color is lines["nearest_color"] is True
    assert config.data.colors is not None
    assert len(config.data.colors) == 3
    labels = [find_labelled(config).read_labels(image_id)[::4, ::4] for image_id in IDS]
    red = next(place for place, one in enumerate(config.data.colors.values()) if abs(np.array(one) - RED).max() < 60)
    equal = [np.mean((found == red) == (mask_of(int(one)) & LEFT)) for found, one in zip(labels, IDS, strict=True)]
    assert min(equal) > 0.97


def test_names_that_differ_in_leading_zeros_are_refused(folder: Path) -> None:
    written(folder, "images/image_0{n}x.png", masks="masks/mask_{n}x.png")
    assert lines_of("names that differ in leading zeros") == {}
    with pytest.raises(NothingToLearnError) as told:
        recognised(folder)
    assert "leading zeros" in told.value.advice


def test_kinds_that_are_not_read_are_refused_with_a_converter(folder: Path) -> None:
    written(folder, masks="masks/{n}.png")
    (folder / "images").mkdir()
    (folder / "images" / "01.nii").write_bytes(b"")
    assert lines_of("NIfTI, JPEG") == {}
    with pytest.raises(NothingToLearnError, match=r"1 \.nii file, images/01\.nii: not read; NIfTI volumes: nibabel"):
        recognised(folder)
