import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from toolkit.config.loading import (
    Loaded,
    config_from_plain,
    is_ensemble,
    load_config,
    load_ensemble,
    plain_config,
    settings_of,
    with_settings,
)
from toolkit.config.models import Config, EnsembleConfig
from toolkit.config.yaml.yaml_files import read_document, write_yaml
from toolkit.errors import ConfigError, MissingFileError

MINIMAL = """\
data:
  images: train/images
  masks: train/masks
stages:
  - epochs: 2
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def load(folder: Path, text: str, *overrides: str) -> Loaded[Config]:
    return load_config(write(folder / "config.yaml", text), overrides)


def refused(folder: Path, text: str, *overrides: str) -> list[str]:
    """The lines of the error, paths shortened to names inside the folder."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, *overrides)
    return [line.strip() for line in caught.value.message.replace(f"{folder}{os.sep}", "").split("\n")]


def test_two_keys_are_enough(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL).config
    assert config.data.images == tmp_path / "train" / "images"
    assert config.data.test is None
    assert config.encoder_weights == "imagenet"
    assert config.shape == (256, 256, 3)
    assert [stage.epochs for stage in config.stages] == [2]
    assert config.stages[0].lr is None


def test_json_is_equivalent(tmp_path: Path) -> None:
    path = write(tmp_path / "config.json", '{"data": {"images": "a", "masks": "b.csv"}, "stages": [{"epochs": 1}]}')
    assert load_config(path).config == load(tmp_path, "data: {images: a, masks: b.csv}\nstages: [{epochs: 1}]\n").config


# --- Errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("bacth: 3", "config.yaml:6: key 'bacth' is not valid; did you mean 'batch'?"),
        ("unheard_of: 3", "config.yaml:6: key 'unheard_of' is not valid; no key has a similar name"),
        ("lr: fast", "config.yaml:6: lr: expected a number, received 'fast' (text)"),
        ("batch: 1.5", "config.yaml:6: batch: expected a whole number, received 1.5 (a number)"),
        ("batch: '16'", "config.yaml:6: batch: expected a whole number, received '16' (text)"),
        ("batch: true", "config.yaml:6: batch: expected a whole number, received True (true/false)"),
        (
            "stratified: 1",
            "config.yaml:6: stratified: expected true or false, text or a list, received 1 ",
        ),
        ("stratified: no", "config.yaml:6: stratified: expected true or false, coverage, classes, or the name of a "),
        ("loss: 3", "config.yaml:6: loss: expected text (for example binary_crossentropy + 0.5*"),
        ("metrics: dice", "config.yaml:6: metrics: expected a list, received 'dice' (text)"),
        (
            "metrics: [dice, dise]",
            "config.yaml:6: metrics.1: 'dise' is not valid; did you mean 'dice'? choose from dice",
        ),
        (
            "architecture: unet",
            "config.yaml:6: architecture: 'unet' is not valid; did you mean 'Unet'? choose from Unet",
        ),
        (
            "backbone: resnet-34",
            "config.yaml:6: backbone: 'resnet-34' is not valid; did you mean 'resnet34'? choose from",
        ),
        ("precision: double", "config.yaml:6: precision: 'double' is not valid; choose from auto, float32, bfloat16"),
        ("folds_count: 1", "config.yaml:6: folds_count: folds_count: 1 requires validationSplit, the share"),
        ("lr: 0", "config.yaml:6: lr: must be greater than 0, received 0"),
        ("lr: .inf", "config.yaml:6: lr: expected a finite number, received inf"),
        ("encoder_weights: 5", "config.yaml:6: encoder_weights: expected imagenet, pascal_voc or a path, received 5"),
        ("augmentation: 5", "config.yaml:6: augmentation: expected "),
        ("augmentation:\n  - HorizontalFlip: 0.5\n  - blur", "config.yaml:8: augmentation.1: 'blur' is not valid"),
        (
            "augmentation:\n  - HorizontalFlip: 0.5\n  - [Blur]",
            "config.yaml:8: augmentation.1: expected a preset, a name",
        ),
        (
            "callbacks:",
            "config.yaml:6: callbacks: expected text, `key: value` pairs or a list, received nothing (null)",
        ),
        ("class_weights: balancd", "config.yaml:6: class_weights: 'balancd' is not valid; did you mean 'balanced'?"),
        ("shape: [64, 64]", "config.yaml:6: shape: expected 3 entries, received 2"),
        ("mixing: {cutmx: {p: 1}}", "config.yaml:6: mixing: 'cutmx' is not valid; did you mean 'cutmix'?"),
        ("primary_metric: val_dise", "config.yaml:6: primary_metric: 'dise' is not valid; did you mean 'dice'?"),
        ("loss: dice_loss+", "config.yaml:6: loss: character 11: expected terms joined by"),
    ],
)
def test_an_invalid_key_is_reported_with_file_line_and_allowed_values(tmp_path: Path, text: str, problem: str) -> None:
    head, found, *_ = refused(tmp_path, f"{MINIMAL}{text}\n")
    assert head == "1 problem in the configuration config.yaml"
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("stages: [{epochs: 1}]", "config.yaml:1: required key data is missing"),
        ("data: {images: a}\nstages: [{epochs: 1}]", "config.yaml:1: required key data.masks is missing"),
        ("stages: [{epochs: 1}]\ndata:\n  images: a", "config.yaml:2: required key data.masks is missing"),
        (
            "stages: [{epochs: 1}]\ndata: here",
            "config.yaml:2: data: expected `key: value` pairs, received 'here' (text)",
        ),
        ("stages: [{epochs: 1}]\ndata:", "config.yaml:2: data: expected `key: value` pairs, received nothing"),
        (
            "data: {images: 1, masks: b}\nstages: [{epochs: 1}]",
            "config.yaml:1: data.images: expected a path or a list, received 1",
        ),
        ("data: {images: a, masks: b}\nstages: []", "config.yaml:2: stages: expected at least 1 entry, received 0"),
        (
            "data: {images: a, masks: b}\nstages:\n- 3",
            "config.yaml:3: stages.0: expected `key: value` pairs, received 3",
        ),
        ("data: {images: a, masks: b}\nstages:\n- lr: 1", "config.yaml:3: required key stages.0.epochs is missing"),
        (
            "data: {images: a, masks: b}\nstages:\n- epochs: 1\n  los: x",
            "config.yaml:4: stages.0: key 'los' is not valid; did you mean 'loss'?",
        ),
        (
            "data: {images: a, masks: b, maks: c}\nstages: [{epochs: 1}]",
            "config.yaml:1: data: key 'maks' is not valid; did you mean 'masks'?",
        ),
    ],
)
def test_errors_in_the_required_keys(tmp_path: Path, text: str, problem: str) -> None:
    _, found, *_ = refused(tmp_path, text)
    assert found.startswith(problem)


def test_all_errors_are_reported_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = """\
lr: fast
data:
  images: a
  mask: b
stages:
  - epochs: 0
  - epochs: 2
    negatives: all
shape: [0, 256, 3]
bacth: 3
"""
    head, *found = refused(tmp_path, text)
    assert head == "6 problems in the configuration config.yaml"
    assert [line.partition(": ")[0] for line in found] == [f"config.yaml:{line}" for line in (1, 4, 6, 8, 9, 10)]
    for line, word in zip(found, ("lr", "mask", "epochs", "all", "shape", "bacth"), strict=True):
        assert word in line


def test_an_error_names_the_page_with_all_keys(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, MINIMAL + "bacth: 3\n")
    assert caught.value.advice.endswith("docs/configuration.md")
    assert (Path(__file__).parents[2] / "docs" / "configuration.md").is_file()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mode: train\nmodel: {name: unet}\n" + "".join(f"k{n}: 1\n" for n in range(6)), "U-Net with Keras"),
        ("type: RefineNet\nbackbone: ResNet50\nepochs: 3\n", "Image Segmentation Models (RefineNet)"),
    ],
)
def test_a_configuration_of_another_system_gets_a_few_lines_and_the_command(
    tmp_path: Path, text: str, name: str
) -> None:
    foreign = write(tmp_path / "config.yaml", text)
    heir = write(tmp_path / "heir.yaml", "extends: config.yaml\nlr: 0.1\n")
    for path in (foreign, heir):
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        assert caught.value.message.startswith(f"{foreign} is a configuration of {name}")
        assert f"{foreign}:1: {text.partition(':')[0]}" in caught.value.message
        assert len(caught.value.message.splitlines()) <= 7
        assert "backbone" not in caught.value.message
        assert f"tk import {foreign}" in caught.value.advice


def test_a_configuration_of_a_similar_system_gets_its_problems_and_the_command(tmp_path: Path) -> None:
    path = write(tmp_path / "config.yaml", "architecture: Unet\nunfreeze: true\nstages: [{epochs: 1}]\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert f"{path}:2: key 'unfreeze' is not valid" in caught.value.message
    assert "required key data is missing" in caught.value.message
    assert f"segmentation_training_pipeline: tk import {path}" in caught.value.advice


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"cannot read .*config\.yaml"):
        load_config(tmp_path / "config.yaml")


def test_where_a_key_was_written(tmp_path: Path) -> None:
    loaded = load(tmp_path, MINIMAL, "stages.0.lr=0.1")
    path = tmp_path / "config.yaml"
    assert loaded.where("data", "masks") == f"{path}:3: data.masks"
    assert loaded.where("stages", 0, "epochs") == f"{path}:5: stages.0.epochs"
    assert loaded.where("stages", 0, "lr") == "--set stages.0.lr=0.1: stages.0.lr"
    assert loaded.where("batch") == f"{path}: batch"


def test_a_key_without_a_line_has_the_line_of_the_nearest_key_around_it(tmp_path: Path) -> None:
    write(
        tmp_path / "common.yaml", MINIMAL + "augmentation:\n  - light\n  - OneOf: {transforms: [Blur, {Affine: 1}]}\n"
    )
    overrides = ["callbacks={EarlyStopping: {patience: 1}}", "transforms.CLAHE={p: 1}", "callbacks.TensorBoard={}"]
    loaded = load(tmp_path, "extends: common.yaml\nclasses: 2\n", *overrides)
    common = tmp_path / "common.yaml"
    assert loaded.where("augmentation", 0, "OneOf", "p") == f"{common}:7: augmentation.0.OneOf.p"
    assert loaded.where("augmentation", 1, "OneOf", "transforms", 1, "Affine", "scale").startswith(f"{common}:8: ")
    assert loaded.where("stages", 0, "shape") == f"{common}:5: stages.0.shape"
    assert loaded.where("classes", 0) == f"{tmp_path / 'config.yaml'}:2: classes.0"
    assert loaded.where("callbacks", "EarlyStopping", "patience").startswith(f"--set {overrides[0]}: callbacks.Early")
    assert loaded.where("callbacks", "TensorBoard", "x").startswith(f"--set {overrides[2]}: ")
    assert loaded.where("transforms", "CLAHE", "p").startswith(f"--set {overrides[1]}: transforms.CLAHE.p")
    assert loaded.where("shape", 0) == f"{tmp_path / 'config.yaml'}: shape.0"


# --- Inheritance -----------------------------------------------------------------------------------------------------


def test_mappings_are_merged_and_everything_else_is_replaced(tmp_path: Path) -> None:
    write(
        tmp_path / "common.yaml",
        MINIMAL + "  - epochs: 3\nmetrics: [dice, iou]\nlr: 0.5\nbatch: 4\naugmentation: {Blur: 0.1, Transpose: 0.2}\n",
    )
    text = "extends: common.yaml\nlr: 0.1\nmetrics: [salt_map]\naugmentation: {Blur: 0.7}\nstages: [{epochs: 9}]\n"
    config = load(tmp_path, text + "data: {masks: others}\n").config
    assert config.data.images == tmp_path / "train" / "images"
    assert config.data.masks == tmp_path / "others"
    assert (config.lr, config.batch) == (0.1, 4)
    assert config.metrics == ("salt_map",)
    assert config.augmentation == {"Blur": 0.7, "Transpose": 0.2}
    assert [stage.epochs for stage in config.stages] == [9]


def test_files_extend_files_that_extend_files(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", MINIMAL + "lr: 0.1\nbatch: 1\nseed: 1\n")
    write(tmp_path / "b.yaml", "extends: a.yaml\nbatch: 2\nseed: 2\n")
    config = load(tmp_path, "extends: b.yaml\nseed: 3\n").config
    assert (config.lr, config.batch, config.seed) == (0.1, 2, 3)


def test_paths_are_relative_to_the_file_that_contains_them(tmp_path: Path) -> None:
    write(tmp_path / "one" / "a.yaml", MINIMAL + "encoder_weights: weights.h5\n")
    write(tmp_path / "two" / "b.yaml", "extends: ../one/a.yaml\ndata: {test: test}\n")
    config = load(tmp_path / "three", "extends: ../two/b.yaml\ndata: {masks: ../masks.csv}\n").config
    assert config.data.images == tmp_path / "one" / "train" / "images"
    assert config.encoder_weights == tmp_path / "one" / "weights.h5"
    assert config.data.test == tmp_path / "two" / "test"
    assert config.data.masks == tmp_path / "masks.csv"


def test_absolute_paths_stay_and_a_tilde_is_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    write(tmp_path / "home" / "common.yaml", f"data: {{images: ~/images, masks: {tmp_path}/masks}}\n")
    config = load(
        tmp_path / "x", "extends: ~/common.yaml\ndata: {test: ~nobody-of-this-name/y}\nstages: [{epochs: 1}]\n"
    )
    assert config.config.data.images == tmp_path / "home" / "images"
    assert config.config.data.masks == tmp_path / "masks"
    assert config.config.data.test == tmp_path / "x" / "~nobody-of-this-name" / "y"


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    config = load(tmp_path, MINIMAL.replace("train/images", "link/images")).config
    assert config.data.images == tmp_path / "link" / "images"


def test_imagenet_names_weights_only_where_weights_are_named(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL.replace("train/images", "imagenet")).config
    assert config.data.images == tmp_path / "imagenet"
    assert config.encoder_weights == "imagenet"


def test_an_error_in_a_parent_is_reported_with_its_file_and_line(tmp_path: Path) -> None:
    write(tmp_path / "common.yaml", MINIMAL + "lr: fast\nbacth: 1\nseed: 0\n")
    head, *found = refused(tmp_path, "extends: common.yaml\nseed: -1\nlr: 1\n")
    assert head == "2 problems in the configuration config.yaml"
    assert found[0].startswith("common.yaml:7: key 'bacth' is not valid")
    assert found[1].startswith("config.yaml:2: seed: must be greater than or equal to 0")


def test_an_error_in_a_replaced_value_is_reported_with_the_line_of_the_child(tmp_path: Path) -> None:
    write(tmp_path / "common.yaml", MINIMAL + "shape: [64, 64, 3]\n")
    _, *found = refused(tmp_path, "extends: common.yaml\n\nstages:\n  - lr: 0.1\nshape: [64]\n")
    assert found[0] == "config.yaml:4: required key stages.0.epochs is missing"
    assert found[1].startswith("config.yaml:5: shape: ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("extends: absent.yaml", "config.yaml:1: extends: there is no file absent.yaml"),
        ("lr: 1\nextends: 5", "config.yaml:2: extends: expected the path of a file, received 5"),
        ("extends:", "config.yaml:1: extends: expected the path of a file, received None"),
        ("extends: [a.yaml, b.yaml]", "config.yaml:1: extends: expected the path of a file, received ('a.yaml'"),
        ("extends: config.yaml", "config.yaml:1: extends: these files extend each other: config.yaml"),
        ("extends: ./x/../config.yaml", "config.yaml:1: extends: these files extend each other: config.yaml"),
    ],
)
def test_errors_of_extends(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = refused(tmp_path, text)
    assert found.startswith(problem)


def test_files_that_extend_each_other_are_rejected(tmp_path: Path) -> None:
    write(tmp_path / "b.yaml", "extends: c.yaml\n")
    write(tmp_path / "c.yaml", "lr: 1\nextends: config.yaml\n")
    (found,) = refused(tmp_path, "extends: b.yaml\n")
    assert found == "c.yaml:2: extends: these files extend each other: config.yaml → b.yaml → c.yaml"


def test_parents_that_extend_each_other_are_rejected(tmp_path: Path) -> None:
    write(tmp_path / "b.yaml", "extends: c.yaml\n")
    write(tmp_path / "c.yaml", "extends: b.yaml\n")
    (found,) = refused(tmp_path, "extends: b.yaml\n")
    assert found.startswith("c.yaml:1: extends: these files extend each other: ")


def test_two_children_may_share_a_parent(tmp_path: Path) -> None:
    write(tmp_path / "common.yaml", MINIMAL)
    assert load(tmp_path, "extends: common.yaml\n").config == load(tmp_path / "b", "extends: ../common.yaml\n").config


# --- Overrides -------------------------------------------------------------------------------------------------------


def test_overrides_reach_every_key(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        MINIMAL + "  - epochs: 5\n",
        "lr=1e-2",
        "stages.1.epochs=7",
        "stages.1.negatives=none",
        "augmentation.Blur=0.5",
        "metrics=[dice, iou]",
        "stratified=false",
        "encoder_weights=null",
    ).config
    assert config.lr == 0.01
    assert [stage.epochs for stage in config.stages] == [2, 7]
    assert [stage.negatives for stage in config.stages] == ["real", "none"]
    assert config.augmentation == {"Blur": 0.5}
    assert config.metrics == ("dice", "iou")
    assert not config.stratified
    assert config.encoder_weights is None


def test_an_entry_of_a_list_is_overridden_by_its_number(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL + "shape: [64, 64, 3]\n", "shape.1=96").config
    assert config.shape == (64, 96, 3)


def test_the_last_override_of_a_key_wins(tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL, "seed=1", "seed=2").config.seed == 2
    assert (
        load(tmp_path, MINIMAL, "stages=[{epochs: 1}, {epochs: 2}]", "stages.1.epochs=8").config.stages[1].epochs == 8
    )


def test_an_override_beats_the_file_and_its_parent(tmp_path: Path) -> None:
    write(tmp_path / "common.yaml", MINIMAL + "seed: 1\n")
    assert load(tmp_path, "extends: common.yaml\nseed: 2\n", "seed=3").config.seed == 3


def test_a_value_may_hold_an_equals_sign(tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL, "data.images=/a=b").config.data.images == Path("/a=b")


def test_paths_in_overrides_are_relative_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    config = load(tmp_path / "experiment", MINIMAL, "data.images=../other", "encoder_weights=w.h5").config
    assert config.data.images == tmp_path / "other"
    assert config.encoder_weights == tmp_path / "work" / "w.h5"
    assert config.data.masks == tmp_path / "experiment" / "train" / "masks"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("lr=fast", "--set lr=fast: lr: expected a number, received 'fast' (text)"),
        ("lr=", "--set lr=: lr: expected a number, received nothing (null)"),
        ("stages.0.epochs=x", "--set stages.0.epochs=x: stages.0.epochs: expected a whole number, received 'x'"),
        ("stages=[{epochs: x}]", "--set stages=[{epochs: x}]: stages.0.epochs: expected a whole number, received 'x'"),
        ("stages=[{lr: 1}]", "--set stages=[{lr: 1}]: required key stages.0.epochs is missing"),
        ("data.imags=x", "--set data.imags=x: data: key 'imags' is not valid; did you mean 'images'?"),
        ("shape.0=64", "--set shape.0=64: shape: expected a list, received {'0': 64} (pairs)"),
        ("augmention.Blur=1", "--set augmention.Blur=1: key 'augmention' is not valid; did you mean 'augmentation'?"),
        ("loss=dice", "--set loss=dice: loss: character 1: loss 'dice' is not valid; did you mean 'dice_loss'?"),
        ("shape=[100, 64, 3]", "--set shape=[100, 64, 3]: shape: Unet requires sides that are multiples of 32"),
        (
            "callbacks={EarlyStopping: {patience: 1, mod: max}}",
            "--set callbacks={EarlyStopping: {patience: 1, mod: max}}: callbacks.EarlyStopping: key 'mod' is not valid",
        ),
        (
            "callbacks.EarlyStopping.patience=-1",
            "--set callbacks.EarlyStopping.patience=-1: callbacks.EarlyStopping.patience: must be greater than",
        ),
        (
            "stages.0.optimizer={SDG: {}}",
            "--set stages.0.optimizer={SDG: {}}: stages.0.optimizer: 'SDG' is not valid",
        ),
        ("stages.0.schedule={step: {at: 1}}", "--set stages.0.schedule={step: {at: 1}}: stages.0.schedule.step.at: "),
        (
            "stages.0.loss=dice_loss(smoth=1)",
            "--set stages.0.loss=dice_loss(smoth=1): stages.0.loss: character 11: dice_loss: argument 'smoth' is not",
        ),
        ("loss=[mae_loss, dice]", "--set loss=[mae_loss, dice]: loss: expected text (for example binary_"),
        ("mixing.mixup.alpha=0", "--set mixing.mixup.alpha=0: mixing.mixup.alpha: must be greater than 0, received 0"),
        (
            "primary_metric={fbeta: {bta: 2}}",
            "--set primary_metric={fbeta: {bta: 2}}: primary_metric.fbeta: key 'bta' is",
        ),
        (
            "data.extra_train_data=[{images: a}]",
            "--set data.extra_train_data=[{images: a}]: required key data.",
        ),
        (
            "architecture_options.depth=3",
            "--set architecture_options.depth=3: architecture_options: key 'depth' is not valid",
        ),
        (
            "architecture_options.0=3",
            "--set architecture_options.0=3: architecture_options: key '0' is not valid; choose from ",
        ),
        ("activation=softmax", "--set activation=softmax: activation: softmax requires at least two classes"),
    ],
)
def test_an_error_in_a_value_of_the_command_line_names_the_override(
    tmp_path: Path, override: str, problem: str
) -> None:
    head, found, *_ = refused(tmp_path, MINIMAL, override)
    assert head.startswith("1 problem")
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("lr", "--set lr: expected KEY=VALUE, for example --set stages.0.epochs=3"),
        ("", "--set : expected KEY=VALUE"),
        ("=3", "--set =3: expected KEY=VALUE"),
        (" =3", "--set  =3: expected KEY=VALUE"),
        ("lr=[1", "--set lr=[1:"),
        ("data={images: a, images: b}", "--set data={images: a, images: b}:"),
        ("stages.1.epochs=1", "--set stages.1.epochs=1: 1 is not an entry of this list, which has entries 0 to 0"),
        ("stages.-1.epochs=1", "--set stages.-1.epochs=1: '-1' is not an entry of this list"),
        ("stages.first.epochs=1", "--set stages.first.epochs=1: 'first' is not an entry of this list"),
        ("stages.².epochs=1", "--set stages.².epochs=1: '²' is not an entry of this list"),
        ("metrics.0=dice", "--set metrics.0=dice: 0 is not an entry of this list, which is empty"),
        ("extends=other.yaml", "--set extends=other.yaml: "),
        ("stages.0.epochs.x=1", "--set stages.0.epochs.x=1: cannot set 'x' in 2, which is a single value"),
    ],
)
def test_an_invalid_override_is_rejected(tmp_path: Path, override: str, problem: str) -> None:
    (found,) = refused(tmp_path, MINIMAL + "metrics: []\n", override)
    assert found.startswith(problem)


def test_overrides_in_a_file_are_equivalent_to_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = write(tmp_path / "experiment" / "config.yaml", MINIMAL)
    tree = read_document(path).tree
    overrides = ["stages.0.epochs=3", "data.images=pictures", "data.test=~/test", "encoder_weights=imagenet", "lr=1e-2"]
    expected = load_config(path, overrides).config
    settings = settings_of(overrides, path.parent)
    assert load_config(path, settings=settings).config == expected
    changed = with_settings(tree, settings, path)
    assert load_config(write(path, write_yaml(changed))).config == expected
    assert changed["data"]["images"] == "../elsewhere/pictures"
    assert tree["stages"][0]["epochs"] == 2


def test_later_settings_take_the_place_of_earlier_ones() -> None:
    found = settings_of(["a.b=1", "c=2", "a={}", "c=3"], Path())
    assert list(found.items()) == [("a.b", 1), ("a", {}), ("c", 3)]


# --- What an heir leaves out -----------------------------------------------------------------------------------------


def test_an_heir_can_replace_and_clear_inherited_mappings(tmp_path: Path) -> None:
    parent = "augmentation: {HorizontalFlip: 0.5, Blur: 0.1}\narchitecture_options: {decoder_use_batchnorm: false}\n"
    write(tmp_path / "a.yaml", MINIMAL + parent)
    heir = "extends: a.yaml\naugmentation: !replace {VerticalFlip: 0.5}\narchitecture_options: !replace {}\n"
    config = load(tmp_path, heir).config
    assert list(config.augmentation) == ["VerticalFlip"]
    assert config.architecture_options == {}
    write(tmp_path / "b.yaml", heir)
    heir_of_heir = load(tmp_path, "extends: b.yaml\naugmentation: {Blur: 1}\n").config
    assert list(heir_of_heir.augmentation) == ["VerticalFlip", "Blur"]
    problem = refused(tmp_path, "extends: a.yaml\ndata: !replace {images: x}\n")[1]
    assert problem == "config.yaml:2: required key data.masks is missing"


@pytest.mark.parametrize(("name", "left"), [("FPN", []), ("ModularUnet", ["dropout"])])
def test_options_that_another_architecture_does_not_have_are_left_out_and_said(
    tmp_path: Path, name: str, left: list[str]
) -> None:
    options = "architecture: DeepLabV3Plus\narchitecture_options: {dropout: 0.3, aspp_filters: 64}\n"
    write(tmp_path / "a.yaml", MINIMAL + options)
    gone = [option for option in ("dropout", "aspp_filters") if option not in left]
    for loaded, where in (
        (load(tmp_path, f"extends: a.yaml\narchitecture: {name}\n"), f"{tmp_path / 'config.yaml'}:2: architecture"),
        (load_config(tmp_path / "a.yaml", [f"architecture={name}"]), f"--set architecture={name}"),
    ):
        assert list(loaded.config.architecture_options) == left
        assert loaded.notes == (f"{where}: {name} does not have the inherited architecture_options {', '.join(gone)}",)
    assert not load(tmp_path, "extends: a.yaml\narchitecture: DeepLabV3Plus\n").notes
    (_, problem) = refused(tmp_path, f"extends: a.yaml\narchitecture: {name}\narchitecture_options: {{wrong: 1}}\n")
    assert "wrong" in problem


# --- Plain data ------------------------------------------------------------------------------------------------------

RICH = (
    MINIMAL.replace("masks\n", "masks\n  mask_values: [1, [2, 3]]\n  extra_train_data: [{images: a, masks: b}]\n")
    + """\
    negatives: 0.5
    loss: binary_crossentropy + .5*lovasz_loss
  - epochs: 1
    negatives: {from: 0.8, to: 0.4}
    shape: [96, 96, 4]
    schedule: [{warm_up: {share: 0.2}}, cosine]
    callbacks: []
    extra_callbacks: [TensorBoard]
    initial_weights: weights/best.h5
    freeze_encoder: false
  - epochs: 1
    schedule: {CyclicLR: {base_lr: 1e-4, max_lr: 1e-2, step_size: 5}}
    initial_weights: exp041:stage1
architecture: FPN
architecture_options: {pyramid_dropout: 0.1}
encoder_weights: ../weights.h5
freeze_encoder: true
shape: [64, 96, 4]
classes: [a, b]
activation: sigmoid
class_weights: [1, 0.5]
optimizer: {SGD: {momentum: 0.9}}
callbacks: {ReduceLROnPlateau: {monitor: val_iou}}
weight_averaging: {ema: {decay: 0.99}}
metrics: [dice, iou, {fbeta: {beta: 2}}]
benchmark_class: b
mixing: {mixup: {alpha: 0.3}}
transforms: {CLAHE: 1.0}
augmentation:
  - light
  - BackgroundReplacer: {path: ../backgrounds}
  - HorizontalFlip: 0.5
  - Affine: {scale: [0.9, 1.1], p: 0.5}
stored_probability: float16
"""
)


@pytest.mark.parametrize("text", [MINIMAL, RICH, MINIMAL + "encoder_weights: null\n"], ids=["minimal", "rich", "null"])
def test_a_configuration_comes_back_from_plain_data(tmp_path: Path, text: str) -> None:
    config = load(tmp_path / "x", text).config
    for folder in (tmp_path / "x", tmp_path / "y" / "z", tmp_path):
        plain = plain_config(config, folder)
        assert config_from_plain(plain, folder) == config
        path = write(folder / "resolved.yaml", write_yaml(plain))
        assert config_from_plain(read_document(path).tree, folder) == config
        assert load_config(path).config == config


def test_plain_data_has_every_key_and_relative_paths(tmp_path: Path) -> None:
    plain = plain_config(load(tmp_path / "x", RICH).config, tmp_path / "y")
    assert list(plain) == list(Config.model_fields)
    assert plain["data"]["images"] == "../x/train/images"
    assert plain["data"]["test"] is None
    assert plain["encoder_weights"] == "../weights.h5"
    assert plain["stages"][1]["lr"] is None


def test_plain_data_with_an_unknown_key_are_rejected(tmp_path: Path) -> None:
    plain = plain_config(load(tmp_path, MINIMAL).config, tmp_path)
    with pytest.raises(ValidationError, match="unheard_of"):
        config_from_plain(plain | {"unheard_of": 1}, tmp_path)


# --- Ensembles -------------------------------------------------------------------------------------------------------

ENSEMBLE = "members: [exp042, exp045]\nweights: [1, 2.5]\nprimary_metric: dice\n"


def test_an_ensemble_names_members_and_weights(tmp_path: Path) -> None:
    config = load_ensemble(write(tmp_path / "config.yaml", ENSEMBLE)).config
    expected = EnsembleConfig(members=("exp042", "exp045"), weights=(1, 2.5), views="none", primary_metric="dice")
    assert config == expected


def test_an_ensemble_comes_back_from_plain_data(tmp_path: Path) -> None:
    path = write(tmp_path / "config.yaml", ENSEMBLE)
    config = load_ensemble(path).config
    write(path, write_yaml(plain_config(config, tmp_path)))
    assert load_ensemble(path).config == config


def test_members_tell_an_ensemble_from_an_experiment(tmp_path: Path) -> None:
    ensemble = write(tmp_path / "a" / "config.yaml", ENSEMBLE)
    assert is_ensemble(ensemble)
    assert is_ensemble(write(tmp_path / "b" / "config.yaml", "extends: ../a/config.yaml\nweights: [1, 1]\n"))
    assert not is_ensemble(write(tmp_path / "c" / "config.yaml", MINIMAL))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("[1, 2.5]", "[1]"), "config.yaml:2: weights: expected 2 weights, one for each member, received 1"),
        (("[1, 2.5]", "[1, -1]"), "config.yaml:2: weights.1: must be greater than or equal to 0, received -1"),
        (("[1, 2.5]", "[1, .inf]"), "config.yaml:2: weights.1: expected a finite number, received inf"),
        (("[exp042, exp045]", "[]"), "config.yaml:1: members: expected at least 1 entry, received 0"),
        (("[exp042, exp045]", "[1, 2]"), "config.yaml:1: members.0: expected text, received 1 (a whole number)"),
        (("dice", "dise"), "config.yaml:3: primary_metric: 'dise' is not valid; did you mean 'dice'?"),
        (("dice\n", "dice\nviews: fips\n"), "config.yaml:4: views: 'fips' is not valid; did you mean 'flips'?"),
        (("dice\n", "dice\nweight: 1\n"), "config.yaml:4: key 'weight' is not valid; did you mean 'weights'?"),
        (("members: [exp042, exp045]\n", ""), "config.yaml:1: required key members is missing"),
    ],
)
def test_errors_of_an_ensemble(tmp_path: Path, change: tuple[str, str], problem: str) -> None:
    path = write(tmp_path / "config.yaml", ENSEMBLE.replace(*change))
    with pytest.raises(ConfigError) as caught:
        load_ensemble(path)
    found = caught.value.message.replace(f"{tmp_path}{os.sep}", "").split("\n")[1].strip()
    assert found.startswith(problem)
