"""What config.yaml may say of large images: patches, parts and tiles."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from toolkit.config.yaml.fields import PositiveInteger
from toolkit.config.yaml.named_calls import ClosedModel
from toolkit.core.images.resizing import Resize
from toolkit.core.images.tiles import WHOLE, Blend, Cutting

if TYPE_CHECKING:  # a Config is made of these
    from toolkit.config.models import Config

Share = Annotated[float, Field(ge=0, le=1)]


class PatchesConfig(ClosedModel):
    """Training on windows of the network's shape, drawn anew every epoch; prediction by tiles."""

    per_image: PositiveInteger = Field(8, description="Patches for each training image and epoch, on average.")
    positive_share: Share | None = Field(
        0.5, description="Share of the patches that show foreground; the others show none. `negatives` of a stage, "
        "other than `real`, says it instead. `null`: patches lie anywhere.",
    )  # fmt: skip
    scale: Annotated[float, Field(ge=0.05, le=8)] = Field(
        1.0, description="Images are scaled by this before windows are cut: with 0.5 a patch shows four times as much."
    )


class TilesConfig(ClosedModel):
    """How tiles overlap in validation and prediction, and how they are blended."""

    overlap: Annotated[float, Field(ge=0, le=0.9)] = Field(
        0.25, description="Share of a tile's side that its neighbour sees too, at least."
    )
    blend: Blend = Field(
        "hann", description="How much a tile counts from its middle to its edge: `hann` and `gaussian` ever less, "
        "`flat` everywhere the same.",
    )  # fmt: skip


def cutting_of(config: "Config") -> Cutting:
    """How images are cut up when they are predicted."""
    tiles = config.tiles or TilesConfig.model_validate({})
    if config.patches is not None:
        return Cutting("tiles", 1, config.patches.scale, tiles.overlap, tiles.blend)
    if config.crops is not None:
        return Cutting("grid", config.crops, 1.0, tiles.overlap, tiles.blend)
    return WHOLE if config.tiles is None else Cutting("tiles", 1, 1.0, tiles.overlap, tiles.blend)


def resize_of(config: "Config") -> Resize:
    """How what a network sees reaches its shape; patches have it already, but for their scale."""
    return "stretch" if config.patches is not None else config.resize


def check_cutting(config: "Config") -> None:
    """Refuse keys that contradict each other.

    Raises:
        ValueError: they do.
    """
    if config.patches is not None and config.crops is not None:
        raise ValueError("patches and crops are two ways to cut images up: keep one of them")
    if config.patches is not None and config.resize != "stretch":
        raise ValueError(
            f"patches are cut to the network's shape, so that resize: {config.resize} has no say; leave it out"
        )
    if config.tiles is not None and config.patches is None and config.crops is None and config.resize != "pad":
        raise ValueError(
            f"tiles keep the size of things, but training images are scaled (resize: {config.resize}): add patches or "
            "crops, or resize: pad if the training images are no larger than the shape"
        )
