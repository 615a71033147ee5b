"""The keys of `data` that read mask files as their values ask, and the refusal where the values leave it open.

`tk init` and `tk new` write these keys, and `tk data` and `tk fit` name them, so that all of them agree.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.config.yaml.key_differences import written
from toolkit.core.masks.grey_levels import ranges_of
from toolkit.core.masks.mask_values import MaskReading
from toolkit.errors import DataError


def names_of(reading: MaskReading) -> tuple[str, ...]:
    """Names for the classes of a reading, where no file holds them."""
    if reading.code == "colours":
        return tuple("color_{:02x}{:02x}{:02x}".format(*colour) for colour in reading.colours)
    kind = {"coded": "value", "levels": "level"}.get(reading.code, "class")
    return tuple(f"{kind}_{value}" for value in reading.values)


def are_several(reading: MaskReading) -> bool:
    """Whether each value, level or colour is one of several exclusive classes."""
    count = len(reading.colours) if reading.code == "colours" else len(reading.values)
    return reading.code in ("index", "coded", "colours", "levels", "one_hot") and count > 2


def keys_for(reading: MaskReading, names: Sequence[str] = ()) -> dict[str, Any]:
    """The keys below `data` that read such masks; none if the defaults do.

    Args:
        reading: what the values mean.
        names: of the classes; of a single class, its name. Without names, those of `names_of`, or `foreground`.
    """
    several = are_several(reading)
    names = names or (names_of(reading) if several else ("foreground",))
    keys: dict[str, Any] = {}
    if reading.code in ("soft", "levels"):
        levels = sorted(reading.values)
        ranges = dict(zip(levels, ranges_of(levels, 65535 if levels[-1] > 255 else 255), strict=True))
        shown = [ranges[level] for level in (reading.values if several else reading.values[1:])]
        return {"value_ranges": dict(zip(names, map(list, shown), strict=True))}
    if reading.code == "alpha":
        return {"mask_encoding": "channels", "mask_values": reading.values}
    if reading.code in ("one_hot", "planes"):
        keys["mask_encoding"] = "channels"
        return keys if len(reading.values) > 2 else keys | {"mask_values": reading.values[1:]}
    if reading.code == "instances":
        keys["mask_encoding"] = "instances"
    if reading.code == "colours":
        shown_colours = reading.colours if several else reading.colours[1:]
        needed = several or any(reading.colours[0]) or reading.has_shades
        keys = {"colors": dict(zip(names, map(list, shown_colours), strict=True))} if needed else {}
        return keys | ({"nearest_color": True} if reading.has_shades else {})
    if reading.code in ("index", "coded") and reading.values != tuple(range(len(reading.values))):
        keys["mask_values"] = reading.values[1:] if len(reading.values) == 2 else reading.values
    if reading.ignored:
        keys["ignore"] = reading.ignored[0] if len(reading.ignored) == 1 else reading.ignored
    return keys


def as_lines(keys: Mapping[str, Any]) -> str:
    """Keys as one reads them in config.yaml, separated by `; `."""
    return "; ".join(f"{key}: {written(value)}" for key, value in keys.items())


def refuse_unclear(reading: MaskReading, where: object) -> DataError | None:
    """The error about masks whose values leave open what is meant; None if they do not."""
    if reading.code != "unknown":
        return None
    message = f"{where}: what the values of the mask files mean is not clear: {reading.why}"
    if not reading.colours:
        return DataError(message, reading.other or _UNCLEAR)
    shown = ", ".join("#{:02x}{:02x}{:02x}".format(*colour) for colour in reading.colours)
    return DataError(message, f"The most frequent colours: {shown}. {_UNCLEAR_COLOURS}")


_UNCLEAR = (
    "If these are the masks, write one of these lines under data: value_ranges: {foreground: [128, 255]}, for values "
    "from the middle on; mask_encoding: instances, for a number or colour of each object; mask_encoding: channels and "
    "mask_values: [3], for the alpha channel; mask_values: [1], for the values of the foreground. See docs/data.md."
)
_UNCLEAR_COLOURS = (
    "If each class has a colour, save the masks with these colours only, and write under data: colors: {background: "
    '"#000000", car: "#ff0000"}. For white and everything close to it: value_ranges: {foreground: [128, 255]}. For a '
    "colour of each object: mask_encoding: instances. See docs/data.md."
)
