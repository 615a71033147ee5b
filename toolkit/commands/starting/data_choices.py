"""The keys about data for an unknown folder, with reasons."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.commands.starting.mask_classes import are_several, placeholders
from toolkit.commands.starting.starting_point import relative_path
from toolkit.core.masks.mask_values import MaskReading
from toolkit.errors import counted, listing
from toolkit.files.experiment.folder import Experiment
from toolkit.files.images.decoding import LOSSY_SUFFIXES
from toolkit.files.recognition.channel_stacks import keys_of_names
from toolkit.files.recognition.recognised_tables import RecognisedTable
from toolkit.files.recognition.recognising import Recognised, class_order
from toolkit.files.recognition.rle_readings import RleReading

_HALF = 0.5
_GROUPING = re.compile(
    r"patient|subject|case|group|site|day|date|video|study|slide|mosaic|scene|place|car", re.IGNORECASE
)


@dataclass(frozen=True)
class Choice:
    """A key of config.yaml, its value, the reason, and an alternative if there is one.

    If `value` is None, only the texts are written, as a comment; with `null` the key is written with null.
    """

    key: tuple[str, ...]
    value: Any
    why: str
    other: str = ""
    null: bool = False

    @property
    def has_value(self) -> bool:
        """Whether the key is written, not only the texts."""
        return self.value is not None or self.null


def data_choices(found: Recognised, experiment: Experiment) -> list[Choice]:
    """The keys below `data`."""
    with_table = masks_are_a_table(found)
    choices = [*_images(found, experiment), *_value_range(found)]
    choices += _table(found, experiment) if with_table else _mask_files(found, experiment)
    competition = _competition(found, experiment, with_table)
    with_sample = bool(competition.value) or not competition.why
    choices += [competition, *_test(found, experiment, with_sample=with_sample)]
    choices += _metadata(found, experiment)
    return [choice for choice in choices if choice.why]


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
    if not are_several(reading) or _is_lossy(found):
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


def _images(found: Recognised, experiment: Experiment) -> Iterator[Choice]:
    folder = found.images
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.kinds.most_common(4))
    sizes = listing((f"{height}×{width} ({count})" for (height, width), count in found.sizes.most_common()), 3)
    why = f"{len(folder.paths)} images: {kinds}; {sizes}"
    if any("RGBA" in kind for kind in found.kinds):
        why += "; the alpha channel is dropped"
    yield Choice(("data", "images"), relative_path(folder.folder, experiment), why)
    if folder.pattern:
        competition = found.matches[0].competition.name if found.matches else ""
        for key, value, why, other in keys_of_names(folder, found.names, competition):
            yield Choice(("data", key), value, why, other)
    elif _shares_folder(found):
        (ending,) = {path.suffix for path in list(folder.paths.values())[:1]}
        yield Choice(("data", "image_name"), f"{{id}}{ending}", "images and masks share a folder")


def _value_range(found: Recognised) -> Iterator[Choice]:
    """The value range of images that are not 8-bit: which values become 0 and 255."""
    look = found.values
    if look.dtype in ("", "uint8", "bool"):
        return
    told = f"{look.dtype} values from {look.low:g} to {look.high:g} in {look.examined} images"
    if look.low >= 0 and look.dtype.startswith(("uint", "int", ">", "<")):
        bits = max(8, int(look.high).bit_length())
        if bits == 16 and look.dtype == "uint16":
            return  # by default the upper 8 of 16 bits are read
        yield Choice(("data", "value_range"), (0, 2**bits - 1), f"{told}: {bits} bits")
    elif look.low >= 0 and look.high <= 1:
        yield Choice(("data", "value_range"), (0, 1), told)
    else:
        other = "a narrower range, if a few values are far from all others"
        yield Choice(("data", "value_range"), (look.low, max(look.high, look.low + 1)), told, other)


def _shares_folder(found: Recognised) -> bool:
    pairing = found.roles.pairing
    return pairing is not None and pairing.masks.folder == found.images.folder


def _table(found: Recognised, experiment: Experiment) -> Iterator[Choice]:
    labels, reading = found.labels, found.rle
    if labels is None:
        return
    empty = sum(count for count in labels.empty_words.values())
    why = f"{counted(len(labels.rows), 'row')} of run-length encodings ({labels.why})"
    if labels.several_rows:
        why += f"; {counted(labels.several_rows, 'image has', 'images have')} several rows, {_per_row(found)}"
    if empty:
        share = empty / len(labels.rows)
        words = " or ".join(repr(word) for word in labels.empty_words)
        why += f"; {empty} rows ({share:.0%}) are empty, written as {words}"
    if reading is not None:
        starts = "relative" if reading.relative else "absolute"
        why += f"; {_order_why(found)}; starts are {starts}: {reading.relative_why}"
    other = ""
    if reading is not None and not reading.order_sure:
        other = _other_order(found, reading)
    if found.mask_files is not None and found.roles.pairing is not None:
        other = f"the mask files in {found.roles.pairing.masks.name}, which do not separate objects or classes"
    yield Choice(("data", "masks"), relative_path(labels.table.path, experiment), why, other)


def _order_why(found: Recognised) -> str:
    """The reason for the pixel order; if nothing in the files shows it, that of the competition."""
    if found.rle is None or found.rle.order_sure or not found.matches:
        return found.rle.order_why if found.rle is not None else ""
    form = found.matches[0].competition
    return f"the files do not show the pixel order; {form.name} has pixel_order: {form.pixel_order}"


def _other_order(found: Recognised, reading: RleReading) -> str:
    """The other pixel order, as config.yaml spells it."""
    if not found.matches:
        return f"competition with pixel_order: {'column' if reading.order == 'row' else 'row'}"
    form = found.matches[0].competition
    turned = "column" if form.pixel_order == "row" else "row"
    return "" if found.matches[0].path else f"competition: {{extends: {form.name}, pixel_order: {turned}}}"


def _per_row(found: Recognised) -> str:
    match = found.matches[0].competition if found.matches else None
    if match is not None and match.rows != "object":
        return "which are merged"
    return "one per object"


def _mask_files(found: Recognised, experiment: Experiment) -> Iterator[Choice]:
    pairing, look, folders = found.roles.pairing, found.mask_files, found.roles.class_folders
    if pairing is None or look is None:
        if found.document is not None:
            path = relative_path(found.document.path, experiment)
            yield Choice(("data", "masks"), path, f"{found.document.kind} JSON: {len(found.document.names)} classes")
        return
    kinds = ", ".join(f"{count} {kind}" for kind, count in look.kinds.items())
    missing = round((1 - pairing.share) * len(found.images.paths))
    why = f"{look.examined} mask files: {kinds}; {look.reading.why}"
    if look.empty:
        why += f"; {look.empty} ({look.empty / look.examined:.0%}) are empty"
    if missing:
        why += f"; {counted(missing, 'image has', 'images have')} no mask file"
    other = look.reading.other
    if found.labels is not None:
        same = None if found.rle is None else found.rle.mask_files
        told = "" if same is None else f", which has the same masks for {same:.0%} of the compared images"
        other = "; ".join(filter(None, (other, f"{found.scan.name(found.labels.table.path)}{told}")))
    folder = pairing.masks.folder.parent if folders else pairing.masks.folder
    yield Choice(("data", "masks"), relative_path(folder, experiment), why, other)
    ending = next(iter(pairing.masks.paths.values())).suffix
    if folders:
        yield Choice(
            ("data", "mask_name"), f"{{class}}/{{id}}{ending}", f"one folder for each class: {', '.join(folders)}"
        )
    elif pairing.masks.pattern or pairing.prefix or pairing.suffix:
        name = pairing.masks.pattern or f"{pairing.prefix}{{id}}{pairing.suffix}{ending}"
        yield Choice(("data", "mask_name"), name, "the names of mask files, from those of images")
        of_objects = bool(found.matches) and found.matches[0].competition.rows == "object"
        if "*" in name and of_objects and look.reading.code != "instances":
            yield Choice(("data", "mask_encoding"), "instances", "each mask file of an image is an object")
    if _is_lossy(found):
        why = "lossy compression alters values: pixels nearer to white than to black are foreground"
        yield Choice(("data", "value_ranges"), {"foreground": [128, 255]}, why)
    else:
        yield from _codes(found, look.reading, look.covered)


def _is_lossy(found: Recognised) -> bool:
    pairing = found.roles.pairing
    return pairing is not None and all(path.suffix.lower() in LOSSY_SUFFIXES for path in pairing.masks.paths.values())


def _codes(found: Recognised, reading: MaskReading, covered: float) -> Iterator[Choice]:
    """The keys that map pixel values to classes."""
    if reading.code == "soft":
        half = (reading.values[1] + 1) // 2
        values = tuple(range(half, reading.values[1] + 1)) if half == 128 else (reading.values[1],)
        other = "every value above 0, including blurred borders: leave out mask_values"
        yield Choice(("data", "mask_values"), (values,), "pixels nearer to white than to black are foreground", other)
    elif reading.code == "instances":
        yield Choice(
            ("data", "mask_encoding"), "instances", "each value is one object; all are of one class", reading.other
        )
    elif reading.code == "colours" and len(reading.colours) > 2:
        names, why = _names(found, reading)
        colours = dict(zip(names, map(list, reading.colours), strict=True))
        yield Choice(("data", "colors"), colours, why)
    elif reading.code in ("coded", "index") and tuple(range(len(reading.values))) != reading.values:
        if len(reading.values) == 2:
            yield Choice(("data", "mask_values"), reading.values[1:], f"{reading.values[1]} is foreground")
        else:
            yield Choice(
                ("data", "mask_values"), reading.values, "the values in the files, in the order of the classes"
            )
    if reading.ignored:
        ignored = reading.ignored[0] if len(reading.ignored) == 1 else reading.ignored
        yield Choice(("data", "ignore"), ignored, "ignored pixels: neither trained on nor scored", reading.other)
    if reading.code == "binary" and covered > _HALF:
        why = f"values above 0 are foreground: {covered:.0%} of the pixels; check that they are not the background"
        other = "mask_values: [0], if black pixels are the foreground"
        yield Choice(("data", "mask_values"), None, why, other)
    if reading.code == "unknown":
        yield Choice(("data", "mask_values"), None, f"not understood: {reading.why}. Every value above 0 is foreground")


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
    return placeholders(reading), "no file holds the names of the classes; replace these placeholders"


def _competition(found: Recognised, experiment: Experiment, with_table: bool) -> Choice:
    if found.matches:
        best, *others = found.matches
        form = best.competition
        if not _has_its_classes(found, form.classes, with_table):
            return _other_classes(form.classes)
        ties = [match.competition.name for match in others if match.score == best.score]
        named = form.name if best.path is None else relative_path(best.path, experiment)
        return Choice(("data", "competition"), named, best.why, " or ".join(ties))
    look = found.labels if with_table else found.sample
    if look is None or _is_plain(found, look, with_table):
        return Choice(("data", "competition"), None, "")
    if not _has_its_classes(found, look.classes, with_table):
        return _other_classes(look.classes)
    return _own_competition(found, look, with_table)


def _has_its_classes(found: Recognised, names: Sequence[str], with_table: bool) -> bool:
    """Whether the classes of the masks are those of the submission's rows."""
    if not names or with_table:
        return True
    choices = {choice.key: choice.value for choice in class_choices(found)}
    chosen = choices["classes",]
    if isinstance(chosen, int):
        return False
    return set(names) == set(chosen[1:] if choices["activation",] == "softmax" else chosen)


def _other_classes(names: Sequence[str]) -> Choice:
    why = (
        f"left out, with the sample submission, because its rows have the classes {', '.join(names)}; to use it, give "
        "these names to classes, in the order of the values in masks"
    )
    return Choice(("data", "competition"), None, why)


def _is_plain(found: Recognised, look: RecognisedTable, with_table: bool) -> bool:
    """Whether the table can be read without a competition: columns id and mask, column-major."""
    reading = found.rle
    plain_runs = reading is None or (reading.order == "column" and not reading.relative)
    in_order = (look.id_column, look.mask_column) == (0, 1) and len(look.table.columns) == 2
    return (
        plain_runs
        and in_order
        and not look.classes
        and "{class}" not in look.template
        and not (with_table and found.sample is not None and len(found.sample.table.columns) != 2)
    )


def _own_competition(found: Recognised, look: RecognisedTable, with_table: bool) -> Choice:
    """A description of an unknown competition."""
    sample, labels = found.sample, found.labels if with_table else None
    asked = sample or look
    classes = asked.classes or look.classes
    rows = "class" if classes else "object" if labels is not None and labels.several_rows else "image"
    form: dict[str, Any] = {"name": found.scan.root.resolve().name or "own", "metric": "dice", "rows": rows}
    if classes:
        form["classes"] = classes
    form |= {"columns": asked.columns_used, "id": asked.template}
    if found.rle is not None:
        form |= {"pixel_order": found.rle.order, "relative": found.rle.relative}
    word = next(iter(asked.empty_words), "") or next(iter(look.empty_words), "")
    form["empty"] = word
    if labels is not None and labels.columns_used != asked.columns_used:
        form |= {"label_columns": labels.columns_used, "label_id": labels.template}
    if labels is not None and not found.images.paths.keys() <= labels.image_ids:
        form["unlisted"] = "empty"
    why = "no known competition has these columns; the files do not show the metric, so dice is a guess"
    other = "rows: image, which merges the rows of an image" if rows == "object" else ""
    return Choice(("data", "competition"), form, why, other)


def _test(found: Recognised, experiment: Experiment, with_sample: bool) -> Iterator[Choice]:
    test = found.roles.test
    if test is not None:
        path = relative_path(test.folder, experiment)
        yield Choice(("data", "test"), path, f"{counted(len(test.paths), 'image')}: {found.roles.test_why}")
    if found.sample is not None and test is not None and with_sample:
        path = relative_path(found.sample.table.path, experiment)
        yield Choice(("data", "sample_submission"), path, f"{len(found.sample.rows)} rows; {found.sample.why}")


def _metadata(found: Recognised, experiment: Experiment) -> Iterator[Choice]:
    """The table with most columns among those that have a row for every training image."""
    ids = found.images.paths.keys()
    tables = [table for table in found.metadata if table.image_ids >= ids]
    if not tables:
        return
    best = max(tables, key=lambda table: len(table.table.columns))
    others = [found.scan.name(table.table.path) for table in tables if table is not best]
    others += [f"groups: {name}, to keep each {name} in one fold" for name in _groupings(best)]
    why = f"{best.why}; it lists all {len(ids)} images"
    yield Choice(("data", "metadata"), relative_path(best.table.path, experiment), why, "; ".join(others))
    column = best.table.columns[best.id_column or 0]
    yield Choice(("data", "metadata_id"), column, "the column with the ids")


def _groupings(table: RecognisedTable) -> list[str]:
    """Columns that may group images: named after a patient, place or film, with values that recur."""
    found = []
    for place, name in enumerate(table.table.columns):
        values = {row[place] for row in table.table.rows}
        if _GROUPING.search(name) and place != table.id_column and 1 < len(values) <= len(table.table.rows) / 2:
            found.append(name)
    return found
