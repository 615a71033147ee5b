"""What config.yaml may say of large images: patches, parts and tiles."""

from typing import Annotated

from pydantic import Field

from toolkit.config.yaml.fields import PositiveInteger, Share
from toolkit.config.yaml.named_calls import ClosedModel
from toolkit.core.images.tiles import TileWeights


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
    blend: TileWeights = Field(
        "hann", description="How much a tile counts from its middle to its edge: `hann` and `gaussian` ever less, "
        "`flat` everywhere the same.",
    )  # fmt: skip
