import pytest

from toolkit.files.images.names.shared_names import Affixes, affixes_of, share_names

NUMBERS = range(1, 13)


@pytest.mark.parametrize(
    ("image", "mask", "expected"),
    [
        ("{}", "{}", (Affixes(), Affixes())),
        ("{}", "gt_{}", (Affixes(), Affixes("gt_"))),
        ("img{}", "img{}_0", (Affixes(), Affixes("", "_0"))),
        ("image_{}", "mask_{}", (Affixes("image_"), Affixes("mask_"))),
        ("IMG_{}", "img_{}", (Affixes("IMG_"), Affixes("img_"))),
        ("{}_sat", "{}_mask", (Affixes("", "_sat"), Affixes("", "_mask"))),
        ("{}_training", "{}_manual1", (Affixes("", "_training"), Affixes("", "_manual1"))),
        ("town_{}_019_rgb", "town_{}_019_ids", (Affixes("", "_rgb"), Affixes("", "_ids"))),
    ],
)
def test_names_share_an_id_between_prefix_and_suffix(image: str, mask: str, expected: tuple[Affixes, Affixes]) -> None:
    found = share_names([image.format(one) for one in NUMBERS], [mask.format(one) for one in NUMBERS])
    assert found is not None
    assert (found.images, found.masks) == expected
    assert found.count == len(NUMBERS)


def test_a_number_is_not_found_inside_of_a_longer_number() -> None:
    found = share_names(["1", "2"], ["gt_1_a", "gt_21_a", "gt_2_a"])
    assert found is not None
    assert (found.masks, found.count) == (Affixes("gt_", "_a"), 2)


def test_names_without_anything_in_common_share_nothing() -> None:
    assert share_names(["ab12", "cd34"], ["9f", "8e"]) is None
    assert share_names(["left1", "left2", "left3"], ["right7", "right8", "right9"]) is None


def test_few_pairs_do_not_justify_other_ids() -> None:
    images, masks = [f"image_{one}" for one in range(10)], [f"mask_{one}" for one in range(9, 19)]
    assert share_names(images, masks) is None


def test_what_all_names_have_is_cut_before_numbers() -> None:
    assert affixes_of(["img_10a", "img_11a"])[0] == Affixes("img_", "a")
    assert affixes_of(["x"]) != []
    assert Affixes("m_", ".b").pattern(".png") == "m_{id}.b.png"
    assert Affixes("m_", "").ids(["m_1", "n_1", "m_"]) == {"1": "m_1"}
