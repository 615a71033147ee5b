"""Names that PyTorch libraries give to the tensors of encoders, as patterns over the names of our layers."""

import re
from dataclasses import dataclass

from toolkit.errors import WeightsError


@dataclass(frozen=True)
class TensorName:
    """What the tensors of a layer are called: `name.weight` and so on, of which it takes one of several equal parts."""

    name: str
    part: int = 0
    parts: int = 1


@dataclass(frozen=True)
class Rule:
    """The tensors of the layers whose name matches a pattern.

    In `tensors`, `{stage}` and other groups of the pattern are filled in; `{stage_1}` is one more, `{number_0}` one
    less. `part` and `parts` are those of `TensorName`.
    """

    layers: str
    tensors: str
    part: int = 0
    parts: int = 1

    def applied(self, layer: str) -> TensorName | None:
        """The tensors of a layer; None if the pattern does not match its name."""
        match = re.fullmatch(self.layers, layer)
        if match is None:
            return None
        groups = match.groupdict()
        numbers = {name: int(text) for name, text in groups.items() if text.isdecimal()}
        next_ones = {f"{name}_1": number + 1 for name, number in numbers.items()}
        ones_before = {f"{name}_0": number - 1 for name, number in numbers.items()}
        return TensorName(self.tensors.format(**groups, **next_ones, **ones_before), self.part, self.parts)


@dataclass(frozen=True)
class Naming:
    """Names that a library gives to the tensors of an encoder.

    `mark` is a tensor that every file of this naming has. All names may begin with `prefix`. `ignored` is a pattern of
    those that belong to other parts of the network.
    """

    title: str
    mark: str
    rules: tuple[Rule, ...]
    ignored: str
    prefix: str = ""

    def tensors_of(self, layer: str) -> TensorName:
        """The tensors of a layer.

        Raises:
            KeyError: no rule knows the layer.
        """
        for rule in self.rules:
            found = rule.applied(layer)
            if found is not None:
                return found
        raise KeyError(layer)

    def is_ignored(self, tensor: str) -> bool:
        """Whether a tensor belongs to another part of the network than the encoder."""
        return re.fullmatch(self.ignored, tensor) is not None


_COUNTERS = r".*\.num_batches_tracked"
_STAGE = r"stage(?P<stage>\d)"
_BLOCK = _STAGE + r"_block(?P<block>\d+)"
_NUMBERED = _BLOCK + r"_{}(?P<number>\d)"

_RESNET_OF_TIMM = Naming(
    "timm and torchvision",
    "layer1.0.conv1.weight",
    (
        Rule("stem_conv", "conv1"),
        Rule("stem_bn", "bn1"),
        Rule(_NUMBERED.format("conv"), "layer{stage_1}.{block}.conv{number}"),
        Rule(_NUMBERED.format("bn"), "layer{stage_1}.{block}.bn{number}"),
        Rule(_BLOCK + "_shortcut_conv", "layer{stage_1}.{block}.downsample.0"),
        Rule(_BLOCK + "_shortcut_bn", "layer{stage_1}.{block}.downsample.1"),
    ),
    rf"fc\..*|{_COUNTERS}",
)
_RESNET_OF_HUGGING_FACE = Naming(
    "Hugging Face",
    "embedder.embedder.convolution.weight",
    (
        Rule("stem_conv", "embedder.embedder.convolution"),
        Rule("stem_bn", "embedder.embedder.normalization"),
        Rule(_NUMBERED.format("conv"), "encoder.stages.{stage}.layers.{block}.layer.{number_0}.convolution"),
        Rule(_NUMBERED.format("bn"), "encoder.stages.{stage}.layers.{block}.layer.{number_0}.normalization"),
        Rule(_BLOCK + "_shortcut_conv", "encoder.stages.{stage}.layers.{block}.shortcut.convolution"),
        Rule(_BLOCK + "_shortcut_bn", "encoder.stages.{stage}.layers.{block}.shortcut.normalization"),
    ),
    rf"classifier\..*|{_COUNTERS}",
    "resnet.",
)
# The layers of segmentation-models, which count from 1, and have each group of a convolution as a layer.
_UNIT = r"stage(?P<stage>\d)_unit(?P<block>\d+)"
_RESNEXT_OF_TIMM = Naming(
    "timm and torchvision",
    "layer1.0.conv1.weight",
    (
        Rule("conv0", "conv1"),
        Rule("bn0", "bn1"),
        Rule(_UNIT + r"_conv(?P<number>\d)", "layer{stage}.{block_0}.conv{number}"),
        Rule(_UNIT + r"_bn(?P<number>\d)", "layer{stage}.{block_0}.bn{number}"),
        Rule(_UNIT + "_sc", "layer{stage}.{block_0}.downsample.0"),
        Rule(_UNIT + "_sc_bn", "layer{stage}.{block_0}.downsample.1"),
    ),
    _RESNET_OF_TIMM.ignored,
)
_CONVNEXT_OF_TIMM = Naming(
    "timm",
    "stages.0.blocks.0.conv_dw.weight",
    (
        Rule("stem_conv", "stem.0"),
        Rule("stem_norm", "stem.1"),
        Rule(_STAGE + "_downsampling_norm", "stages.{stage}.downsample.0"),
        Rule(_STAGE + "_downsampling_conv", "stages.{stage}.downsample.1"),
        Rule(_BLOCK + "_dwconv", "stages.{stage}.blocks.{block}.conv_dw"),
        Rule(_BLOCK + "_norm", "stages.{stage}.blocks.{block}.norm"),
        Rule(_BLOCK + "_expand", "stages.{stage}.blocks.{block}.mlp.fc1"),
        Rule(_BLOCK + "_project", "stages.{stage}.blocks.{block}.mlp.fc2"),
        Rule(_BLOCK + "_scale", "stages.{stage}.blocks.{block}.gamma"),
        Rule("top_norm", "head.norm"),
    ),
    r"head\.fc\..*",
)
_CONVNEXT_OF_HUGGING_FACE = Naming(
    "Hugging Face",
    "embeddings.patch_embeddings.weight",
    (
        Rule("stem_conv", "embeddings.patch_embeddings"),
        Rule("stem_norm", "embeddings.layernorm"),
        Rule(_STAGE + "_downsampling_norm", "encoder.stages.{stage}.downsampling_layer.0"),
        Rule(_STAGE + "_downsampling_conv", "encoder.stages.{stage}.downsampling_layer.1"),
        Rule(_BLOCK + "_dwconv", "encoder.stages.{stage}.layers.{block}.dwconv"),
        Rule(_BLOCK + "_norm", "encoder.stages.{stage}.layers.{block}.layernorm"),
        Rule(_BLOCK + "_expand", "encoder.stages.{stage}.layers.{block}.pwconv1"),
        Rule(_BLOCK + "_project", "encoder.stages.{stage}.layers.{block}.pwconv2"),
        Rule(_BLOCK + "_scale", "encoder.stages.{stage}.layers.{block}.layer_scale_parameter"),
        Rule("top_norm", "layernorm"),
    ),
    r"classifier\..*",
    "convnext.",
)
_MIT_OF_HUGGING_FACE = Naming(
    "Hugging Face",
    "encoder.patch_embeddings.0.proj.weight",
    (
        Rule(_STAGE + "_embed_conv", "encoder.patch_embeddings.{stage}.proj"),
        Rule(_STAGE + "_embed_norm", "encoder.patch_embeddings.{stage}.layer_norm"),
        Rule(_NUMBERED.format("norm"), "encoder.block.{stage}.{block}.layer_norm_{number}"),
        Rule(_BLOCK + "_(?P<what>query|key|value)", "encoder.block.{stage}.{block}.attention.self.{what}"),
        Rule(_BLOCK + "_reduce_conv", "encoder.block.{stage}.{block}.attention.self.sr"),
        Rule(_BLOCK + "_reduce_norm", "encoder.block.{stage}.{block}.attention.self.layer_norm"),
        Rule(_BLOCK + "_output", "encoder.block.{stage}.{block}.attention.output.dense"),
        Rule(_BLOCK + "_expand", "encoder.block.{stage}.{block}.mlp.dense1"),
        Rule(_BLOCK + "_dwconv", "encoder.block.{stage}.{block}.mlp.dwconv.dwconv"),
        Rule(_BLOCK + "_project", "encoder.block.{stage}.{block}.mlp.dense2"),
        Rule(_STAGE + "_norm", "encoder.layer_norm.{stage}"),
    ),
    r"(classifier|decode_head)\..*",
    "segformer.",
)
_MIT_OF_AUTHORS = Naming(
    "the authors of SegFormer and segmentation_models_pytorch",
    "patch_embed1.proj.weight",
    (
        Rule(_STAGE + "_embed_conv", "patch_embed{stage_1}.proj"),
        Rule(_STAGE + "_embed_norm", "patch_embed{stage_1}.norm"),
        Rule(_NUMBERED.format("norm"), "block{stage_1}.{block}.norm{number}"),
        Rule(_BLOCK + "_query", "block{stage_1}.{block}.attn.q"),
        Rule(_BLOCK + "_key", "block{stage_1}.{block}.attn.kv", 0, 2),
        Rule(_BLOCK + "_value", "block{stage_1}.{block}.attn.kv", 1, 2),
        Rule(_BLOCK + "_reduce_conv", "block{stage_1}.{block}.attn.sr"),
        Rule(_BLOCK + "_reduce_norm", "block{stage_1}.{block}.attn.norm"),
        Rule(_BLOCK + "_output", "block{stage_1}.{block}.attn.proj"),
        Rule(_BLOCK + "_expand", "block{stage_1}.{block}.mlp.fc1"),
        Rule(_BLOCK + "_dwconv", "block{stage_1}.{block}.mlp.dwconv.dwconv"),
        Rule(_BLOCK + "_project", "block{stage_1}.{block}.mlp.fc2"),
        Rule(_STAGE + "_norm", "norm{stage_1}"),
    ),
    r"head\..*",
)

_NAMINGS: tuple[tuple[str, tuple[Naming, ...]], ...] = (
    (r"resnet\d+v1", (_RESNET_OF_TIMM, _RESNET_OF_HUGGING_FACE)),
    (r"resnext\d+", (_RESNEXT_OF_TIMM,)),
    (r"convnext.*", (_CONVNEXT_OF_TIMM, _CONVNEXT_OF_HUGGING_FACE)),
    (r"mitb\d", (_MIT_OF_HUGGING_FACE, _MIT_OF_AUTHORS)),
)
"""The namings of each family of backbones."""


def namings_of(backbone: str) -> tuple[Naming, ...]:
    """The namings of files that fit a backbone.

    Raises:
        WeightsError: it is another network than those of PyTorch libraries, or their names for it are not known.
    """
    for pattern, namings in _NAMINGS:
        if re.fullmatch(pattern, backbone):
            return namings
    if re.fullmatch(r"resnet\d+", backbone):
        raise WeightsError(
            f"encoder_weights: {backbone} is the ResNet of segmentation-models, which normalises before each "
            "convolution; those of timm, torchvision and Hugging Face do so after it, and their weights do not fit",
            f"Use their network: --set backbone={backbone}v1",
        )
    known = "resnet18v1 to resnet152v1, resnext50, resnext101, convnexttiny to convnextxlarge, mitb0 to mitb3"
    raise WeightsError(
        f"encoder_weights: the names of tensors in .safetensors files are not known for {backbone}",
        f"They are known for {known}. Other backbones take .h5 files of Keras 2.",
    )
