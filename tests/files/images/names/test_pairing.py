from collections.abc import Sequence
from pathlib import Path

import pytest

from toolkit.files.images.decoding import image_id_of
from toolkit.files.images.names.image_folder import ImageFolder
from toolkit.files.images.names.pairing import divided, pair_up, split_mixed


def folder(names: Sequence[str], place: str) -> ImageFolder:
    return ImageFolder(Path(place), place, {image_id_of(name): Path(place) / name for name in names})


def several(*names: str, count: int = 8, place: str = "f") -> ImageFolder:
    return folder([name.format(number) for number in range(count) for name in names], place)


@pytest.mark.parametrize(
    ("image", "mask", "image_name", "mask_name"),
    [
        ("{}.png", "{}.png", "", ""),
        ("{}.png", "{}_x.gif", "", "{id}_x.gif"),
        ("image_{}.jpg", "mask_{}.png", "image_{id}.jpg", "mask_{id}.png"),
    ],
)
def test_a_pairing_has_the_patterns_to_write(image: str, mask: str, image_name: str, mask_name: str) -> None:
    found = pair_up(several(image), several(mask, place="m"))
    assert found is not None
    assert (found.images.pattern, found.mask_name, found.share) == (image_name, mask_name, 1)
    assert len(found.masked) == 8


def test_only_the_kind_of_files_that_has_masks_is_paired() -> None:
    found = pair_up(several("{}.jpg", "{}_depth.png"), several("{}_seg.png", place="m"))
    assert found is not None
    assert (found.images.pattern, found.mask_name, found.share) == ("{id}.jpg", "{id}_seg.png", 1)


def test_pairs_of_words_that_images_and_masks_have_are_not_kinds() -> None:
    images, masks = (several("{}_left.png", "{}_right.png", place=place) for place in "im")
    found = pair_up(images, masks)
    assert found is not None
    assert (found.images, found.share) == (images, 1)


def test_masks_and_drawings_are_split_from_images() -> None:
    assert {kind.pattern for kind in split_mixed(several("{}_sat.jpg", "{}_mask.png"))} == {
        "{id}_sat.jpg",
        "{id}_mask.png",
    }
    plain = several("{}_left.png", "{}_right.png")
    assert split_mixed(plain) == [plain]


def test_several_masks_of_an_image_are_divided() -> None:
    images = several("{}.png")
    numbered = divided(several("{}_0.png", "{}_1.png", place="m"), [images])
    assert [one.pattern for one in numbered] == ["{id}_*.png"]
    words = divided(several("{}_cell.png", "{}_rim.png", place="m"), [images])
    assert {one.pattern for one in words} == {"{id}_cell.png", "{id}_rim.png"}
    plain = several("{}_0.png", place="m")
    assert divided(plain, [images]) == [plain]
