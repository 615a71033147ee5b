"""Covers toolkit/commands/starting/new.py, mask_classes.py and starting_point.py."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.errors import ConfigError, DataError, MissingFileError, NothingToLearnError, SubmissionError, ToolkitError

DATA = ("--images", "data/train/images", "--masks", "data/train.csv")


@pytest.fixture(autouse=True)
def competition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder: an empty experiments/, two training images with labels, and a test image."""
    monkeypatch.chdir(tmp_path)
    Path("experiments").mkdir()
    for folder, name in (("train", "t0"), ("train", "t1"), ("test", "s0")):
        path = Path("data") / folder / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((12, 16), np.uint8)).save(path)
    Path("data/train.csv").write_text("id,rle_mask\nt0,1 1\nt1,\n")


def new(name: str, *options: str, code: int = 0) -> str:
    """What stderr shows; where tk new refuses, no file changes."""
    before = sorted(Path().rglob("*"))
    result = CliRunner().invoke(app, ["new", name, *options])
    assert result.exit_code == code, result.output
    assert code == 0 or sorted(Path().rglob("*")) == before
    return result.stderr


def test_a_second_new_leaves_the_first() -> None:
    new("exp042", *DATA)
    told = new("exp042", *DATA, code=ConfigError.exit_code)
    assert "experiments/exp042 already exists" in told
    assert "experiments/exp042/config.yaml" in told


@pytest.mark.parametrize("name", ["../x", "sub/x", "/x", "a b", ".x", "", "x" * 300])
def test_an_invalid_name_creates_no_folder(name: str) -> None:
    assert "the name of an experiment" in new(name, *DATA, code=ConfigError.exit_code).replace("as the", "the")


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("--images", "data/trian/images", MissingFileError),
        ("--images", "data/train.csv", MissingFileError),
        ("--images", "data/train", NothingToLearnError),
        ("--masks", "data/trian.csv", MissingFileError),
        ("--masks", "data/train", NothingToLearnError),
        ("--test", "data/tset", MissingFileError),
        ("--sample-submission", "data/sample.csv", MissingFileError),
        ("--sample-submission", "data/test/images/s0.png", SubmissionError),
        ("--extends", "exp041", MissingFileError),
    ],
)
def test_missing_data_create_no_folder(option: str, value: str, error: type[ToolkitError]) -> None:
    told = new("exp042", *DATA, option, value, code=error.exit_code)
    assert Path(value).name in told
    assert f"{option}:" in told or option == "--extends"


def test_without_data_the_advice_is_the_whole_command() -> None:
    assert "tk new exp042 --images FOLDER --masks FOLDER_OR_CSV" in new("exp042", code=ConfigError.exit_code)


def test_several_values_of_masks_become_classes() -> None:
    values = np.tile(np.arange(4, dtype=np.uint8).repeat(2), (12, 2))
    colours = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)], np.uint8)
    objects = np.zeros((2, 12, 16), np.uint8)
    objects[0, 2:4, 1:3], objects[0, 2:4, 5:7], objects[0, 2:4, 9:11], objects[1, 5:8, 5:8] = 1, 2, 3, 1
    for folder, masks in (
        ("numbers", [values] * 2),
        ("coloured", [colours[values]] * 2),
        ("far", [values * 60] * 2),
        ("binary", [(values > 1) * np.uint8(255)] * 2),
        ("objects", list(objects)),
    ):
        Path("data", folder).mkdir()
        for number, mask in enumerate(masks):
            Image.fromarray(mask).save(f"data/{folder}/t{number}.png")

    def written(folder: str, *options: str) -> tuple[Config, str]:
        name = folder + str(len(options))
        told = new(name, "--images", "data/train/images", "--masks", f"data/{folder}", *options)
        return load_config(Path("experiments", name, "config.yaml")).config, told

    config, told = written("numbers")
    assert (config.class_count, config.activation, config.stages[1].loss is None) == (4, "softmax", False)
    assert config.classes == ("class_0", "class_1", "class_2", "class_3")
    assert "give names to class_0, class_1, class_2, class_3" in told
    config, _ = written("coloured")
    assert config.data.colors is not None
    assert set(config.data.colors.values()) == set(map(tuple, colours.tolist()))
    config, _ = written("far")
    assert config.data.mask_values == (0, 60, 120, 180)
    assert written("numbers", "--set", "classes=1")[0].classes == 1
    assert written("binary")[0].classes == 1
    config, told = written("objects")
    assert (config.classes, config.data.encoding) == (1, "instances")
    assert "objects of one class" in told


@pytest.mark.parametrize(("overlap", "activation"), [(False, "softmax"), (True, "sigmoid")])
def test_each_channel_of_masks_becomes_a_class(overlap: bool, activation: str) -> None:
    Path("data/planes").mkdir()
    planes = np.eye(4, dtype=np.uint8)[np.tile(np.arange(4).repeat(2), (12, 2))]
    planes[0, :, 1] |= np.uint8(overlap)
    for number in range(2):
        np.save(f"data/planes/t{number}.npy", planes)
    told = new("planes", "--images", "data/train/images", "--masks", "data/planes")
    config = load_config(Path("experiments/planes/config.yaml")).config
    assert config.classes == ("class_0", "class_1", "class_2", "class_3")
    assert (config.activation, config.data.mask_encoding) == (activation, "channels")
    assert "give names to class_0, class_1, class_2, class_3" in told


def test_a_variation_is_written_as_it_was_checked() -> None:
    new("base", *DATA)
    new("one", "--extends", "base", "--set", "stages.0.epochs=3")
    config = load_config(Path("experiments/one/config.yaml")).config
    assert config.stages[0].epochs == 3
    assert config.stages[1:] == load_config(Path("experiments/base/config.yaml")).config.stages[1:]


def test_an_inherited_mapping_is_replaced_by_what_is_set() -> None:
    new("base", *DATA)
    new("two", "--extends", "base", "--set", "augmentation={HorizontalFlip: 0.5}")
    new("three", "--extends", "two", "--set", "augmentation={VerticalFlip: 0.5}")
    new("four", "--extends", "two", "--set", "augmentation={}")
    texts = {name: Path(f"experiments/{name}/config.yaml").read_text() for name in ("two", "three", "four")}
    assert "augmentation: !replace\n  VerticalFlip: 0.5" in texts["three"]
    assert "augmentation: !replace {}" in texts["four"]
    assert len(load_config(Path("experiments/three/config.yaml")).config.augmentation) == 1
    assert not load_config(Path("experiments/four/config.yaml")).config.augmentation


def test_options_that_another_architecture_does_not_have_are_left_out() -> None:
    new("base", *DATA, "--set", "architecture=Linknet", "--set", "architecture_options.decoder_block_type=transpose")
    told = new("heir", "--extends", "base", "--set", "architecture=FPN")
    assert "FPN does not have the inherited architecture_options decoder_block_type" in " ".join(told.split())
    assert load_config(Path("experiments/heir/config.yaml")).config.architecture_options == {}


PLUGINS = """\
from nets import size

def get_model(shape, classes, backbone=None, encoder_weights=None):
    return size
"""


def test_the_code_of_an_experiment_is_copied_to_its_variant() -> None:
    base = Path("experiments/base")
    base.mkdir(parents=True)
    (base / "plugins.py").write_text(PLUGINS)
    (base / "nets.py").write_text("size = 3\n")
    (base / "unused.py").write_text("size = 4\n")
    new("base", *DATA, "--set", "architecture=get_model")
    told = new("one", "--extends", "base")
    assert "plugins.py" in told
    assert sorted(path.name for path in Path("experiments/one").iterdir()) == ["config.yaml", "nets.py", "plugins.py"]
    assert Path("experiments/one/plugins.py").read_text() == PLUGINS
    assert load_config(Path("experiments/one/config.yaml")).config.architecture == "get_model"
    new("two", "--extends", "base", "--set", "lr=fast", code=ConfigError.exit_code)
    assert not Path("experiments/two").exists()


def test_code_that_is_there_already_is_kept() -> None:
    base, own = Path("experiments/base"), Path("experiments/own")
    for folder in (base, own):
        folder.mkdir(parents=True)
        (folder / "plugins.py").write_text(f"def get_model(shape, classes):\n    return '{folder.name}'\n")
    new("base", *DATA, "--set", "architecture=get_model")
    new("own", "--extends", "base")
    assert "'own'" in (own / "plugins.py").read_text()


def test_a_module_that_is_there_already_is_never_replaced_or_removed() -> None:
    base, own = Path("experiments/base"), Path("experiments/own")
    base.mkdir(parents=True)
    own.mkdir()
    (base / "plugins.py").write_text(PLUGINS)
    (base / "nets.py").write_text("size = 3\n")
    (own / "nets.py").write_text("mine = 1\n")
    new("base", *DATA, "--set", "architecture=get_model")
    told = new("own", "--extends", "base", code=ConfigError.exit_code)
    assert "nets.py is there already" in " ".join(told.split())
    assert (own / "nets.py").read_text() == "mine = 1\n"
    (own / "nets.py").write_text("size = 3\n")
    new("own", "--extends", "base", "--set", "lr=fast", code=ConfigError.exit_code)
    assert (own / "nets.py").is_file()
    new("own", "--extends", "base")
    assert (own / "plugins.py").is_file()


def test_who_sets_the_activation_chooses_the_classes_too() -> None:
    new("multi", *DATA, "--set", "activation=sigmoid")
    assert load_config(Path("experiments/multi/config.yaml")).config.activation == "sigmoid"


def test_a_variant_written_by_hand_is_told_where_the_code_is() -> None:
    base, hand = Path("experiments/base"), Path("experiments/hand")
    for folder in (base, hand):
        folder.mkdir(parents=True)
    (base / "plugins.py").write_text("def get_model(shape, classes):\n    return 1\n")
    new("base", *DATA, "--set", "architecture=get_model")
    (hand / "config.yaml").write_text("extends: ../base/config.yaml\n")
    with pytest.raises(ConfigError) as raised:
        load_config(hand / "config.yaml")
    assert "experiments/base/plugins.py defines get_model" in raised.value.advice
    assert "copy it to experiments/hand/plugins.py" in raised.value.advice


def test_each_label_of_shapes_is_a_class_and_shapes_of_another_size_are_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "images/a.png")
    shape = {"image_id": 1, "segmentation": [[1, 1, 4, 1, 4, 4]]}
    tree: dict[str, Any] = {
        "images": [{"id": 1, "file_name": "a.png", "height": 8, "width": 8}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "all"}],
        "annotations": [shape | {"category_id": 1}, shape | {"category_id": 2}],
    }
    coco = tmp_path / "coco.json"
    coco.write_text(json.dumps(tree))
    given = ("--images", "images", "--masks", "coco.json")
    told = new("several", *given)
    assert "shapes have the labels cat, dog" in told.replace("\n", " ")
    assert load_config(Path("experiments/several/config.yaml")).config.classes == ("cat", "dog")
    new("one", *given, "--set", "classes=1")
    assert load_config(Path("experiments/one/config.yaml")).config.classes == 1
    tree["images"][0] |= {"height": 16, "width": 16}
    coco.write_text(json.dumps(tree))
    told = new("wrong", *given, code=DataError.exit_code)
    assert "drawn on an image of 16×16, but the image is 8×8" in told.replace("\n", " ")


def test_files_that_are_named_as_in_the_competition_are_read_so() -> None:
    for name in ("1", "2"):
        for layer in range(6):
            path = Path(f"fragments/{name}/surface_volume/{layer:02d}.tif")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((12, 16), np.uint8)).save(path)
        Image.fromarray(np.zeros((12, 16), np.uint8)).save(f"fragments/{name}/inklabels.png")
    told = new("exp042", "--images", "fragments", "--masks", "fragments", "--competition", "vesuvius")
    assert "the files are named as in vesuvius; config.yaml has its image_name, mask_name" in told
    config = load_config(Path("experiments/exp042/config.yaml")).config
    assert config.shape == (256, 256, 6)
    assert config.data.image_name == "{id}/surface_volume/{channel}.tif"
    new("exp043", *DATA, "--competition", "tgs-salt")
    assert load_config(Path("experiments/exp043/config.yaml")).config.data.image_name is None


def test_a_title_above_a_table_of_labels_is_refused() -> None:
    Path("data/train.csv").write_text("Labels of 2024\nid,rle_mask\nt0,1 1\nt1,\n")
    told = " ".join(new("exp042", *DATA, code=DataError.exit_code).split())
    assert "data/train.csv:1: 1 line stands above the names of the columns (id, rle_mask, line 2)" in told
    assert "Remove line 1 of" in told


def with_mask_files(count: int, size: tuple[int, int] = (12, 16)) -> tuple[str, ...]:
    """Images u0, u1 … of 12×16 with a mask file of a size each; the options that name them."""
    for folder, shape in (("u/images", (12, 16)), ("u/masks", size)):
        Path(folder).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(np.eye(*shape, dtype=np.uint8) * 255).save(f"{folder}/u{number}.png")
    return ("--images", "u/images", "--masks", "u/masks")


def test_few_images_get_fewer_folds() -> None:
    data = with_mask_files(4)

    def folds(name: str, *options: str) -> tuple[int, bool]:
        told = new(name, *options)
        config = load_config(Path("experiments", name, "config.yaml")).config
        return config.folds_count, f"config.yaml has folds_count: {config.folds_count}" in " ".join(told.split())

    assert folds("four", *data) == (4, True)
    assert folds("two", *DATA) == (2, True)
    assert folds("own", *data, "--set", "folds_count=3") == (3, False)
    assert folds("single", *data, "--set", "folds_count=1", "--set", "validationSplit=0.5") == (1, False)
    assert folds("variant", "--extends", "four") == (4, False)
    Image.fromarray(np.zeros((12, 16), np.uint8)).save("u/images/u4.png")
    Image.fromarray(np.zeros((12, 16), np.uint8)).save("u/masks/u4.png")
    assert folds("five", *data) == (5, False)


def test_masks_that_all_have_another_size_are_refused() -> None:
    data = with_mask_files(3, (24, 32))
    told = " ".join(new("exp042", *data, code=DataError.exit_code).split())
    assert "none of the masks has the size of its image (3 compared); the first: u0: the mask is 24×32" in told
    assert "scale the mask to its image" in told
    Image.fromarray(np.eye(12, 16, dtype=np.uint8) * 255).save("u/masks/u2.png")
    new("exp042", *data)


def test_a_list_of_other_pairs_is_a_warning() -> None:
    data = with_mask_files(3)
    for number in range(3):
        Path(f"u/masks/u{number}.png").rename(f"u/masks/u{number}_mask.png")
    named = (*data, "--set", 'data.mask_name="{id}_mask.png"')
    listed = Path("u/train.txt")
    listed.write_text("".join(f"images/u{number}.png masks/u{number}_mask.png\n" for number in range(3)))
    assert "train.txt" not in new("same", *named)
    listed.write_text("".join(f"images/u{number}.png masks/u{2 - number}_mask.png\n" for number in range(3)))
    told = " ".join(new("other", *named).split())
    assert "train.txt pairs u0.png with u2_mask.png, but the mask that is read is u0_mask.png" in told
    assert "save it as a CSV with the header image,mask" in told
