from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from toolkit.config.data.data import GivenSource
from toolkit.config.loading import load_config, plain_config
from toolkit.errors import ChangedError, ConfigError, DataError, MissingFileError, NothingToLearnError
from toolkit.files.data.given_dataset import GivenDataset
from toolkit.files.data.sources import LabelledImages
from toolkit.files.data.user_source import user_items
from toolkit.files.datasets.dataset import find_dataset, find_labelled
from toolkit.files.inspection.checking import check_training_data
from toolkit.messages import Silent


def pixels(index: int) -> tuple[np.ndarray, np.ndarray]:
    """An image of 8×9 and its mask."""
    image = np.full((8, 9), 10 * index, np.uint8)
    image[0, 0] = 255
    mask = np.zeros((8, 9), np.bool_)
    mask[1 : 3 + index % 3, 2:5] = True
    return image, mask


def arrays(count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    images, masks = zip(*map(pixels, range(count)), strict=True)
    return np.stack(images), np.stack(masks)


class Items:
    """Six items, each made from its index, image and mask."""

    def __init__(self, make: Any, **attributes: Any) -> None:
        self.make = make
        vars(self).update(attributes)

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        return self.make(index, *pixels(index))


def labelled(tmp_path: Path, dataset: Any, text: str = "") -> LabelledImages:
    path = tmp_path / "config.yaml"
    path.write_text(f"{text}\nstages: [{{epochs: 1}}]\n")
    return find_labelled(load_config(path, given=GivenSource(dataset=GivenDataset(dataset))).config)


WAYS: list[Any] = [
    arrays(),
    tuple(map(list, arrays())),
    [pixels(index) for index in range(6)],
    Items(lambda index, image, mask: (image, mask)),
    Items(lambda index, image, mask: {"image": image, "mask": mask}),
    Items(lambda index, image, mask: {"x": image[..., None], "y": mask[..., None].astype(np.int64)}),
    Items(lambda index, image, mask: SimpleNamespace(x=image, y=mask)),
    Items(lambda index, image, mask: SimpleNamespace(id=index, image=image, mask=mask)),
    Items(lambda index, image, mask: (image, mask, str(index))),
    Items(lambda index, image, mask: (image, mask), ids=lambda: range(6)),
]


@pytest.mark.parametrize("dataset", WAYS, ids=range(len(WAYS)))
def test_every_way_to_give_images_and_masks(tmp_path: Path, dataset: Any) -> None:
    data = labelled(tmp_path, dataset)
    assert data.images.ids == tuple(map(str, range(6)))
    for index, image_id in enumerate(data.images.ids):
        image, mask = pixels(index)
        assert np.array_equal(data.images.read(image_id), np.stack([image] * 3, axis=-1))
        assert np.array_equal(data.read_labels(image_id), mask)


def test_numbers_keep_the_order_of_the_items(tmp_path: Path) -> None:
    data = labelled(tmp_path, arrays(12))
    assert data.images.ids == tuple(f"{index:02d}" for index in range(12))
    assert [int(data.images.read(image_id)[1, 1, 0]) for image_id in data.images.ids] == list(range(0, 120, 10))


def test_ids_are_given_by_an_attribute_or_by_items(tmp_path: Path) -> None:
    names = ["e", "d", "c", "b", "a", "f"]
    assert labelled(tmp_path, Items(lambda _, *pair: pair, ids=names)).images.ids == tuple("abcdef")
    data = labelled(tmp_path, Items(lambda index, *pair: (*pair, names[index])))
    assert data.images.read("d")[1, 1, 0] == 10


def test_class_numbers_and_planes(tmp_path: Path) -> None:
    numbers = Items(lambda index, image, mask: (image, mask * np.int64(2)))
    three = "classes: [sky, road, car]\nactivation: softmax"
    assert set(labelled(tmp_path, numbers, three).read_labels("0").ravel()) == {0, 2}
    two = "classes: [road, car]\nactivation: sigmoid"
    planes = Items(lambda index, image, mask: (image, np.stack([mask, mask[::-1]], axis=2)))
    found = labelled(tmp_path, planes, two)
    assert np.array_equal(found.classes.planes(found.read_labels("0"))[..., 1], pixels(0)[1][::-1])
    values = "data: {mask_values: {road: 5, car: 7}}"
    seven = Items(lambda index, image, mask: (image, mask * np.uint8(7)))
    assert set(labelled(tmp_path, seven, f"{two}\n{values}").read_labels("0").ravel()) == {0, 2}


def test_it_stands_in_for_the_files_alone(tmp_path: Path) -> None:
    files = 'data: {images: nowhere, masks: none.csv, image_name: "{id}.png", metadata: table.csv}'
    (tmp_path / "table.csv").write_text("id,day\n" + "".join(f"{index},{index % 2}\n" for index in range(6)))
    assert labelled(tmp_path, arrays(), files).metadata.column("day") == ("0", "1") * 3
    with pytest.raises(ConfigError, match=r"config.yaml:1: data.colors: the source .* remove colors"):
        labelled(tmp_path, arrays(), "data: {images: a, masks: b, colors: {road: [1, 2, 3]}}")
    with pytest.raises(ConfigError, match=r"data: expected"):
        labelled(tmp_path, arrays(), "data: 5")


def test_groups_weights_and_foreground_are_used(tmp_path: Path) -> None:
    dataset = Items(lambda _, *pair: pair, group=lambda index: index // 2, foreground=lambda index: index > 3)
    data = labelled(tmp_path, dataset)
    assert data.metadata.column("group") == ("0", "0", "1", "1", "2", "2")
    assert data.positives == {str(index): index > 3 for index in range(6)}


def test_its_digest_tells_other_ids_images_and_masks() -> None:
    images, masks = arrays()
    other_image, other_mask = images.copy(), masks.copy()
    other_image[3, 2, 2] += 1
    other_mask[3, 2, 2] ^= True
    kinds: list[Any] = [
        (images, masks),
        (other_image, masks),
        (images, other_mask),
        (images, masks.astype(np.uint8)),
        (images[::-1], masks[::-1]),
        Items(lambda index, *pair: (*pair, f"a{index}")),
    ]
    assert len({GivenDataset(dataset).digest for dataset in kinds}) == len(kinds)
    again = Items(lambda index, *pair: (*pair, str(5 - index)))
    order = Items(lambda index, *_: (*pixels(5 - index), str(index)))
    assert GivenDataset((images, masks)).digest == GivenDataset(Items(lambda _, *pair: pair)).digest
    assert GivenDataset(again).digest == GivenDataset(order).digest


def test_each_item_is_read_once_to_check_and_digest_the_data(tmp_path: Path) -> None:
    read = []
    dataset = Items(lambda index, *pair: read.append(index) or (*pair, f"a{index}"))  # type: ignore[func-returns-value]
    given = GivenDataset(dataset)
    path = tmp_path / "config.yaml"
    path.write_text("stages: [{epochs: 1}]\n")
    found = find_dataset(load_config(path, given=GivenSource(dataset=given)).config, Silent())
    assert found.digests["dataset"] == given.digest
    assert sorted(read) == sorted([*range(6), *range(6)])  # once for the ids, once for the check


def test_items_must_stay_the_same(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    dataset = Items(lambda _, image, mask: (random.integers(0, 255, image.shape, np.uint8), mask))
    given = GivenDataset(dataset)
    assert given.digest
    with pytest.raises(DataError, match=r"item 2 of Items has changed since it was first read\n.*config\.yaml"):
        _ = given[2]
    with pytest.raises(DataError, match="item 0 of Items has changed"):
        check_training_data(labelled(tmp_path, dataset), Silent())


def read_all(data: LabelledImages) -> None:
    for image_id in data.images.ids:
        data.read_labels(image_id)


def image_only(index: int, image: np.ndarray, mask: np.ndarray) -> Any:
    return image


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (image_only, "item 0 of Items, of type ndarray, has no image"),
        (lambda _, image, mask: (image,), "item 0 of Items is a tuple of length 1"),
        (lambda _, image, mask: (image, None), "item 0 of Items, of type tuple, has no mask"),
        (lambda _, image, mask: {"image": image}, "item 0 of Items, of type dict, has no mask"),
        (lambda _, image, mask: (image, mask.T), r"the mask has shape \(9, 8\) and type bool; .* image of 8×9"),
        (lambda _, image, mask: (image[0], mask), r"the image has shape \(9,\) and type uint8; expected uint8"),
        (lambda _, image, mask: ("a", mask), "the image is a text, 'a'"),
        (lambda _, image, mask: (np.stack([image[..., None]] * 4), mask), r"looks like a batch: .* \(4, 8, 9, 1\)"),
        (lambda _, image, mask: (image, np.stack([mask * 2] * 3, 2)), r"the mask has shape \(8, 9, 3\) and type int"),
        (lambda _, image, mask: (image, mask.astype(str), "x"), r"item 0 of Items \(x\): the mask has .* type <U5"),
        (lambda index, *pair: pair if index != 3 else 1 / 0, "item 3 of Items cannot be read: ZeroDivisionError"),
        (lambda index, *pair: (*pair, "a") if index != 3 else pair, "item 3 of Items has no id, but item 0 has one"),
        (lambda index, *pair: (*pair, "a") if index == 3 else pair, "item 3 of Items has the id 'a', but '3' was"),
        (lambda index, *pair: (*pair, "a"), "Items has the id 'a' several times"),
        (lambda index, *pair: (*pair, "a/b"), "Items has the id 'a/b' several times"),
    ],
)
def test_invalid_items_are_refused(tmp_path: Path, make: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_all(labelled(tmp_path, Items(make)))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (5, "received int"),
        (iter([pixels(0)]), "received list_iterator"),
        ((arrays()[0], arrays()[1][:4]), "there are 6 images and 4 masks: image 4 has no mask"),
        ((arrays()[0][:5], arrays()[1]), "there are 5 images and 6 masks: mask 5 has no image"),
    ],
)
def test_what_is_no_dataset_is_refused(dataset: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        GivenDataset(dataset)


def test_values_of_images_and_masks_are_checked_as_those_of_files(tmp_path: Path) -> None:
    floats = Items(lambda _, image, mask: (image / 255, mask))
    with pytest.raises(DataError, match=r"image 2 of Items has pixels of type float64.*value_range: \[0, 1\]") as told:
        labelled(tmp_path, floats).images.read("2")
    assert "(image, mask, id)" in told.value.advice
    read = labelled(tmp_path, floats, "data: {value_range: [0, 1]}").images.read("2")
    assert np.array_equal(read[..., 0], pixels(2)[0])
    with pytest.raises(DataError, match=r"1: the mask has .* not whole numbers"):
        labelled(tmp_path, Items(lambda _, image, mask: (image, mask / 2))).read_labels("1")
    for empty, title in (([], "list"), ((np.zeros((0, 8, 9)), np.zeros((0, 8, 9))), "the arrays")):
        with pytest.raises(NothingToLearnError, match=f"there are no items in {title}"):
            labelled(tmp_path, empty)


def test_what_was_given_must_be_given_again(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("stages: [{epochs: 1}]\n")
    given = GivenDataset(arrays())
    config = load_config(tmp_path / "config.yaml", given=GivenSource(dataset=given)).config
    assert plain_config(config, tmp_path)["data"]["source"] == {
        "name": "dataset given in Python",
        "arguments": {},
        "file": None,
    }
    assert user_items(GivenSource(dataset=given, experiment="a", digest=given.digest), "data.source").places
    with pytest.raises(ChangedError, match="a was fitted to a dataset with other images, masks or ids than the arrays"):
        user_items(GivenSource(dataset=given, experiment="a", digest="other"), "data.source")
    with pytest.raises(MissingFileError, match=r"a: images and masks are not on disk.*\n.*Experiment\(path, data"):
        user_items(GivenSource(experiment="a"), "data.source")


def test_a_file_cannot_name_it(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("data: {source: dataset given in Python}\nstages: [{epochs: 1}]\n")
    with pytest.raises(ConfigError, match=r"data\.source"):
        load_config(path)
    path.write_text("data: {source: {name: dataset given in Python, file: null}}\nstages: [{epochs: 1}]\n")
    with pytest.raises(MissingFileError, match=r"data\.source: images and masks are not on disk"):
        find_labelled(load_config(path).config)
