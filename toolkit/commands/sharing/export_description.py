"""export.json: what an exported network takes and gives, and what is left to the program that runs it."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from toolkit.config.models import Config
from toolkit.core.images.tiles import UNTILED
from toolkit.core.recipe.postprocess import describe, recipe_to_plain
from toolkit.core.recipe.recipe import Recipe
from toolkit.files.disk.digests import file_digest
from toolkit.learning.predicting.exporting.registry import ExportFormat
from toolkit.learning.predicting.exporting.weighted_networks import WeightedNetworks

FORMAT = 1


def description(
    members: Sequence[WeightedNetworks],
    kind: ExportFormat,
    *,
    name: str,
    size: tuple[int, int] | None,
    multiple: int,
    half: bool,
    recipe: Recipe,
    recipe_source: str,
) -> dict[str, Any]:
    """The content of export.json, which is also inside the exported file.

    Args:
        members: the networks.
        kind: the format of the file.
        name: what is exported: an experiment, an ensemble or a part.
        size: (height, width) of the input; None for any.
        multiple: number that both sides are multiples of.
        half: whether weights are stored in half precision.
        recipe: from probabilities to masks.
        recipe_source: where it comes from, in words.
    """
    config = members[0].networks.config
    classes = config.task_classes
    height, width = (None, None) if size is None else size
    channels = config.shape[2]
    headed = any(member.networks.config.presence_head for member in members)
    return {
        "format": FORMAT,
        "toolkit": version("segmentation-toolkit"),
        "experiment": name,
        "file": kind.file,
        "networks": [
            {"experiment": member.networks.experiment.name, "weights": file_digest(path), "share": round(share, 6)}
            for member in members
            for path, share in member.weights()
        ],
        "weights": "float16" if half else "float32",
        "classes": list(classes.names),
        "activation": classes.activation,
        "input": {
            "name": "images",
            "type": "uint8",
            "layout": "NHWC",
            "batch": None if kind.takes_any_batch else 1,
            "height": height,
            "width": width,
            "channels": channels,
            "order": _order(config),
            "side_multiple": multiple,
            "normalisation": "inside: pixel values are 0 to 255",
        },
        "outputs": {
            "probabilities": "float32 (batch, height, width, classes), 0 to 1",
            **({"presence": "float32 (batch, classes), 0 to 1"} if headed else {}),
        },
        "before": {
            "resize": config.resize_of_samples,
            "tiles": None if config.tiling == UNTILED else repr(config.tiling),
            "transforms": config.model_dump(mode="json", include={"transforms"})["transforms"],
        },
        "after": {
            "recipe": recipe_to_plain(recipe),
            "recipe_text": describe(recipe, classes.names, classes.activation),
            "recipe_source": recipe_source,
        },
        "not_inside": ["resizing", "tiles", "views", "transforms", "recipe"],
    }


def _order(config: Config) -> str:
    """What the channels of the input are."""
    if config.data.neighbours is not None:
        offsets = ", ".join(map(str, config.data.neighbours.offsets))
        return f"slices at {offsets} from the slice itself, all channels of one after those of the one before it"
    return "RGB" if config.shape[2] == 3 else "as in the images"
