from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from toolkit.config.data import DataConfig
from toolkit.config.models import Config, EnsembleConfig
from toolkit.config.networks import BACKBONES, SIDE_MULTIPLES
from toolkit.config.stages import StageConfig

DATA = {"images": "train", "masks": "masks"}


def config(**keys: Any) -> Config:
    return Config.model_validate({"data": DATA, "stages": ({"epochs": 1},), **keys})


def stage(**keys: Any) -> StageConfig:
    return StageConfig.model_validate({"epochs": 1, **keys})


@pytest.mark.parametrize("key", ["negatives", "validation_negatives"])
class TestNegatives:
    @pytest.mark.parametrize("rule", ["none", "real", 0.5, 0.001, 1, 1.0, 3, 250.5])
    def test_none_real_and_numbers_above_0_are_rules(self, key: str, rule: str | float) -> None:
        assert getattr(stage(**{key: rule}), key) == rule

    @pytest.mark.parametrize(
        "rule", ["all", "None", "real ", "0.5", "", 0, 0.0, -1, -0.5, 1e6, float("inf"), float("nan")]
    )
    def test_everything_else_is_refused(self, key: str, rule: object) -> None:
        with pytest.raises(ValidationError):
            stage(**{key: rule})

    @pytest.mark.parametrize("rule", [True, False, None, (), {}, (1,)])
    def test_other_types_are_refused(self, key: str, rule: object) -> None:
        with pytest.raises(ValidationError, match="expected none, real, or a number of negatives per positive"):
            stage(**{key: rule})

    def test_zero_is_answered_with_the_word_for_it(self, key: str) -> None:
        with pytest.raises(ValidationError, match="for no negatives say none"):
            stage(**{key: 0})

    def test_all_negatives_are_the_default(self, key: str) -> None:
        assert getattr(stage(), key) == "real"


@pytest.mark.parametrize("architecture", SIDE_MULTIPLES)
def test_sides_are_multiples_of_what_the_architecture_takes(architecture: str) -> None:
    multiple = SIDE_MULTIPLES[architecture]
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
def test_an_impossible_shape_is_answered_with_the_next_possible_one(
    architecture: str, shape: tuple[int, int, int], possible: list[int]
) -> None:
    with pytest.raises(ValidationError) as caught:
        config(architecture=architecture, shape=shape)
    assert f"received {list(shape)}; the next possible shape is {possible}" in str(caught.value)
    assert config(architecture=architecture, shape=tuple(possible)).shape == tuple(possible)


def test_a_wrong_architecture_is_not_blamed_on_the_shape() -> None:
    with pytest.raises(ValidationError) as caught:
        config(architecture="UNet++", shape=(100, 100, 3))
    assert [error["loc"] for error in caught.value.errors()] == [("architecture",)]


@pytest.mark.parametrize(
    "shape", [(256, 256), (256, 256, 1), (256, 256, 4), (256, 256, 3, 1), (0, 32, 3), (-32, 32, 3)]
)
def test_shapes_are_height_width_and_three_channels(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match="shape"):
        config(shape=shape)


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
        ("classes", 2),
        ("activation", "softmax"),
        ("metrics", "dice"),
        ("metrics", ("dice", "accuracy")),
        ("primary_metric", "val_dice"),
        ("loss", "binary_crossentropy+"),
        ("loss", ""),
        ("stages", ()),
        ("stages", ({},)),
        ("stages", ({"epochs": 0},)),
        ("stages", ({"epochs": 1, "loss": "lovasz"},)),
        ("stages", ({"epochs": 1, "schedule": "linear"},)),
        ("data", {"images": "a"}),
        ("data", {**DATA, "labels": "b"}),
        ("backbone", "resnet35"),
        ("encoder_weights", False),
        ("stored_probability", "float32"),
        ("unheard_of", 1),
    ],
)
def test_impossible_values_are_refused_under_their_key(key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        config(**{key: value})
    assert {error["loc"][0] for error in caught.value.errors()} == {key}


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_the_ends_of_a_range_belong_to_it(seed: int) -> None:
    assert config(seed=seed, batch_norm_momentum=0, folds_count=2).seed == seed


def test_every_backbone_is_accepted_once() -> None:
    assert [config(backbone=backbone).backbone for backbone in BACKBONES] == list(BACKBONES)
    assert len(set(BACKBONES)) == len(BACKBONES) == 32


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
