"""The keys about large images: patches and tiles."""

from typing import Annotated

from pydantic import Field

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import Share
from toolkit.core.images.tiles import TileWeights


class PatchesConfig(ClosedModel):
    """Training on windows of the network's shape that are drawn at random every epoch; prediction by tiles."""

    per_image: Annotated[int, Field(gt=0, le=10_000)] = Field(
        8, description="Mean number of patches per training image and epoch."
    )
    positive_share: Share | None = Field(
        0.5,
        description="Share of the patches with foreground; the others have none. `negatives` of a stage, unless "
        "`real`, takes precedence. `null`: patches are drawn anywhere.",
    )
    scale: Annotated[float, Field(ge=0.05, le=8)] = Field(
        1.0, description="Scale of the images before patches are cut: with 0.5, a patch covers four times the area."
    )


class TilesConfig(ClosedModel):
    """How tiles overlap in validation and prediction, and how they are blended."""

    overlap: Annotated[float, Field(ge=0, le=0.9)] = Field(
        0.25, description="Minimum share of the side of a tile that overlaps its neighbour."
    )
    blend: TileWeights = Field(
        "hann",
        description="Weight of the pixels of a tile: `hann` and `gaussian` fall from the middle to the edge, "
        "`flat` is constant.",
    )
