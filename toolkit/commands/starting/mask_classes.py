"""What the values and colours of mask files say about classes: the keys that they need, and warnings where they do not
fit."""

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.commands.starting.starting_point import STARTING_POINT
from toolkit.config.models import Config
from toolkit.core.masks.mask_values import MaskReading, MaskValues, interpret_values, values_of_mask
from toolkit.errors import DataError, listing
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.masks.mask_files import MaskFiles
from toolkit.files.masks.value_keys import names_of

_EXAMINED = 20

EXCLUSIVE_METRIC, EXCLUSIVE_LOSS = "miou", "categorical_crossentropy"


def exclusive_stages() -> tuple[dict[str, Any], ...]:
    """The stages of a new experiment with exclusive classes."""
    first, second = STARTING_POINT["stages"]
    return first, second | {"loss": f"{EXCLUSIVE_LOSS}+lovasz_loss"}


def keys_of_classes(reading: MaskReading) -> dict[str, Any]:
    """The keys of a new experiment with a class for each value, level or colour."""
    return {
        "classes": names_of(reading),
        "activation": "softmax",
        "loss": EXCLUSIVE_LOSS,
        "primary_metric": EXCLUSIVE_METRIC,
        "stages": exclusive_stages(),
    }


def mask_warnings(config: Config) -> list[str]:
    """Warnings about masks whose values do not fit the classes; some masks are read, images are not."""
    data = find_labelled(config)
    without_file = data.masks.empty.keys() if isinstance(data.masks, MaskFiles) else set()
    ids = sorted(set(data.images.ids) & set(data.masks.ids) - without_file)
    values = []
    for image_id in ids[:: max(1, -(-len(ids) // _EXAMINED))]:
        try:
            data.read_labels(image_id)
            values.append(values_of_mask(data.masks.read(image_id, data.images.size(image_id))))
        except DataError as error:
            return [f"{error.message}. {error.advice}".rstrip()]
    if isinstance(config.data.mask_values, Mapping):
        return _never_seen(config.data.mask_values, values)
    if data.classes.count > 1 or data.classes.values is not None or not values:
        return []
    reading = interpret_values(values)
    if reading.code not in ("index", "coded"):
        return []
    held = sorted({value for mask in values for value in mask.values})
    return [_one_class(data, listing(held, 8))]


def _never_seen(numbers: Mapping[str, Any], masks: Sequence[MaskValues]) -> list[str]:
    """A warning about classes whose value is in none of the masks read; the background need not occur."""
    held = {value for mask in masks for value in mask.values}
    absent = [f"{name} ({number})" for name, number in numbers.items() if number not in held and number != 0]
    if not masks or not absent or not all(mask.is_complete for mask in masks):
        return []
    told = f"none of the {len(masks)} masks read has the value of {listing(absent, 8)}"
    found = f"the values found: {listing(sorted(held), 8)}"
    return [f"{told}; {found}. If classes have other values, correct data.mask_values (docs/data.md)"]


def _one_class(data: LabelledImages, held: str) -> str:
    name = data.classes.names[0]
    return (
        f"masks hold the values {held}, and each above 0 counts as {name}. If they are different classes, name them "
        "with data.mask_values (docs/data.md)"
    )
