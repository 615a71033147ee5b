"""Classes from the values or colours of mask files, and the keys that training on them needs."""

from typing import Any

from toolkit.commands.starting.starting_point import STARTING_POINT
from toolkit.core.masks.mask_values import MaskReading

EXCLUSIVE_METRIC, EXCLUSIVE_LOSS = "miou", "categorical_crossentropy"


def are_several(reading: MaskReading) -> bool:
    """Whether each value or colour is one of several exclusive classes."""
    count = len(reading.colours) if reading.code == "colours" else len(reading.values)
    return reading.code in ("index", "coded", "colours") and count > 2


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
    elif reading.values != tuple(range(len(reading.values))):
        data["mask_values"] = reading.values
    if reading.ignored:
        data["ignore"] = reading.ignored[0] if len(reading.ignored) == 1 else reading.ignored
    return keys, data
