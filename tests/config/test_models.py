from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from toolkit.config.checks.between_keys import check_between_keys
from toolkit.config.data.data import DataConfig
from toolkit.config.keras.backbones import BACKBONES
from toolkit.config.models import Config, EnsembleConfig
from toolkit.config.training.architectures import ARCHITECTURES
from toolkit.config.training.stages import StageConfig
from toolkit.config.yaml.named_calls import ProblemsAtError
from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.core.metrics.registry import ScoringRules

DATA = {"images": "train", "masks": "masks"}


def config(**keys: Any) -> Config:
    found = Config.model_validate({"data": DATA, "stages": ({"epochs": 1},), **keys})
    check_between_keys(found, ())
    return found


def wrong_keys(**keys: Any) -> list[KeyPath]:
    """The key of each problem, as deep as it is known."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 # of a model, or of keys that do not fit together
        config(**keys)
    if isinstance(caught.value, ProblemsAtError):
        return [path for path, _, _ in caught.value.problems]
    found: list[KeyPath] = []
    assert isinstance(caught.value, ValidationError)
    for error in caught.value.errors():
        inner = error.get("ctx", {}).get("error")
        paths = [path for path, _, _ in inner.problems] if isinstance(inner, ProblemsAtError) else [()]
        found += [(*error["loc"], *path) for path in paths if error["type"] != "default_factory_not_called"]
    return found


def stage(**keys: Any) -> StageConfig:
    return StageConfig.model_validate({"epochs": 1, **keys})


@pytest.mark.parametrize("key", ["negatives", "validation_negatives"])
class TestNegatives:
    @pytest.mark.parametrize(
        "rule", ["none", "real", 0.5, 0.001, 1, 1.0, 3, 250.5, {"positive_share": 0.8}, {"from": 0.8, "to": 0.8}]
    )
    def test_none_real_numbers_above_0_and_shares_are_rules(self, key: str, rule: object) -> None:
        assert getattr(stage(**{key: rule}), key) == rule

    @pytest.mark.parametrize(
        "rule", ["all", "None", "real ", "0.5", "", 0, 0.0, -1, -0.5, 1e6, float("inf"), float("nan")]
    )
    def test_everything_else_is_rejected(self, key: str, rule: object) -> None:
        with pytest.raises(ValidationError):
            stage(**{key: rule})

    @pytest.mark.parametrize("rule", [True, False, None, (), {}, (1,)])
    def test_other_types_are_rejected(self, key: str, rule: object) -> None:
        with pytest.raises(ValidationError, match="expected none, real, a number of negatives per positive, "):
            stage(**{key: rule})

    def test_zero_is_reported_with_the_word_for_it(self, key: str) -> None:
        with pytest.raises(ValidationError, match="for no negatives, use none"):
            stage(**{key: 0})

    def test_all_negatives_are_the_default(self, key: str) -> None:
        assert getattr(stage(), key) == "real"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sides_are_multiples_of_what_the_architecture_requires(architecture: str) -> None:
    multiple = ARCHITECTURES[architecture]().side_multiple
    shape = (multiple, 5 * multiple, 3)
    assert config(architecture=architecture, shape=shape).shape == shape


@pytest.mark.parametrize(
    ("architecture", "shape", "possible"),
    [
        ("Unet", (100, 100, 3), [128, 128, 3]),
        ("Unet", (256, 257, 3), [256, 288, 3]),
        ("FPN", (1, 31, 3), [32, 32, 3]),
        ("Linknet", (101, 64, 3), [128, 64, 3]),
        ("PSPNet", (256, 256, 3), [288, 288, 3]),
        ("PSPNet", (96, 100, 3), [96, 144, 3]),
    ],
)
def test_an_invalid_shape_is_reported_with_the_next_larger_one(
    architecture: str, shape: tuple[int, int, int], possible: list[int]
) -> None:
    with pytest.raises(ProblemsAtError) as caught:
        config(architecture=architecture, shape=shape)
    assert f"received {list(shape)}; the next larger shape is {possible}" in str(caught.value)
    assert config(architecture=architecture, shape=tuple(possible)).shape == tuple(possible)


def test_a_wrong_architecture_is_not_blamed_on_the_shape() -> None:
    assert wrong_keys(architecture="UNet++", shape=(100, 100, 3)) == [("architecture",)]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 13])
def test_any_number_of_channels_is_a_shape(channels: int) -> None:
    assert config(shape=(64, 96, channels)).prediction_shape == (64, 96, channels)


@pytest.mark.parametrize(
    "shape", [(256, 256), (256, 256, 3, 1), (0, 32, 3), (-32, 32, 3), (32, 32, 0), (32, 32, True), (32, 32.0, 3), 256]
)
def test_shapes_are_height_width_and_channels(shape: object) -> None:
    assert {key[0] for key in wrong_keys(shape=shape)} == {"shape"}


@pytest.mark.parametrize(
    "augmentation",
    [
        {},
        (),
        {"HorizontalFlip": 0.5, "Affine": {"scale": (0.9, 1.1), "p": 0.5}},
        ({"HorizontalFlip": 0.5}, {"HorizontalFlip": 0.5}, {"Blur": None}),
    ],
)
def test_augmentation_is_a_mapping_or_a_list_of_pairs(augmentation: object) -> None:
    assert config(augmentation=augmentation).augmentation == augmentation


@pytest.mark.parametrize("augmentation", [({"Blur": 0.5, "Affine": 0.5},), ({},), ({"Blur": 0.5}, {})])
def test_each_entry_of_an_augmentation_list_is_one_pair(augmentation: object) -> None:
    with pytest.raises(ValidationError, match="one `Name: parameters` pair"):
        config(augmentation=augmentation)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("batch", 0),
        ("batch", 16.0),
        ("batch", True),
        ("lr", 0),
        ("lr", -1e-3),
        ("lr", float("nan")),
        ("lr", "1e-3"),
        ("folds_count", 1),
        ("folds_count", "5"),
        ("batch_norm_momentum", 1),
        ("batch_norm_momentum", -0.1),
        ("seed", -1),
        ("seed", 2**31),
        ("stratified", "yes"),
        ("architecture", "unet"),
        ("architecture", True),
        ("architecture_options", {"depth": 3}),
        ("architecture_options", ("depth",)),
        ("backbone", 18),
        ("backbone", None),
        ("freeze_encoder", 1),
        ("first_convolution", "sum"),
        ("presence_head", "yes"),
        ("classes", 0),
        ("classes", True),
        ("classes", 255),
        ("classes", ()),
        ("classes", ("salt", 2)),
        ("classes", ("salt", " ")),
        ("classes", "salt"),
        ("activation", "softmax"),
        ("activation", "relu"),
        ("class_weights", "balanced"),
        ("class_weights", 1),
        ("optimizer", "adam2"),
        ("optimizer", True),
        ("optimizer", {"SGD": {"momentum": 2}}),
        ("optimizer", {"Adam": None, "SGD": None}),
        ("callbacks", "EarlyStopping"),
        ("callbacks", {"EarlyStopping": 3}),
        ("callbacks", None),
        ("weight_averaging", {"ema": {"decay": True}}),
        ("weight_averaging", 0.9),
        ("mixing", "mixup"),
        ("mixing", {"mixup": True}),
        ("transforms", 3),
        ("augmentation", "lihgt"),
        ("augmentation", None),
        ("augmentation", {"HorizontalFlip": True}),
        ("metrics", "dice"),
        ("metrics", ("dice", "acuracy")),
        ("metrics", ("dice", 3)),
        ("primary_metric", "val_dise"),
        ("primary_metric", {"fbeta": {"beta": True}}),
        ("benchmark_class", "salt"),
        ("benchmark_class", 0),
        ("precision", "mixed"),
        ("num_seeds", 0),
        ("num_seeds", True),
        ("schedule", 3),
        ("schedule", "linar"),
        ("schedule", ()),
        ("loss", "binary_crossentropy+"),
        ("loss", ""),
        ("stages", ()),
        ("stages", ({},)),
        ("stages", ({"epochs": 0},)),
        ("stages", ({"epochs": 1, "loss": "lovasz"},)),
        ("stages", ({"epochs": 1, "schedule": "linar"},)),
        ("stages", ({"epochs": 1, "positives": "all"},)),
        ("stages", ({"epochs": 1, "hard_negatives": -1},)),
        ("stages", ({"epochs": 1, "weights": 1},)),
        ("data", {"images": "a"}),
        ("data", {**DATA, "labels": "b"}),
        ("backbone", "resnet35"),
        ("encoder_weights", False),
        ("stored_probability", "float32"),
        ("unheard_of", 1),
    ],
)
def test_invalid_values_are_rejected_at_their_key(key: str, value: object) -> None:
    assert {found[0] for found in wrong_keys(**{key: value})} == {key}


def test_defaults_depend_on_the_classes() -> None:
    one, several, named = config(), config(classes=3), config(classes=("a", "b"), activation="sigmoid")
    assert [one.activation, several.activation, named.activation] == ["sigmoid", "softmax", "sigmoid"]
    assert one.loss == named.loss == "binary_crossentropy"
    assert several.loss == "categorical_crossentropy"
    assert [one.class_count, several.class_count, named.class_count] == [1, 3, 2]


@pytest.mark.parametrize(
    ("keys", "names", "values"),
    [
        ({}, ("foreground",), None),
        ({"classes": ("salt",), "data": {**DATA, "mask_values": (0,)}}, ("salt",), ((0,),)),
        ({"classes": 3}, ("class0", "class1", "class2"), ((0,), (1,), (2,))),
        ({"classes": 2, "activation": "sigmoid"}, ("class0", "class1"), ((1,), (2,))),
        ({"classes": 2, "data": {**DATA, "mask_values": (9, (4, 5))}}, ("class0", "class1"), ((9,), (4, 5))),
    ],
)
def test_classes_have_names_and_pixel_values(keys: dict[str, Any], names: object, values: object) -> None:
    classes = config(**keys).task_classes
    assert (classes.names, classes.values) == (names, values)


def test_the_benchmark_class_is_found_by_its_index() -> None:
    assert config(classes=("a", "b", "c"), benchmark_class="c").scoring_rules.benchmark == 2
    assert config().scoring_rules == ScoringRules()


def test_every_metric_is_recorded_once_the_primary_one_first() -> None:
    specs = config(primary_metric="val_iou", metrics=("dice", "iou", {"iou": {"empty": "zero"}})).metric_specs
    assert [spec.label for spec in specs] == ["iou", "dice", "iou(empty=zero)"]


def test_predictions_have_the_shape_of_the_last_stage() -> None:
    several = config(shape=(64, 64, 1), stages=({"epochs": 1, "shape": (32, 32, 1)}, {"epochs": 1}))
    assert [several.stage_shape(number) for number in range(2)] == [(32, 32, 1), (64, 64, 1)]
    assert several.prediction_shape == (64, 64, 1)


def test_the_network_specification_has_the_values_of_the_configuration() -> None:
    keys = {
        "architecture": "PSPNet",
        "architecture_options": {"downsample_factor": 4},
        "backbone": "vgg16",
        "encoder_weights": None,
        "batch_norm_momentum": 0.5,
        "first_convolution": "zero",
        "presence_head": True,
    }
    spec = config(classes=3, shape=(48, 96, 4), **keys).network_spec()
    assert spec.options == keys.pop("architecture_options")
    assert spec.model_dump(include=set(keys)) == keys
    assert (spec.shape, spec.classes) == ((48, 96, 4), 3)
    assert config().network_spec((32, 64, 3)).shape == (32, 64, 3)


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_the_ends_of_a_range_belong_to_it(seed: int) -> None:
    assert config(seed=seed, batch_norm_momentum=0, folds_count=2).seed == seed


def test_every_backbone_is_accepted_once() -> None:
    found = [config(backbone=backbone, encoder_weights=None).backbone for backbone in BACKBONES]
    assert found == list(BACKBONES)
    assert len(set(BACKBONES)) == len(BACKBONES)


@pytest.mark.parametrize(
    ("model", "key"),
    [
        (config(), "lr"),
        (config().data, "images"),
        (config().stages[0], "epochs"),
        (EnsembleConfig(members=("a",), weights=(1,), primary_metric="dice"), "weights"),
    ],
    ids=["experiment", "data", "stage", "ensemble"],
)
def test_a_configuration_does_not_change(model: BaseModel, key: str) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(model, key, getattr(model, key))


@pytest.mark.parametrize("model", [Config, DataConfig, StageConfig, EnsembleConfig])
def test_every_key_is_explained(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


@pytest.mark.parametrize(("weights", "members"), [((1.0,), ("a", "b")), ((1.0, 1.0), ("a",)), ((), ("a",))])
def test_an_ensemble_has_a_weight_for_each_member(weights: tuple[float, ...], members: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match=f"expected {len(members)} weights, .* received {len(weights)}"):
        EnsembleConfig(members=members, weights=weights, primary_metric="dice")
