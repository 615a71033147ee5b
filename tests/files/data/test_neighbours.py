"""Covers toolkit/files/data/neighbours.py and toolkit/files/images/neighbouring_slices.py."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.config.loading import load_config
from toolkit.core.images.windows import Window
from toolkit.errors import ConfigError, DataError
from toolkit.files.data.finding import find_test_images
from toolkit.files.data.neighbours import is_left_out, neighbours_of, own_pixels, own_slices, volumes_of
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.dataset import find_dataset, find_labelled
from toolkit.files.images import image_files
from toolkit.files.images.image_files import ImageFiles
from toolkit.messages import Silent

SIZE = (6, 9)
PARTS = 'image_id: "{case}_{slice}"\n  image_name: "{case}/s{slice}.png"\n  mask_name: "{case}_{slice}.png"'
BY_PARTS = "order_by: slice, group_by: case"


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def volume(root: Path, case: str, slices: range | list[int], folder: str = "train") -> None:
    """Slices of a volume; every pixel is ten times the number of the slice, plus the place in its row."""
    for number in slices:
        save(root / f"{folder}/{case}/s{number}.png", pixels_of(number))
        if folder == "train":
            mask = np.zeros(SIZE, np.uint8)
            mask[1:3, 2:5] = 255
            save(root / f"masks/{case}_{number}.png", mask)


def pixels_of(number: int) -> np.ndarray:
    return np.tile(np.arange(SIZE[1], dtype=np.uint8), (SIZE[0], 1)) + np.uint8(10 * number)


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., LabelledImages]:
    def find(neighbours: str, channels: int = 3, names: str = PARTS, more: str = "") -> LabelledImages:
        return find_labelled(load_config(configured(tmp_path, neighbours, channels, names, more)).config)

    return find


def configured(root: Path, neighbours: str, channels: int, names: str = PARTS, more: str = "") -> Path:
    path = root / "experiments/own/config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    asked = f"  neighbours: {{{neighbours}}}\n" if neighbours else ""
    path.write_text(
        f"data:\n  images: {root}/train\n  masks: {root}/masks\n  {names}\n{asked}{more}"
        f"shape: [32, 32, {channels}]\nencoder_weights: null\nstages: [{{epochs: 1}}]\n"
    )
    return path


def numbers(data: LabelledImages, image_id: str) -> list[int]:
    """The slices in the channels of an image."""
    return [int(value) // 10 for value in data.images.read(image_id)[0, 0]]


def test_neighbours_of_the_same_volume_are_channels(tmp_path: Path, found: Callable[..., LabelledImages]) -> None:
    volume(tmp_path, "a", range(9, 13))  # 9 comes before 10
    volume(tmp_path, "b", range(2, 4))
    data = found(f"offsets: [-1, 0, 2], {BY_PARTS}")
    assert {one: numbers(data, one) for one in data.images.ids} == {
        "a_9": [9, 9, 11], "a_10": [9, 10, 12], "a_11": [10, 11, 12], "a_12": [11, 12, 12],
        "b_2": [2, 2, 3], "b_3": [2, 3, 3],
    }  # fmt: skip
    assert volumes_of(data.images) == {one: one[0] for one in data.images.ids}
    assert neighbours_of(data.images, "b_3") == ("b_2", "b_3", "b_3")
    assert np.array_equal(own_pixels(data.images, "a_10"), pixels_of(10)[..., None])


@pytest.mark.parametrize("channels", [1, 3])
def test_the_slice_alone_is_the_plain_image(
    tmp_path: Path, found: Callable[..., LabelledImages], channels: int
) -> None:
    volume(tmp_path, "a", range(1, 4))
    plain, alone = found("", channels), found(f"offsets: [0], {BY_PARTS}", channels)
    assert alone.images.ids == plain.images.ids
    for one in plain.images.ids:
        assert np.array_equal(alone.images.read(one), plain.images.read(one))
        assert alone.images.content(one) == plain.images.content(one)
        assert np.array_equal(alone.read_labels(one), plain.read_labels(one))


def test_a_constant_volume_has_equal_channels(tmp_path: Path, found: Callable[..., LabelledImages]) -> None:
    volume(tmp_path, "a", range(1, 6))
    for path in (tmp_path / "train/a").iterdir():
        save(path, pixels_of(7))
    data = found(f"offsets: [-2, -1, 0, 1, 2], {BY_PARTS}", 5)
    for one in data.images.ids:
        assert (data.images.read(one) == pixels_of(7)[..., None]).all()


def test_slices_of_three_channels_follow_each_other(tmp_path: Path, found: Callable[..., LabelledImages]) -> None:
    volume(tmp_path, "a", range(1, 4))
    for number in (1, 2, 3):
        save(tmp_path / f"train/a/s{number}.png", np.stack([pixels_of(number) + k for k in range(3)], axis=2))
    data = found(f"offsets: [0, 1], {BY_PARTS}", 6)
    assert data.images.read("a_1")[0, 0].tolist() == [10, 11, 12, 20, 21, 22]
    assert own_pixels(data.images, "a_2")[0, 0].tolist() == [20, 21, 22]


def test_windows_are_parts_of_the_whole(tmp_path: Path, found: Callable[..., LabelledImages]) -> None:
    volume(tmp_path, "a", range(1, 4))
    images = found(f"offsets: [-1, 0, 1], {BY_PARTS}").images
    assert np.array_equal(images.window("a_2", Window(1, 3, 4, 5)), images.read("a_2")[1:5, 3:8])
    with pytest.raises(ValueError, match="not inside"):
        images.window("a_2", Window(3, 3, 4, 5))
    assert np.array_equal(pickle.loads(pickle.dumps(images)).read("a_2"), images.read("a_2"))  # own data


def test_each_file_is_decoded_once(
    tmp_path: Path, found: Callable[..., LabelledImages], monkeypatch: pytest.MonkeyPatch
) -> None:
    volume(tmp_path, "a", range(1, 9))
    data = found(f"offsets: [-2, -1, 0, 1, 2], {BY_PARTS}", 5)
    read, decode = [], image_files.read_image
    monkeypatch.setattr(image_files, "read_image", lambda path, *how: read.append(path) or decode(path, *how))
    for one in (*data.images.ids, *reversed(data.images.ids)):
        data.images.read(one)
    assert len(read) == len(set(read)) == 8


def test_digest_and_stamp_cover_the_neighbours(tmp_path: Path, found: Callable[..., LabelledImages]) -> None:
    volume(tmp_path, "a", range(1, 5))
    images = found(f"offsets: [-1, 0, 1], {BY_PARTS}").images
    before = {one: (images.content(one), images.stamp(one)) for one in images.ids}
    save(tmp_path / "train/a/s1.png", pixels_of(20))
    after = {one: (images.content(one), images.stamp(one)) for one in images.ids}
    changed = {one for one in images.ids if before[one] != after[one]}
    assert changed == {"a_1", "a_2"}


def test_slices_without_a_label_are_still_neighbours(tmp_path: Path, found: Callable[..., LabelledImages]) -> None:
    volume(tmp_path, "a", range(1, 5))
    (tmp_path / "masks/a_2.png").unlink()
    (tmp_path / "train.txt").write_text("a_1\ns4.png\n")
    data = found(f"offsets: [-1, 0, 1], {BY_PARTS}", more="  unlabelled: leave_out\n")
    assert data.images.ids == ("a_1", "a_3", "a_4")
    assert numbers(data, "a_3") == [2, 3, 4]
    data = found(f"offsets: [-1, 0, 1], {BY_PARTS}", more=f"  unlabelled: leave_out\n  ids: {tmp_path}/train.txt\n")
    assert data.images.ids == ("a_1", "a_4")
    own = own_slices(data.images)
    assert isinstance(own, ImageFiles)
    assert own.ids == data.images.ids


def test_images_at_the_edge_may_be_left_out_of_training(tmp_path: Path) -> None:
    volume(tmp_path, "a", range(1, 5))
    for edges, left_out in (("repeat", set()), ("leave_out", {"a_1", "a_4"})):
        path = configured(tmp_path, f"offsets: [-1, 0, 1], {BY_PARTS}, edges: {edges}", 3)
        dataset = find_dataset(load_config(path).config, Silent())
        pool = dataset.pool(np.zeros(4, np.int64))
        trained = {pool.samples[place].image_id for place in pool.training_positions(1)}
        assert set(dataset.index.ids) - trained == left_out
        assert {one for one in dataset.index.ids if is_left_out(dataset.labelled.images, one)} == left_out
        assert len(pool.validation_positions(0)) == 4  # and all are scored


def test_columns_and_patterns_say_the_same(tmp_path: Path, found: Callable[..., LabelledImages]) -> None:
    volume(tmp_path, "a", range(9, 12))
    volume(tmp_path, "b", range(1, 3))
    ids = [f"a_{n}" for n in (9, 10, 11)] + ["b_1", "b_2"]
    (tmp_path / "m.csv").write_text("id,z,who\n" + "".join(f"{one},{one[2:]},{one[0]}\n" for one in ids))
    table = f"  metadata: {tmp_path}/m.csv\n"
    by_parts = found(f"offsets: [-1, 0, 1], {BY_PARTS}").images
    by_columns = found("offsets: [-1, 0, 1], order_by: z, group_by: [who]", more=table).images
    patterns = r'order_by: {pattern: ".+_(\\d+)"}, group_by: {pattern: "(.+)_\\d+"}'
    by_patterns = found(f"offsets: [-1, 0, 1], {patterns}").images
    for one in ids:
        assert neighbours_of(by_parts, one) == neighbours_of(by_columns, one) == neighbours_of(by_patterns, one)


def test_test_images_have_their_own_volumes(tmp_path: Path) -> None:
    volume(tmp_path, "a", range(1, 4))
    volume(tmp_path, "c", range(5, 8), "test")
    path = configured(tmp_path, f"offsets: [-1, 0, 1], {BY_PARTS}", 3, more=f"  test: {tmp_path}/test\n")
    images = find_test_images(load_config(path).config.data, 3)
    assert images is not None
    assert (images.read("c_5")[0, 0] // 10).tolist() == [5, 5, 6]


def test_volumes_of_several_sources_are_apart(tmp_path: Path, found: Callable[..., LabelledImages]) -> None:
    volume(tmp_path, "a", range(1, 4))
    volume(tmp_path / "more", "a", range(5, 7))
    more = f"  merge: [{{images: {tmp_path}/more/train, masks: {tmp_path}/more/masks, prefix: lab_}}]\n"
    more = more.replace("prefix", 'image_id: "{case}_{slice}", image_name: "{case}/s{slice}.png", prefix')
    data = found(f"offsets: [-1, 0, 1], {BY_PARTS}", more=more)
    assert numbers(data, "lab_a_5") == [5, 5, 6]
    assert neighbours_of(data.images, "lab_a_6") == ("lab_a_5", "lab_a_6", "lab_a_6")
    assert volumes_of(data.images) == {one: "lab_a" if one.startswith("lab") else "a" for one in data.images.ids}
    assert own_pixels(data.images, "lab_a_6")[0, 0].tolist() == [60]


@pytest.mark.parametrize(
    ("neighbours", "message"),
    [
        ("offsets: [0], order_by: case", r"4: data.neighbours.order_by: 4 of 4 slices in data.images have no number"),
        ("offsets: [0], order_by: slice, group_by: {pattern: '(x)'}", "group_by: 4 of 4 ids in data.images do not mat"),
        ("offsets: [0], order_by: z", "order_by: data.images: .*column 'z' is not valid"),
        ("offsets: [0], order_by: slice", "data.neighbours: 1 of 1 volume .*\n  a_1 and b_1 both have the number 1"),
        (
            "offsets: [0], order_by: slice, group_by: case",
            "1 of 2 volumes .* lacks slices:\n  b: the slice 2 is missin",
        ),
        ("offsets: [0], order_by: slice, group_by: [case, empty]", "group_by: 4 of 4 slices .* have no volume"),
    ],
)
def test_what_says_no_order_is_refused(
    tmp_path: Path, found: Callable[..., LabelledImages], neighbours: str, message: str
) -> None:
    volume(tmp_path, "a", [1])
    volume(tmp_path, "b", [1, 3, 4])
    ids = ("a_1", "b_1", "b_3", "b_4")
    (tmp_path / "m.csv").write_text("id,y,empty\n" + "".join(f"{one},1,\n" for one in ids))
    with pytest.raises(ConfigError, match=message.removeprefix("4: ")):
        found(neighbours, more=f"  metadata: {tmp_path}/m.csv\n", channels=1)


def test_slices_of_other_sizes_are_named(tmp_path: Path) -> None:
    volume(tmp_path, "a", range(1, 6))
    save(tmp_path / "train/a/s1.png", np.zeros((6, 8), np.uint8))
    save(tmp_path / "masks/a_1.png", np.zeros((6, 8), np.uint8))
    path = configured(tmp_path, f"offsets: [-1, 0, 1], {BY_PARTS}", 3)
    with pytest.raises(DataError, match="a_2 is 6×9, but its neighbour a_1 is 6×8") as caught:
        find_dataset(load_config(path).config, Silent())
    assert "data.neighbours.group_by" in f"{caught.value.message} {caught.value.advice}"
