"""Covers toolkit/commands/starting/import_config.py and foreign_keys.py."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.session import Session
from toolkit.commands.training.fit import fit
from toolkit.config.loading import load_config
from toolkit.config.training.augmentation import parse_augmentation
from toolkit.errors import ConfigError, DataError, MissingFileError, NothingToLearnError
from toolkit.files.experiment.workspace import Workspace
from toolkit.learning.augmentation.augmentation import Augmentation

DATA = ("--images", "pics/train/images", "--masks", "pics/train/masks")

FILES = {
    "pics.yaml": """\
architecture: Unet
backbone: resnet18
encoder_weights: null
shape: [32, 32, 3]
batch: 4
augmentation: {Fliplr: 0.5, Affine: {rotate: [-9, 9], scale: [0.9, 1.1], shear: 4, translate_percent: {x: [0, 0.1]}}}
primary_metric: val_iou
colour: red
stages: [{epochs: 2, negatives: none, initial_weights: ./old.weights}, {epochs: 1, loss: lovasz_loss, lr: 1e-4}]
""",
    "membrane.yaml": """\
mode: train
model: {name: unet, pooling_number: 1, layers_before_pooling: 1, start_filters: 4, input_size: [32, 32, 1]}
dataset: {train_path: pics/train, test_path: pics/test/images}
hyperparameters: {batch_size: 2, epochs: 2, steps_per_epoch: 8}
data_augmentation: true
data_augmentation_params:
  rotation_range: 5
  width_shift_range: 2
  shear_range: 5
  zoom_range: 0.1
  brightness_range: [0.9, 1.1]
  channel_shift_range: 9
  fill_mode: wrap
  vertical_flip: true
""",
    "refine.json": json.dumps(
        {
            "type": "RefineNet",
            "name": "houses",
            "backbone": "ResNet50",
            "pretrained": False,
            "input_shape": [32, 32, 3],
            "classes": ["house", "street"],
            "augment": {"rotate_range": 30, "flip": True, "channel_shift_range": 50, "multiplier": 1, "seed": 3},
            "epochs": 2,
            "batch_size": 4,
            "loss": "BinaryCrossentropy",
            "loss_kwargs": {"from_logits": True},
            "benchmark_class": "street",
        }
    ),
}


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The working folder, with ten training images, one test image and the foreign files."""
    monkeypatch.chdir(tmp_path)
    Path("experiments").mkdir()
    generator = np.random.default_rng(0)
    for name, count in (("train/images", 10), ("train/masks", 10), ("test/images", 1)):
        folder = Path("pics") / name
        folder.mkdir(parents=True)
        for number in range(count):
            pixels = generator.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            if "masks" in name:
                pixels = np.kron(np.eye(2, dtype=np.uint8) * (1 + number % 2), np.ones((16, 16), np.uint8))
            Image.fromarray(pixels).save(folder / f"{number}.png")
    for name, text in FILES.items():
        Path(name).write_text(text, "utf-8")
    return Workspace(Path())


def call(*options: str, code: int = 0) -> Any:
    """What the program shows; where it refuses, no file changes."""
    before = sorted(Path().rglob("*"))
    result = CliRunner().invoke(app, ["import", *options], env={"COLUMNS": "400"})
    assert result.exit_code == code, result.output
    assert code == 0 or sorted(Path().rglob("*")) == before
    return result


@pytest.mark.parametrize(
    ("file", "options", "name"),
    [("pics.yaml", DATA, "pics"), ("membrane.yaml", (), "membrane"), ("refine.json", DATA, "houses")],
)
def test_an_imported_experiment_loads_and_its_transforms_can_be_built(
    file: str, options: tuple[str, ...], name: str
) -> None:
    call(file, *options)
    loaded = load_config(Path("experiments") / name / "config.yaml")
    transforms = parse_augmentation(loaded.config.augmentation)
    augmentation = Augmentation(transforms, lambda path: loaded.where("augmentation", *path), loaded.config.shape)
    image = np.full(loaded.config.shape, 100, np.uint8)
    changed, labels = augmentation(image, np.ones((32, 32), np.uint8), 1)
    assert changed.shape == image.shape
    assert labels.shape == (32, 32)


def test_every_key_is_in_the_table_and_what_is_lost_is_also_a_comment() -> None:
    shown = call("pics.yaml", *DATA).stdout
    for line in ("augmentation.HorizontalFlip: 0.5", "primary_metric: iou", "stages.1.lr: 0.0001", "not translated"):
        assert line in shown
    assert "10 training and 0 test images" in shown
    assert "tk data pics, then tk fit pics" in shown
    text = Path("experiments/pics/config.yaml").read_text()
    assert "#   colour: unknown key" in text
    assert "#   stages.0.initial_weights: there is no file old.weights" in text
    assert "images: ../../pics/train/images" in text


def test_programs_get_the_keys() -> None:
    result = json.loads(call("refine.json", *DATA, "--json").stdout)
    assert (result["experiment"], result["training_images"]) == ("houses", 10)
    assert {"key": "backbone", "here": "backbone: resnet50", "note": ""} in result["keys"]


def test_epochs_show_as_many_images_as_steps_do() -> None:
    call("membrane.yaml")
    config = load_config(Path("experiments/membrane/config.yaml")).config
    assert config.stages[0].epochs == 4  # 2 epochs of 8 batches of 2 images; each fold trains on 8 images


def test_the_command_line_takes_precedence_over_the_file() -> None:
    shutil.copytree("pics/train", "elsewhere")
    call("membrane.yaml", "--images", "elsewhere/images", "--name", "other")
    config = load_config(Path("experiments/other/config.yaml")).config
    assert config.data.folders == (Path("elsewhere/images").absolute(),)
    assert config.data.masks == Path("pics/train/masks").absolute()


def test_weights_and_data_are_found_from_another_folder() -> None:
    Path("old.weights").touch()
    Path("sub").mkdir()
    Path("sub/pics.yaml").write_text(FILES["pics.yaml"].replace("./old", "../old"))
    call("sub/pics.yaml", *DATA)
    config = load_config(Path("experiments/pics/config.yaml")).config
    assert Path(str(config.stages[0].initial_weights)).resolve() == Path("old.weights").resolve()


@pytest.mark.parametrize(("place", "name"), [("old/config.yaml", "old"), ("second.yml", "second")])
def test_the_name_is_that_of_the_file_or_of_its_folder(place: str, name: str) -> None:
    Path(place).parent.mkdir(exist_ok=True)
    Path(place).write_text(FILES["pics.yaml"])
    call(place, *DATA)
    assert Path("experiments", name, "config.yaml").is_file()


def test_a_file_of_no_known_system_gets_one_message() -> None:
    Path("other.yaml").write_text("learning_rate: 1\nnet: unet\n")
    told = call("other.yaml", *DATA, code=ConfigError.exit_code).stderr
    assert "other.yaml is not a configuration that can be imported; its keys: learning_rate, net" in told
    for name in ("segmentation_training_pipeline", "U-Net with Keras", "Image Segmentation Models (RefineNet)"):
        assert name in told


def test_a_configuration_of_ours_and_python_are_not_imported() -> None:
    call("pics.yaml", *DATA)
    told = call("experiments/pics/config.yaml", "--name", "x", code=ConfigError.exit_code).stderr
    assert "is a configuration of this toolkit" in told
    Path("config.py").write_text("batch_size = 3")
    assert "docs/migrating.md" in call("config.py", code=ConfigError.exit_code).stderr


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("pics.yaml",), ConfigError.exit_code, "tk import pics.yaml --images FOLDER --masks FOLDER_OR_CSV"),
        (("pics.yaml", *DATA[:2]), ConfigError.exit_code, "--images and --masks are required"),
        (("nothing.yaml", *DATA), MissingFileError.exit_code, "nothing.yaml"),
        (("pics.yaml", "--images", "pisc", *DATA[2:]), MissingFileError.exit_code, "pisc"),
        (("pics.yaml", "--images", "pics", *DATA[2:]), NothingToLearnError.exit_code, "images"),
        (("pics.yaml", *DATA, "--name", "../x"), ConfigError.exit_code, "is not valid as the name"),
    ],
)
def test_what_cannot_be_imported_writes_nothing(options: tuple[str, ...], code: int, text: str) -> None:
    assert text in call(*options, code=code).stderr


def test_a_value_that_is_not_valid_here_names_the_foreign_file() -> None:
    Path("bad.yaml").write_text(FILES["pics.yaml"].replace("batch: 4", "batch: many"))
    told = call("bad.yaml", *DATA, code=ConfigError.exit_code).stderr
    assert "bad.yaml cannot be imported as it stands" in told
    assert "\n  bad.yaml:5: batch: expected a whole number, received 'many' (text)\n" in told
    assert "config.yaml" not in told
    assert "Correct bad.yaml and import it again" in told


def refine(**changed: Any) -> str:
    """A file of RefineNet with other keys."""
    Path("other.json").write_text(json.dumps(json.loads(FILES["refine.json"]) | changed))
    return "other.json"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"input_shape": [32, 32]}, ":1: input_shape: expected 3 entries"),
        ({"epochs": "300"}, ":1: epochs: expected a whole number, received '300' (text)"),
        ({"name": "a: b"}, ":1: name: 'a: b' is not valid as the name"),
        ({"backbone": "Resnet5O", "epoch": 3}, "backbone: there is no backbone 'Resnet5O' here; did you mean"),
        ({"batch_size": 0}, "batch_size: must be greater than 0, received 0"),
    ],
)
def test_errors_speak_of_the_keys_and_values_of_the_file(changed: dict[str, Any], told: str) -> None:
    text = call(refine(**changed), *DATA, code=ConfigError.exit_code).stderr
    assert f"other.json{told}" in text or f"other.json:1: {told}" in text
    assert "stages.0" not in text


def test_all_problems_are_told_at_once() -> None:
    text = call(refine(backbone="Resnet5O", epoch=3), code=ConfigError.exit_code).stderr
    for told in ("backbone:", "epoch: unknown key; did you mean 'epochs'?", "--images and --masks are required"):
        assert told in text
    assert "--skip KEY" in text


def test_a_key_can_be_left_out_and_the_default_is_named() -> None:
    shown = call(refine(backbone="Xception"), *DATA, "--skip", "backbone").stdout
    assert "1 key was not translated: backbone" in shown
    assert "the default is used: backbone: resnet34" in shown
    told = call("pics.yaml", *DATA, "--skip", "nothing", code=ConfigError.exit_code).stderr
    assert "has no such key" in told
    shown = call("membrane.yaml", "--skip", "data_augmentation_params.rotation_range").stdout
    assert "not translated: data_augmentation_params.rotation_range" in shown
    assert "rotate" not in Path("experiments/membrane/config.yaml").read_text()


def test_skipped_keys_are_those_of_the_file_whatever_else_is_skipped() -> None:
    shown = call("pics.yaml", *DATA, "--skip", "stages.0.epochs", "--skip", "stages.0", "--skip", "stages.0").stdout
    assert "2 keys were not translated: colour, stages.0\n" in shown
    text = FILES["pics.yaml"].replace("stages: [", "stages: [{epochs: 7}, ")
    Path("three.yaml").write_text(text)
    call("three.yaml", *DATA, "--skip", "stages.0", "--skip", "stages.1")
    stages = load_config(Path("experiments/three/config.yaml")).config.stages
    assert [(stage.epochs, stage.loss) for stage in stages] == [(1, "lovasz_loss")]


def test_after_a_skipped_entry_the_others_keep_their_numbers_and_lines() -> None:
    head = FILES["pics.yaml"].partition("stages")[0]
    Path("lines.yaml").write_text(f"{head}stages:\n  - epochs: 2\n  - epochs: 3\n    epoch: 4\n    colour: red\n")
    told = call("lines.yaml", *DATA, "--skip", "stages.0", code=ConfigError.exit_code).stderr
    assert "lines.yaml:12: stages.1.epoch: unknown key" in told
    assert "--skip KEY" in told
    shown = call("lines.yaml", *DATA, "--skip", "stages.0", "--skip", "stages.1.epoch").stdout
    assert "stages.1.colour" in shown


def test_a_required_key_cannot_be_skipped_and_the_error_says_why() -> None:
    told = call("refine.json", *DATA, "--skip", "epochs", code=ConfigError.exit_code).stderr
    assert "epochs: the key is missing; expected a whole number" in told
    assert "--skip KEY" not in told
    Path("no_list.yaml").write_text(FILES["pics.yaml"].partition("stages")[0] + "stages: 3\n")
    told = call("no_list.yaml", *DATA, code=ConfigError.exit_code).stderr
    assert "stages: expected a list" in told
    assert "--skip KEY" not in told


def test_the_number_of_networks_is_said_and_is_a_comment() -> None:
    shown = call("pics.yaml", *DATA).stdout
    told = "5 networks will be trained, one for each fold: 5 folds × (2 + 1) epochs"
    assert told in shown
    assert f"# {told}" in Path("experiments/pics/config.yaml").read_text()
    assert "2 keys were not translated: colour, stages.0.initial_weights" in shown


def test_notes_name_the_experiment() -> None:
    Path("logged.yaml").write_text(FILES["membrane.yaml"] + "log_dir: logs/\nresult_path: results/\n")
    shown = call("logged.yaml").stdout
    assert "tensorboard --logdir experiments/logged" in shown
    assert "NAME" not in shown


@pytest.mark.parametrize(
    "text", ['["house", "street"]', '{"house": 1, "street": 2}', '{"house": null, "street": null}']
)
def test_classes_have_the_numbers_of_the_file_with_all_of_them(text: str) -> None:
    Path("classes.json").write_text(text)
    call(refine(classes=["street"]), *DATA, "--classes-file", "classes.json")
    config = load_config(Path("experiments/houses/config.yaml")).config
    assert config.task_classes.names == ("street",)
    assert config.task_classes.values == ((2,),)


@pytest.mark.parametrize("text", ['["Background", "house", "street"]', '{"background": 0, "house": 1, "street": 2}'])
def test_a_background_in_front_has_the_number_0(text: str) -> None:
    Path("classes.json").write_text(text)
    told = call(refine(classes=["background", "street"]), *DATA, "--classes-file", "classes.json").stderr
    classes = load_config(Path("experiments/houses/config.yaml")).config.task_classes
    assert (classes.names, classes.values) == (("street",), ((2,),))
    assert "none of the" not in told


def test_classes_that_no_mask_has_are_a_warning() -> None:
    Path("classes.json").write_text('["nothing", "house", "street"]')
    told = call(refine(classes=["street"]), *DATA, "--classes-file", "classes.json").stderr
    assert "none of the 10 masks read has the value of street (3); the values found: 0, 1, 2" in told


def test_tags_with_lists_of_values_are_named_as_the_masks_name_them() -> None:
    Path("classes.json").write_text('{"building": ["other"], "highway": ["other"]}')
    call(refine(classes=["highway:other"]), *DATA, "--classes-file", "classes.json")
    assert load_config(Path("experiments/houses/config.yaml")).config.task_classes.values == ((2,),)


@pytest.mark.parametrize("text", ["3", "{", "[]", "[1]", '{"background": 0}', '["background"]'])
def test_another_file_of_classes_is_refused(text: str) -> None:
    Path("classes.json").write_text(text)
    told = call(refine(), *DATA, "--classes-file", "classes.json", code=ConfigError.exit_code).stderr
    assert "--classes-file: classes.json" in told


def test_masks_with_more_values_than_classes_are_a_warning() -> None:
    told = call(refine(classes=["street"]), *DATA).stderr
    assert "masks hold the values 0, 1, 2, and each above 0 counts as street" in told
    call("pics.yaml", *DATA, "--name", "a")
    assert "assumed: street is every value above 0" in told


def test_masks_with_values_of_no_class_are_a_warning() -> None:
    for path in Path("pics/train/masks").iterdir():
        Image.fromarray(np.asarray(Image.open(path)) * np.uint8(100)).save(path)
    assert "pixel values that no class has" in call(refine(), *DATA).stderr


def test_images_without_any_mask_are_refused() -> None:
    told = call("pics.yaml", "--images", "pics/train/images", "--masks", "elsewhere", code=4).stderr
    assert "--masks: there is no folder" in told
    assert "Paths in a config.yaml" not in told
    Path("elsewhere").mkdir()
    for path in Path("pics/train/masks").iterdir():
        shutil.copy(path, f"elsewhere/mask{path.name}")
    told = call("pics.yaml", *DATA[:2], "--masks", "elsewhere", code=DataError.exit_code).stderr
    assert "no image has a mask" in told


def test_a_folder_that_does_not_exist_has_a_near_name_or_inner_folders() -> None:
    Path("near.yaml").write_text(FILES["membrane.yaml"].replace("pics/train", "pics/trian"))
    told = call("near.yaml", code=MissingFileError.exit_code).stderr
    assert "near.yaml:3: dataset.train_path: there is no folder" in told
    assert "pics/train/images?" in told
    assert "Paths in a config.yaml" not in told
    Path("inner.yaml").write_text(FILES["membrane.yaml"].replace("pics/test/images", "pics/test"))
    told = call("inner.yaml", code=NothingToLearnError.exit_code).stderr
    assert "inner.yaml:3: dataset.test_path" in told
    assert "pics/test/images" in told


def test_a_module_names_its_section() -> None:
    Path("configs").mkdir()
    Path("configs/config.py").write_text("batch_size = 2\ndef get_model(): ...\n")
    told = call("configs.config", code=ConfigError.exit_code).stderr
    assert told.count("configs/config.py") == 1
    assert "section patch_generator" in told


@pytest.mark.train
def test_an_imported_file_trains(workspace: Workspace) -> None:
    call("membrane.yaml")
    result = fit(Session(workspace), "membrane", overrides=["folds_count=2", "precision=float32"])
    assert result.metric == "dice"
    assert workspace.find("membrane").score.is_file()
