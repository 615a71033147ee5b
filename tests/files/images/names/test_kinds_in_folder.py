"""Covers toolkit/files/images/names/kinds_in_folder.py and image_folder.py."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from toolkit.files.images.decoding import image_id_of
from toolkit.files.images.names.image_folder import ImageFolder
from toolkit.files.images.names.kinds_in_folder import (
    gathered,
    is_mask_kind,
    is_mask_name,
    is_person,
    kinds_of,
    shows_no_image,
)


def folder(names: Sequence[str], place: str = "f") -> ImageFolder:
    return ImageFolder(Path(place), place, {image_id_of(name): Path(place) / name for name in names})


def patterns(names: Sequence[str]) -> dict[str, int]:
    return {kind.pattern: len(kind.paths) for kind in kinds_of(folder(names))}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("{}_sat.jpg", "{}_mask.png"), ("{id}_sat.jpg", "{id}_mask.png")),
        (("{}.jpg", "{}_superpixels.png"), ("{id}.jpg", "{id}_superpixels.png")),
        (("image-{}.jpg", "label-{}.png"), ("image-{id}.jpg", "label-{id}.png")),
        (("a_{}L.jpg", "a_{}L_1stHO.png"), ("{id}.jpg", "{id}_1stHO.png")),
        (
            ("t_{}_019_gt_labelIds.png", "t_{}_019_gt_color.png", "t_{}_019_gt_instanceIds.png"),
            ("{id}_gt_labelIds.png", "{id}_gt_color.png", "{id}_gt_instanceIds.png"),
        ),
    ],
)
def test_words_before_or_after_the_ids_are_kinds(names: tuple[str, ...], expected: tuple[str, ...]) -> None:
    listed = [name.format(number) for number in range(8) for name in names]
    assert patterns(listed) == dict.fromkeys(expected, 8)


@pytest.mark.parametrize("name", ["{}.png", "x_{}.png", "img_{}_7.png", "{}_0.png"])
def test_numbers_are_not_kinds(name: str) -> None:
    assert patterns([name.format(number) for number in range(8)]) == {"": 8}


def test_words_that_differ_in_every_name_are_not_kinds() -> None:
    assert patterns(["scan_a.png", "scan_b.png", "scan_c.png"]) == {"": 3}


def test_images_without_a_mask_stay_with_the_images() -> None:
    names = [f"{number}_sat.jpg" for number in range(8)] + [f"{number}_mask.png" for number in range(5)]
    assert patterns(names) == {"{id}_sat.jpg": 8, "{id}_mask.png": 5}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("masks", True), ("gtFine", True), ("1st_manual", True), ("SegmentationClass", True), ("images", False),
     ("leftImg8bit", False), ("aachen", None), ("train", None)],
)  # fmt: skip
def test_names_of_masks(name: str, expected: bool | None) -> None:
    assert is_mask_name(name) is expected


def test_patterns_say_what_files_show() -> None:
    masks = [ImageFolder(Path("f"), "f", {}, pattern) for pattern in ("{id}_L.png", "mask_{id}.png", "{id}.png")]
    assert [is_mask_kind(one) for one in masks] == [True, True, False]
    assert shows_no_image(ImageFolder(Path("f"), "f", {}, "{id}_superpixels.png"))
    assert not shows_no_image(ImageFolder(Path("f"), "f", {}, "{id}_sat.png"))
    assert [is_person(word) for word in ("1stHO", "expert2", "cell")] == [True, True, False]


def cities(root: str, ending: str, names: Sequence[str] = ("a", "b")) -> list[ImageFolder]:
    return [folder([f"{name}_{number}{ending}" for number in range(3)], f"{root}/{name}") for name in names]


def test_folders_of_cities_are_united_where_images_and_masks_have_the_same() -> None:
    found = gathered([*cities("img/train", ".png"), *cities("gt/train", "_ids.png"), *cities("img/test", ".png", "cd")])
    assert {(one.name, one.pattern): len(one.paths) for one in found} == {
        ("gt/train", "*/{id}.png"): 6,
        ("img/test", "*/{id}.png"): 6,
        ("img/train", "*/{id}.png"): 6,
    }


def test_folders_with_names_of_roles_are_not_united() -> None:
    names = ("images", "masks")
    apart = [*cities("train", ".png", names), *cities("val", "_x.png", names)]
    assert gathered(apart) == apart
    alone = cities("img", ".png")
    assert gathered(alone) == alone
