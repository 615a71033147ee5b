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

_EXAMINED = 20

EXCLUSIVE_METRIC, EXCLUSIVE_LOSS = "miou", "categorical_crossentropy"


def are_several(reading: MaskReading) -> bool:
    """Whether each value or colour is one of several exclusive classes."""
    if reading.code == "colours":
        return len(reading.colours) > 2 or (len(reading.colours) == 2 and (0, 0, 0) not in reading.colours)
    return reading.code in ("index", "coded") and len(reading.values) > 2


def placeholders(reading: MaskReading) -> tuple[str, ...]:
    """Names for the classes where no file holds them."""
    if reading.code == "colours":
        return tuple("color_{:02x}{:02x}{:02x}".format(*colour) for colour in reading.colours)
    return tuple(f"{'value' if reading.code == 'coded' else 'class'}_{value}" for value in reading.values)


def exclusive_stages() -> tuple[dict[str, Any], ...]:
    """The stages of a new experiment with exclusive classes."""
    first, second = STARTING_POINT["stages"]
    return first, second | {"loss": f"{EXCLUSIVE_LOSS}+lovasz_loss"}


def keys_of_classes(reading: MaskReading) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of a new experiment with a class for each value or colour, and those below `data`."""
    names = placeholders(reading)
    keys = {
        "classes": names,
        "activation": "softmax",
        "loss": EXCLUSIVE_LOSS,
        "primary_metric": EXCLUSIVE_METRIC,
        "stages": exclusive_stages(),
    }
    data: dict[str, Any] = {}
    if reading.code == "colours":
        data["colors"] = dict(zip(names, map(list, reading.colours), strict=True))
        if reading.has_shades:
            data["nearest_color"] = True
    elif reading.values != tuple(range(len(reading.values))):
        data["mask_values"] = reading.values
    if reading.ignored:
        data["ignore"] = reading.ignored[0] if len(reading.ignored) == 1 else reading.ignored
    return keys, data


def mask_warnings(config: Config) -> list[str]:
    """Warnings about masks whose values do not fit the classes; some masks are read, images are not."""
    data = find_labelled(config)
    ids = sorted(set(data.images.ids) & set(data.masks.ids))
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
