import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.config.loading import config_from_plain, load_config, plain_config
from toolkit.core.images.windows import Window
from toolkit.errors import ConfigError, DataError, NothingToLearnError
from toolkit.files.data.finding import find_test_images
from toolkit.files.datasets.dataset import find_dataset, find_labelled
from toolkit.files.inspection.checking import check_training_data
from toolkit.messages import Silent

PLUGINS = """\
from types import SimpleNamespace

import numpy as np


class Squares:
    def __init__(self, count=6, depth=1):
        self.count, self.depth = count, depth

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        image = np.full((8, 9), index * 10 * self.depth, np.uint8 if self.depth == 1 else np.uint16)
        image[0, 0] = 255
        mask = np.zeros((8, 9), bool)
        mask[1 : 2 + index % 3, 2:5] = index != 0
        return f"s{index}", image, mask


class Known(Squares):
    def ids(self):
        return [f"s{index}" for index in range(len(self))]

    def group(self, index):
        return index // 2

    def weight(self, index):
        return index

    def foreground(self, index):
        return np.bool_(index > 3)

    def __getitem__(self, index):
        image_id, image, mask = super().__getitem__(index)
        return SimpleNamespace(id=image_id, image=image, mask=mask, objects=mask * np.int64(index))


class Planes(Squares):
    def __getitem__(self, index):
        image_id, image, mask = super().__getitem__(index)
        return image_id, image, np.stack([mask, mask[::-1]], axis=2)


class Failing(Squares):
    def __getitem__(self, index):
        if index == 4:
            raise OSError("the tape broke")
        return super().__getitem__(index)


class Strange(Squares):
    def __getitem__(self, index):
        return "the same", "no image", None


class Twice(Squares):
    def __getitem__(self, index):
        return ("same", *super().__getitem__(index)[1:])


class Pairs(Squares):
    def __getitem__(self, index):
        return super().__getitem__(index)[1:]


class Batches(Squares):
    def __getitem__(self, index):
        _, image, mask = super().__getitem__(index)
        return np.stack([image[..., None]] * 4), np.stack([mask[..., None]] * 4)


class Bare:
    pass


class Slash(Squares):
    def ids(self):
        return [f"a/{index}" for index in range(len(self))]


class NoIds(Squares):
    ids = 5


class Small(Squares):
    def __getitem__(self, index):
        return (*super().__getitem__(index), np.ones((3, 3), int))


class Alone(Squares):
    def group(self, index):
        return None


class Empty(Squares):
    def __len__(self):
        return 0


def made(count):
    return Squares(count)
"""
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(data: str, more: str = "") -> Path:
        (tmp_path / "plugins.py").write_text(PLUGINS)
        path = tmp_path / "config.yaml"
        path.write_text(f"data:\n  {data}\nstages: [{{epochs: 1}}]\n{more}")
        return path

    return write


@pytest.mark.parametrize("source", ["Squares", "Known", "{Squares: {count: 6}}", "{made: {count: 6}}"])
def test_a_class_in_plugins_provides_images_and_masks(write: Write, source: str) -> None:
    data = find_labelled(load_config(write(f"source: {source}")).config)
    assert data.images.ids == tuple(f"s{index}" for index in range(6))
    assert data.images.read("s3").shape == (8, 9, 3)
    assert data.images.read("s3")[1, 1].tolist() == [30, 30, 30]
    assert data.images.window("s3", Window(0, 0, 1, 2))[..., 0].tolist() == [[255, 30]]
    assert data.read_labels("s2").sum() == 9
    assert data.window_labels("s2", Window(2, 1, 2, 3)).tolist() == [[0, 1, 1], [0, 1, 1]]
    assert data.images.size("s1") == (8, 9)
    assert check_training_data(data, Silent()).coverage.tolist() == [3 * rows / 72 for rows in (0, 2, 3, 1, 2, 3)]


def test_one_thread_at_a_time_calls_the_source(write: Write) -> None:
    data = find_labelled(load_config(write("source: Squares")).config)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: data.images.read(f"s{number % 6}")[1, 1, 0], range(60)))
    assert found == [number % 6 * 10 for number in range(60)]


def test_groups_and_weights_are_columns_and_weights_are_used(write: Write) -> None:
    config = load_config(write("source: Known")).config
    dataset = find_dataset(config, Silent())
    assert dataset.labelled.metadata.column("group") == ("0", "0", "1", "1", "2", "2")
    assert dataset.weights is not None
    assert dataset.weights.tolist() == [0, 1, 2, 3, 4, 5]
    assert "weights" in dataset.digests
    pool = dataset.pool(np.zeros(6, np.int64))
    assert pool.shares is not None
    assert pool.has_foreground.tolist() == [False] * 4 + [True] * 2
    objects = dataset.labelled.read_objects("s4")
    assert objects is not None
    assert set(objects.ravel()) == {0, 4}
    with pytest.raises(DataError, match=r"source Known: .*'fold' is not valid; .*foreground, group, weight"):
        dataset.labelled.metadata.column("fold")


def test_columns_of_a_table_are_added_to_those_of_a_source(write: Write, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,day\n" + "".join(f"s{index},{index % 2}\n" for index in range(6)))
    data = find_labelled(load_config(write("source: Known\n  metadata: a.csv")).config)
    assert data.metadata.column("day") == ("0", "1") * 3
    assert data.metadata.column("group") == ("0", "0", "1", "1", "2", "2")


MERGED = """source: Known
  merge: [{source: NAME, prefix: b_}]
"""


def test_metadata_of_merged_sources_are_kept(write: Write) -> None:
    dataset = find_dataset(load_config(write(MERGED.replace("NAME", "{Known: {count: 4}}"))).config, Silent())
    assert dataset.labelled.images.ids == ("b_s0", "b_s1", "b_s2", "b_s3", "s0", "s1", "s2", "s3", "s4", "s5")
    assert dataset.labelled.metadata.column("group") == ("0", "0", "1", "1", "0", "0", "1", "1", "2", "2")
    assert dataset.weights is not None
    assert dataset.weights.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5]
    assert dataset.pool(np.zeros(10, np.int64)).has_foreground.tolist() == [False] * 8 + [True] * 2


def test_a_column_that_only_one_of_the_merged_sources_has_is_required_of_all(write: Write) -> None:
    data = find_labelled(load_config(write(MERGED.replace("NAME", "Squares"))).config)
    assert data.metadata.column("group") == ("",) * 6 + ("0", "0", "1", "1", "2", "2")
    with pytest.raises(DataError, match="weight of b_s0 is ''"):
        data.metadata.numbers("weight")
    assert data.positives == {f"s{index}": index > 3 for index in range(6)}


def test_a_user_source_merged_with_coloured_masks_has_label_numbers(write: Write, tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.full((8, 9, 3), 255, np.uint8)).save(tmp_path / folder / "x.png")
    colours = "colors: {back: [255, 255, 255], front: [9, 9, 9]}"
    path = write(f"images: images\n  masks: masks\n  {colours}\n  merge: [{{source: Squares}}]")
    assert set(find_labelled(load_config(path).config).read_labels("s1").ravel()) == {0, 1}


def test_none_is_not_the_name_of_a_group(write: Write) -> None:
    assert find_labelled(load_config(write("source: Alone")).config).metadata.column("group") == ("",) * 6


def test_which_images_count_as_positives_is_in_the_digest(write: Write) -> None:
    path = write("source: Known")
    before = find_dataset(load_config(path).config, Silent()).digests
    (path.parent / "plugins.py").write_text(PLUGINS.replace("index > 3", "index > 2"))
    after = find_dataset(load_config(path).config, Silent()).digests
    assert {name for name, value in before.items() if after[name] != value} == {"positives"}


def test_a_wrong_number_of_planes_is_refused(write: Write) -> None:
    data = find_labelled(load_config(write("source: Planes", "classes: [a, b, c]\nactivation: sigmoid\n")).config)
    with pytest.raises(DataError, match="s1: the mask has 2 planes; expected 3"):
        data.read_labels("s1")


def test_several_classes_are_planes_or_numbers(write: Write) -> None:
    data = find_labelled(load_config(write("source: Planes", "classes: [up, down]\nactivation: sigmoid\n")).config)
    assert set(data.read_labels("s1").ravel()) == {0, 1, 2}
    path = write("source: Squares\n  mask_values: [0, 7]\n  ignore: 1", "classes: [a, b]\n")
    numbers = find_labelled(load_config(path).config)
    assert set(numbers.read_labels("s1").ravel()) == {0, 255}


def test_images_of_more_than_8_bits_have_a_range(write: Write) -> None:
    config = load_config(write("source: {Squares: {depth: 100}}\n  value_range: [0, 5000]")).config
    assert find_labelled(config).images.read("s5")[1, 1, 0] == 255
    assert find_labelled(config).images.read("s1")[1, 1, 0] == 51


def test_test_images_may_come_from_a_source_too(write: Write) -> None:
    images = find_test_images(load_config(write("source: Known\n  test_source: {Squares: {count: 3}}")).config.data, 1)
    assert images is not None
    assert images.ids == ("s0", "s1", "s2")
    assert images.read("s2").shape == (8, 9, 1)


def test_a_source_is_found_again_from_another_folder(write: Write, tmp_path: Path) -> None:
    config = load_config(write("source: {Known: {count: 4}}")).config
    plain = plain_config(config, tmp_path / "experiments" / "e")
    assert plain["data"]["source"]["file"] == "../../plugins.py"
    again = config_from_plain(plain, tmp_path / "experiments" / "e")
    assert again == config
    assert len(find_labelled(again).images.ids) == 4


@pytest.mark.parametrize(
    ("source", "kind", "told"),
    [
        (
            "Failing",
            DataError,
            r"data\.source: Failing\.__getitem__\(4\) failed: .*plugins\.py:48: OSError: the tape broke",
        ),
        ("Strange", DataError, r"item 0 of Strange: the image has shape \(\) and type <U8"),
        ("Pairs", DataError, r"item 0 of Pairs begins with an array of shape \(8, 9\) instead of an id"),
        ("Batches", DataError, r"item 0 of Batches looks like a batch: .* \(4, 8, 9, 1\)"),
        ("Twice", DataError, "Twice has the id 'same' several times"),
        ("Slash", DataError, "Slash has the invalid id 'a/0'"),
        ("NoIds", DataError, r"NoIds\.ids failed: .*TypeError"),
        ("Small", DataError, r"map of objects has shape \(3, 3\), but the image is 8×9"),
        ("Bare", ConfigError, "Bare has no method __len__"),
        ("Empty", NothingToLearnError, "there are no items in Empty"),
        ("{Squares: {number: 3}}", ConfigError, "Squares cannot be created: TypeError: .*'number'"),
        ("Square", ConfigError, r"data\.source: 'Square' is not valid; did you mean 'Squares'\?"),
        ("numpy.nothing", ConfigError, "numpy.nothing cannot be imported"),
        ("Squares\n  masks: here", ConfigError, "the source Squares provides images and masks; remove masks"),
    ],
)
def test_invalid_sources_are_reported(write: Write, source: str, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        find_labelled(load_config(write(f"source: {source}")).config)


@pytest.mark.train  # starts the program
def test_a_source_is_read_without_tensorflow(write: Write) -> None:
    code = (
        "import sys; from pathlib import Path; from toolkit.config.loading import load_config; "
        "from toolkit.files.datasets.dataset import find_labelled; "
        f"data = find_labelled(load_config(Path({str(write('source: Squares'))!r})).config); "
        "data.read_labels('s1'); sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
