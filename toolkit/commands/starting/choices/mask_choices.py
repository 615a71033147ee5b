"""What masks mean for an unknown folder: the keys about their values, and the classes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolkit.commands.starting.choices.choice import Choice
from toolkit.core.masks.mask_values import MaskReading
from toolkit.files.images.decoding import LOSSY_SUFFIXES
from toolkit.files.masks.value_keys import are_several, keys_for, names_of
from toolkit.files.recognition.recognising import Recognised, class_order

_HALF = 0.5


_WHY_OF: Mapping[str, str] = {
    "soft": "pixels nearer to white than to black are foreground",
    "levels": "each pixel belongs to the nearest of the grey levels",
    "instances": "each value is one object; all are of one class",
    "one_hot": "each channel is a class",
    "planes": "each channel is a class",
    "alpha": "the alpha channel, counted from 0, is the mask",
}


def class_choices(found: Recognised) -> list[Choice]:
    """Classes and activation; none if a table of labels defines them."""
    if masks_are_a_table(found):
        return []
    if found.roles.class_folders:
        names = tuple(sorted(found.roles.class_folders))
        return _independent(names, "one folder of masks for each class")
    if found.mask_files is None:
        names = () if found.document is None else found.document.names
        return _independent(names, "the names of the labelled objects")
    reading = found.mask_files.reading
    if reading.code == "planes":
        return _independent(names_of(reading), "no file holds the names of the classes; replace these placeholders")
    if not are_several(reading) or cut_in_the_middle(found):
        return [Choice(("classes",), 1, "foreground against background")]
    names, why = _names(found, reading)
    exclusive = f"each pixel has one class; the first, {names[0]}, is the background"
    return [Choice(("classes",), names, why), Choice(("activation",), "softmax", exclusive)]


def _independent(names: tuple[str, ...], why: str) -> list[Choice]:
    """Classes that may overlap."""
    return [
        Choice(("classes",), names, why),
        Choice(("activation",), "sigmoid", "a pixel may have several classes" if len(names) > 1 else "one class"),
    ]


def masks_are_a_table(found: Recognised) -> bool:
    """Whether the table of labels is used: if there are no mask files, or the table holds more than these."""
    if found.labels is None:
        return False
    if found.mask_files is None:
        return True
    if found.labels.classes and tells_classes(found):
        return bool(found.matches) and found.matches[0].competition.rows == "object"
    return bool(found.labels.several_rows or found.labels.classes)


def tells_classes(found: Recognised) -> bool:
    """Whether the values of mask files are a background and all classes of a competition or table."""
    reading = None if found.mask_files is None else found.mask_files.reading
    if reading is None or reading.code != "index" or reading.ignored:
        return False
    return reading.values == tuple(range(len(class_names(found)) + 1))


def class_names(found: Recognised) -> tuple[str, ...]:
    """The names of the foreground classes in a competition or table."""
    if found.matches:
        return found.matches[0].competition.classes
    return class_order(None, found.sample, found.labels)


def cut_in_the_middle(found: Recognised) -> bool:
    """Whether masks are cut in the middle because lossy compression has altered values that show no levels."""
    look = found.mask_files
    return look is not None and look.reading.code not in ("soft", "levels") and _is_lossy(found)


def _is_lossy(found: Recognised) -> bool:
    pairing = found.roles.pairing
    if pairing is None or (found.mask_files is not None and found.mask_files.reading.has_shades):
        return False
    return all(path.suffix.lower() in LOSSY_SUFFIXES for path in pairing.masks.paths.values())


def codes_of(found: Recognised, reading: MaskReading, covered: float) -> Iterator[Choice]:
    """The keys that map pixel values to classes."""
    names, source = _names(found, reading) if are_several(reading) else ((), "")
    keys = keys_for(reading, names)
    for key, value in keys.items():
        if key == "ignore":
            yield Choice(("data", key), value, "ignored pixels: neither trained on nor scored", reading.other)
            continue
        why, other = _WHY_OF.get(reading.code, source), reading.other
        if key == "value_ranges" and _is_lossy(found):
            why = f"lossy compression alters values: {why}"
        if reading.code == "soft":
            other = "every value above 0, including blurred borders: leave out value_ranges"
        elif reading.code in ("coded", "index") and len(reading.values) == 2:
            why, other = f"{reading.values[1]} is foreground", ""
        elif reading.code in ("coded", "index"):
            why = "the values in the files, in the order of the classes"
        if key == "nearest_color":
            why, other = "each pixel has the class with the nearest colour", ""
        yield Choice(("data", key), value, why, other)
    if reading.code == "binary" and covered > _HALF:
        why = f"values above 0 are foreground: {covered:.0%} of the pixels; check that they are not the background"
        other = "mask_values: [0], if black pixels are the foreground"
        yield Choice(("data", "mask_values"), None, why, other)


def _names(found: Recognised, reading: MaskReading) -> tuple[tuple[str, ...], str]:
    """Names for the classes of values or colours, and the source of the names."""
    codes: Sequence[Any] = reading.colours if reading.code == "colours" else reading.values
    if all(code in found.class_names for code in codes):
        return tuple(found.class_names[code] for code in codes), f"names from {found.class_names_from}"
    if tells_classes(found):
        source = "the competition" if found.matches else "the table"
        names = class_names(found)
        background = "background" if "background" not in names else "none"
        return (background, *names), f"0 is {background}, 1 to {len(names)} the classes in the order of {source}"
    return names_of(reading), "no file holds the names of the classes; replace these placeholders"
