from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.files.images.names.pairing import pair_up, split_mixed
from toolkit.files.recognition.folders.folder_scan import scan_folder
from toolkit.files.recognition.folders.roles import Roles, find_roles, is_mask_folder

Touch = Callable[..., Path]


def roles(root: Path, labelled: tuple[str, ...] = (), asked: tuple[str, ...] = ()) -> Roles:
    return find_roles(scan_folder(root).folders, labelled, asked)


def test_images_and_masks_in_a_folder_for_each_image(touch: Touch) -> None:
    for one in ("p1", "p2", "p3", "p4"):
        touch(f"cases/{one}/image.png", f"cases/{one}/mask.png")
    found = roles(touch())
    assert found.images is not None
    assert found.images.pattern == "{id}/image.png"
    assert found.pairing is not None
    assert found.pairing.masks.pattern == "{id}/mask.png"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train/masks", True),
        ("trainannot", True),
        ("annotations/trainval", True),
        ("SegmentationClass/labels", True),
        ("labels/images", False),
        ("train", False),
        ("gt", True),
        ("groundtruth", True),
    ],
)
def test_mask_folders_are_recognised_by_their_names(touch: Touch, name: str, expected: bool) -> None:
    (folder,) = scan_folder(touch(f"{name}/1.png")).folders
    assert is_mask_folder(folder) == expected


def test_names_of_masks_follow_from_those_of_images(touch: Touch) -> None:
    root = touch(*(f"x/{one}.jpg" for one in "abc"), *(f"y/gt_{one}_L.png" for one in "ab"), "z/q.png")
    images, masks, others = scan_folder(root).folders
    found = pair_up(images, masks)
    assert found is not None
    assert (found.prefix, found.suffix) == ("gt_", "_L")
    assert found.share == pytest.approx(2 / 3)
    assert pair_up(images, others) is None


def test_images_and_masks_in_one_folder_are_separated(touch: Touch) -> None:
    (folder,) = scan_folder(touch(*(f"t/{one}{end}.tif" for one in "123" for end in ("", "_mask")))).folders
    images, masks = split_mixed(folder)
    assert sorted(images.paths) == ["1", "2", "3"]
    assert masks.pattern == "{id}_mask.tif"
    assert len(split_mixed(images)) == 1


def test_training_and_test_images_are_recognised_by_names_and_tables(touch: Touch) -> None:
    root = touch(*(f"{name}/{name}{number}.png" for name in ("a", "b", "c") for number in range(3)))
    found = roles(root, labelled=("b0", "b1", "b2"), asked=("c0", "c1", "c2"))
    assert found.images is not None
    assert found.images.name == "b"
    assert found.test is not None
    assert found.test.name == "c"
    assert "3 of its 3 images" in found.test_why
    assert [folder.name for folder, _ in found.unused] == ["a"]
    assert roles(root, labelled=("b0", "b1", "b2")).test is None


def test_masks_of_each_split_are_paired_with_its_images(touch: Touch) -> None:
    root = touch(*(f"{part}/{kind}/1.png" for part in ("train", "val") for kind in ("images", "masks")))
    found = roles(root)
    assert found.images is not None
    assert found.pairing is not None
    assert (found.images.name, found.pairing.masks.name) == ("train/images", "train/masks")
    assert found.validation is not None
    assert found.validation[1].masks.name == "val/masks"


def test_a_folder_of_masks_for_each_class(touch: Touch) -> None:
    root = touch("images/1.png", "masks/cat/1.png", "masks/dog/1.png")
    assert sorted(roles(root).class_folders) == ["cat", "dog"]


NUMBERS = range(1, 6)


def of_numbers(*names: str) -> tuple[str, ...]:
    return tuple(name.format(number) for number in NUMBERS for name in names)


@pytest.mark.parametrize(
    ("test", "test_name", "ids"),
    [
        ("image_{}.png", "", 5),
        ("test_{}.png", "test_{id}.png", 5),
        ("image_{}.jpg", "image_{id}.jpg", 5),
    ],
)
def test_names_of_test_images_may_differ(touch: Touch, test: str, test_name: str, ids: int) -> None:
    touch(*of_numbers("train/images/image_{}.png", "train/masks/mask_{}.png", f"test/images/{test}"))
    found = roles(touch())
    assert found.images is not None
    assert found.images.pattern == "image_{id}.png"
    assert found.test is not None
    assert (found.test_name, len(found.test.paths)) == (test_name, ids)


def test_tables_name_images_by_their_whole_names(touch: Touch) -> None:
    touch(*of_numbers("train/images/image_{}.png", "train/masks/mask_{}.png"))
    found = roles(touch(), labelled=tuple(f"image_{number}" for number in NUMBERS))
    assert found.pairing is None
    assert found.images is not None
    assert found.images.pattern == ""


def test_content_tells_masks_where_names_do_not(touch: Touch) -> None:
    folders = scan_folder(touch(*of_numbers("one/{}.jpg", "two/{}.png"))).folders
    found = find_roles(folders, (), (), are_masks=lambda folder: folder.name == "two")
    assert found.images is not None
    assert found.pairing is not None
    assert (found.images.name, found.pairing.masks.name) == ("one", "two")
    nothing = find_roles(folders, (), (), are_masks=lambda _: True)
    assert nothing.pairing is None


def test_files_that_the_pattern_would_take_for_images_are_excluded(touch: Touch) -> None:
    touch(*of_numbers("train/{}.png", "train/{}_mask.png", "test/{}.png", "test/{}_mask.png"))
    found = roles(touch())
    assert found.images is not None
    assert found.images.pattern == "{id}.png"
    assert found.exclude == ("*_mask.png",)


def test_masks_of_two_people_are_no_classes(touch: Touch) -> None:
    touch(*of_numbers("images/{}.png", "masks/{}_1stHO.png", "masks/{}_2ndHO.png"))
    found = roles(touch())
    assert found.class_folders == {}
    assert found.pairing is not None
    assert found.pairing.mask_name == "{id}_1stHO.png"
    assert [text for _, text in found.unused if 'mask_name: "{id}_2ndHO.png"' in text]


@pytest.mark.parametrize(
    ("one", "other", "pattern", "classes"),
    [
        ("{}_crack", "{}_rust", "{id}_{class}.png", ["crack", "rust"]),
        ("{}-crack", "{}-rust", "{id}-{class}.png", ["crack", "rust"]),
        ("crack_{}", "rust_{}", "{class}_{id}.png", ["crack", "rust"]),
        ("{}_mask_crack", "{}_mask_rust", "{id}_mask_{class}.png", ["crack", "rust"]),
        ("{}_left_lung", "{}_right_lung", "{id}_{class}_lung.png", ["left", "right"]),
        ("{}_cell_wall", "{}_rim", "{id}_{class}.png", ["cell_wall", "rim"]),
        ("crack/{}_mask", "rust/{}_mask", "{class}/{id}_mask.png", ["crack", "rust"]),
        ("{}/crack", "{}/rust", "{id}/{class}.png", ["crack", "rust"]),
        ("{}_r1", "{}_r2", "", []),
    ],
)
def test_names_of_mask_files_have_classes(touch: Touch, one: str, other: str, pattern: str, classes: list[str]) -> None:
    touch(*of_numbers("images/{}.png", f"masks/{one}.png", f"masks/{other}.png"))
    found = roles(touch())
    assert (found.class_name, sorted(found.class_folders)) == (pattern, classes)


def test_classes_are_binary(touch: Touch) -> None:
    touch(*of_numbers("images/{}.png", "masks/cell/{}.png", "masks/rim/{}.png"))
    folders = scan_folder(touch()).folders
    assert sorted(find_roles(folders, (), ()).class_folders) == ["cell", "rim"]
    found = find_roles(folders, (), (), are_binary=lambda folder: folder.name != "masks/rim")
    assert found.class_folders == {}


def test_folders_of_patients_are_no_classes(touch: Touch) -> None:
    touch(*(name for one in "abc" for name in of_numbers(f"images/p{one}/{{}}.png", f"masks/p{one}/{{}}.png")))
    found = roles(touch())
    assert found.class_folders == {}
    assert found.pairing is not None
    assert (found.pairing.images.name, found.pairing.masks.name) == ("images/pa", "masks/pa")
    assert [text.partition("merge: ")[2] for _, text in found.unused] == [
        f"[{{images: images/{one}, masks: masks/{one}, prefix: {one}_}}]" for one in ("pb", "pc")
    ]
