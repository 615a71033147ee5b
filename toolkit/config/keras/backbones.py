"""Encoders by name, and what is known about each before it is built."""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import one_of

# fmt: off
BACKBONES = (
    "vgg16", "vgg19",
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
    "resnet18v1", "resnet34v1", "resnet50v1", "resnet101v1", "resnet152v1",
    "seresnet18", "seresnet34", "seresnet50", "seresnet101", "seresnet152",
    "resnext50", "resnext101", "seresnext50", "seresnext101", "senet154",
    "densenet121", "densenet169", "densenet201",
    "inceptionv3", "inceptionresnetv2",
    "mobilenet", "mobilenetv2",
    "efficientnetb0", "efficientnetb1", "efficientnetb2", "efficientnetb3",
    "efficientnetb4", "efficientnetb5", "efficientnetb6", "efficientnetb7",
    "efficientnetlite0", "efficientnetlite1", "efficientnetlite2",
    "efficientnetv2b0", "efficientnetv2b1", "efficientnetv2b2", "efficientnetv2b3",
    "efficientnetv2s", "efficientnetv2m", "efficientnetv2l",
    "convnexttiny", "convnextsmall", "convnextbase", "convnextlarge", "convnextxlarge",
    "mitb0", "mitb1", "mitb2", "mitb3",
)
# fmt: on
"""The encoders of segmentation-models 1.0.1, some of tf.keras.applications, and those that the toolkit builds."""

WITHOUT_HALF = tuple(name for name in BACKBONES if name.startswith(("convnext", "mitb")))
"""Encoders whose finest features have a quarter of the input's sides."""

WITHOUT_DILATION = tuple(name for name in BACKBONES if name.startswith("mitb"))
"""Encoders whose strides cannot become dilations: attention sees the positions of features as they are."""

UNPUBLISHED = tuple(name for name in BACKBONES if name.endswith("v1") or name.startswith("mitb"))
"""Encoders whose pretrained weights come in files of the user alone."""

BackboneName = Annotated[str, one_of(BACKBONES)]
FirstConvolution = Literal["mean", "copy", "zero"]

Published = Literal["imagenet", "pascal_voc"]
PUBLISHED = get_args(Published)
"""Values of `encoder_weights` that are not files."""

_Numbers = tuple[float, float, float]
_Positive = Annotated[float, Field(gt=0)]


class EncoderScaling(ClosedModel):
    """How the colours of images were scaled when the weights of an encoder were made: (value - mean) / deviation."""

    mean: _Numbers = Field(description="Mean of red, green and blue, for pixel values 0–255.")
    deviation: tuple[_Positive, _Positive, _Positive] = Field(
        description="Standard deviation of red, green and blue, for pixel values 0–255."
    )

    @model_validator(mode="after")
    def _for_pixel_values(self) -> "EncoderScaling":
        if max(self.deviation) < 1:
            raise ValueError(
                f"{list(self.mean)} and {list(self.deviation)} are for values 0–1: multiply both by 255, because pixel "
                "values are 0–255"
            )
        return self


def check_published(backbone: str, weights: object) -> None:
    """Check that the toolkit knows where the weights of an encoder are published, if they are named and not a file.

    Raises:
        ValueError: it does not.
    """
    if weights in PUBLISHED and backbone in UNPUBLISHED:
        raise ValueError(
            f"the toolkit cannot download {weights} weights of {backbone}: name a .safetensors file (see "
            "docs/networks.md), or write null for random weights"
        )
