"""Covers toolkit/config/training/networks.py and toolkit/config/training/architectures.py."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from toolkit.config.keras.backbones import BACKBONES
from toolkit.config.training.architectures import (
    ARCHITECTURES,
    DeepLabV3PlusOptions,
    DeepSupervision,
    ModularUnetOptions,
    RefineNetOptions,
)
from toolkit.config.training.networks import (
    NetworkSpec,
    check_shape,
    deep_supervision_of,
    has_backbone,
    parse_architecture,
)
from toolkit.config.yaml.named_calls import ProblemsAtError, UnknownNameError


@pytest.mark.parametrize(
    ("name", "multiple"), [("Unet", 32), ("FPN", 32), ("PSPNet", 48), ("DeepLabV3", 16), ("ModularUnet", 16)]
)
def test_the_default_options_decide_which_sides_are_possible(name: str, multiple: int) -> None:
    assert ARCHITECTURES[name]().side_multiple == multiple


@pytest.mark.parametrize("architecture", ["FPN", "Linknet"])
def test_some_architectures_need_features_that_convnext_does_not_have(architecture: str) -> None:
    assert NetworkSpec(architecture=architecture, backbone="efficientnetlite0", shape=(32, 32, 3))
    assert NetworkSpec(architecture="Unet", backbone="convnexttiny", shape=(32, 32, 3))
    with pytest.raises(ValidationError, match="convnexttiny begins with a quarter"):
        NetworkSpec(architecture=architecture, backbone="convnexttiny", shape=(32, 32, 3))


@pytest.mark.parametrize("architecture", ["DeepLabV3Plus", "DeepLabV3"])
def test_the_strides_of_a_transformer_cannot_become_dilations(architecture: str) -> None:
    assert NetworkSpec(architecture=architecture, backbone="convnexttiny", shape=(32, 32, 3))
    with pytest.raises(ValidationError, match="the attention of mitb0 does not allow") as error:
        NetworkSpec(architecture=architecture, backbone="mitb0", shape=(32, 32, 3))
    assert str(error.value).count("use mitb0 with Unet, PSPNet, RefineNet, Segformer, MAnet") == 1


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("PSPNet", {"decoder_attention": "gate"}, "no skip connections"),
        ("PSPNet", {"head": "hypercolumn"}, "a single level"),
        ("PSPNet", {"deep_supervision": {"weight": 0.1}}, "a single level"),
        ("DeepLabV3", {"deep_supervision": True}, "a single level"),
        ("FPN", {"head": "hypercolumn"}, "pyramid_aggregation"),
        ("MAnet", {"decoder_attention": "gate"}, "by itself"),
    ],
)
def test_what_a_decoder_cannot_have_is_refused_with_the_reason(
    name: str, options: dict[str, object], reason: str
) -> None:
    with pytest.raises(ProblemsAtError) as caught:
        parse_architecture(name, options)
    ((_, error, _),) = caught.value.problems
    assert reason in str(error)


def test_deep_supervision_is_switched_on_or_described() -> None:
    def read(value: object) -> DeepSupervision | None:
        return deep_supervision_of("Unet", {"deep_supervision": value})

    assert read(False) is None
    assert read(None) is None
    assert read(True) == read({}) == DeepSupervision()
    assert parse_architecture("PSPNet", {"deep_supervision": False}) == ARCHITECTURES["PSPNet"]()
    assert deep_supervision_of("my.net", {"deep_supervision": 3}) is None
    described = read({"weight": 0.1, "decay": 1, "images": "positives"})
    assert described == DeepSupervision(weight=0.1, decay=1.0, images="positives")
    assert described.shares(0) == [1]
    assert described.shares(2) == pytest.approx([1 / 1.2, 0.1 / 1.2, 0.1 / 1.2])
    assert DeepSupervision().shares(2) == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    for wrong in ({"weight": 0}, {"decay": 1.5}, {"images": "some"}, {"wait": 1}, 3):
        with pytest.raises(ProblemsAtError):
            read(wrong)


def test_every_option_has_a_description() -> None:
    for options in ARCHITECTURES.values():
        assert all(field.description for field in options.model_fields.values())


def test_options_are_read_with_their_types_and_defaults() -> None:
    options = parse_architecture("DeepLabV3", {"output_stride": 8, "atrous_rates": (2, 4)})
    assert options == DeepLabV3PlusOptions(output_stride=8, atrous_rates=(2, 4))
    assert parse_architecture("Unet", {}) == ARCHITECTURES["Unet"]()


def test_the_refinenet_of_a_segmentation_project_can_be_written_as_it_was() -> None:
    blocks = (("conv5_block3_out", "conv4_block6_out"), ("conv3_block4_out", "conv2_block3_out"))
    given = {"refine_net_blocks": blocks, "reduce_channel_scale": 4, "rcu_kwargs": {}, "mrf_kwargs": {}}
    options = parse_architecture("RefineNet", given | {"crp_kwargs": {"pools": 3}})
    assert isinstance(options, RefineNetOptions)
    assert options.refine_net_blocks == blocks
    assert (options.crp_kwargs.pools, options.rcu_kwargs.units) == (3, 2)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Unet", {"decoder_filter": (1, 2, 3, 4, 5)}),
        ("Unet", {"decoder_filters": (256, 128, 64)}),
        ("PSPNet", {"downsample_factor": 32}),
        ("FPN", {"pyramid_dropout": 1.0}),
        ("DeepLabV3Plus", {"atrous_rates": ()}),
        ("RefineNet", {"refine_net_blocks": ((),)}),
        ("RefineNet", {"crp_kwargs": {"pool": 3}}),
        ("ModularUnet", {"block": "dense"}),
        ("ModularUnet", {"depth": 2, "dilation": (1, 2)}),
    ],
)
def test_invalid_options_are_rejected(name: str, options: dict[str, object]) -> None:
    with pytest.raises(ProblemsAtError) as caught:
        parse_architecture(name, options)
    ((path, error, model),) = caught.value.problems
    assert path == ()
    assert isinstance(error, ValidationError)
    assert model is ARCHITECTURES[name]


def test_plugin_architectures_are_names_or_dotted_paths() -> None:
    assert parse_architecture("my_net", {"anything": 1}, plugins={"my_net"}) is None
    assert parse_architecture("my_package.my_net", {}) is None
    with pytest.raises(UnknownNameError) as caught:
        parse_architecture("Unett", {}, plugins={"my_net"})
    assert set(caught.value.allowed) == {*ARCHITECTURES, "my_net"}


@pytest.mark.parametrize(
    ("name", "options", "multiple"),
    [
        ("PSPNet", {"downsample_factor": 4}, 24),
        ("PSPNet", {"downsample_factor": 16}, 96),
        ("DeepLabV3", {"output_stride": 8}, 8),
        ("ModularUnet", {"depth": 3}, 8),
    ],
)
def test_options_change_which_sides_are_possible(name: str, options: dict[str, object], multiple: int) -> None:
    parsed = parse_architecture(name, options)
    assert parsed is not None
    assert parsed.side_multiple == multiple
    check_shape(name, parsed, (multiple, 3 * multiple, 1))
    with pytest.raises(ValueError, match=rf"next larger shape is \[{2 * multiple}, {multiple}, 7\]"):
        check_shape(name, parsed, (multiple + 1, multiple - 1, 7))


def test_plugin_architectures_accept_any_sides() -> None:
    check_shape("my_net", None, (7, 11, 3))


def test_dilation_is_one_number_or_one_for_each_level() -> None:
    assert ModularUnetOptions(depth=2, dilation=(1, 2, 4)).dilation == (1, 2, 4)
    with pytest.raises(ValidationError, match="expected 3 numbers"):
        ModularUnetOptions(depth=2, dilation=(1, 2))


def test_a_network_without_a_backbone_has_no_encoder_weights() -> None:
    spec = NetworkSpec(architecture="ModularUnet", backbone="resnet34", encoder_weights="imagenet", shape=(32, 32, 1))
    assert (spec.backbone, spec.encoder_weights) == (None, None)
    assert not has_backbone("ModularUnet")
    assert all(has_backbone(name) for name in ARCHITECTURES if name != "ModularUnet")


@pytest.mark.parametrize("backbone", [None, "resnet19"])
def test_a_network_with_a_backbone_requires_a_known_one(backbone: str | None) -> None:
    with pytest.raises(ValidationError, match=str(backbone)):
        NetworkSpec(backbone=backbone, shape=(32, 32, 3))
    assert NetworkSpec(architecture="my_net", backbone=backbone, shape=(7, 7, 3)).backbone == backbone


def test_encoder_weights_are_words_or_paths() -> None:
    for weights in ("imagenet", "pascal_voc", None, Path("weights.h5")):
        assert NetworkSpec(encoder_weights=weights, shape=(32, 32, 3)).encoder_weights == weights
    with pytest.raises(ValidationError):
        NetworkSpec(encoder_weights="imagnet", shape=(32, 32, 3))


def test_backbones_are_listed_once() -> None:
    assert len(set(BACKBONES)) == len(BACKBONES)
