"""The keys about data for an unknown folder, with reasons."""

from collections.abc import Iterator, Sequence
from typing import Any

from toolkit.commands.starting.choices.choice import Choice
from toolkit.commands.starting.choices.mask_choices import class_choices, codes_of, cut_in_the_middle, masks_are_a_table
from toolkit.commands.starting.starting_point import relative_path
from toolkit.config.data.competitions import Competition
from toolkit.errors import counted, listing
from toolkit.files.experiment.folder import Experiment
from toolkit.files.recognition.folders.channel_stacks import keys_of_names
from toolkit.files.recognition.folders.id_lists import lists_within
from toolkit.files.recognition.folders.roles import is_mask_folder
from toolkit.files.recognition.recognising import Recognised
from toolkit.files.recognition.shape_documents import Document
from toolkit.files.recognition.tables import table_readings
from toolkit.files.recognition.tables.recognised_tables import RecognisedTable, grouping_columns
from toolkit.files.recognition.tables.rle_readings import RleReading


def data_choices(found: Recognised, experiment: Experiment) -> list[Choice]:
    """The keys below `data`."""
    with_table = masks_are_a_table(found)
    choices = [*_images(found, experiment), *_value_range(found)]
    choices += _table(found, experiment) if with_table else _mask_files(found, experiment)
    competition = _competition(found, experiment, with_table)
    if with_table:
        choices.append(Choice(("data", "unlabelled"), *table_readings.unlabelled(found, competition.value)))
    with_sample = bool(competition.value) or not competition.why
    choices += [competition, *_test(found, experiment, with_sample=with_sample)]
    choices += _metadata(found, experiment)
    return [choice for choice in choices if choice.why]


def _images(found: Recognised, experiment: Experiment) -> Iterator[Choice]:
    folder = found.images
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.kinds.most_common(4))
    sizes = listing((f"{height}×{width} ({count})" for (height, width), count in found.sizes.most_common()), 3)
    why = f"{len(folder.paths)} images: {kinds}; {sizes}"
    if any("RGBA" in kind for kind in found.kinds):
        why += "; the alpha channel is dropped"
    yield Choice(("data", "images"), relative_path(folder.folder, experiment), why)
    if folder.pattern:
        competition = found.matches[0].competition if found.matches else None
        for key, value, why, other in keys_of_names(folder, found.names, competition.name if competition else ""):
            slices = "" if competition is None or key != "image_name" else _with_neighbours(competition)
            yield Choice(("data", key), value, why, other or slices)
    if exclude := found.roles.exclude:
        why = "files beside the images that are no images to train on"
        yield Choice(("data", "exclude"), exclude if len(exclude) > 1 else exclude[0], why)
    yield from _ids(found, experiment)


def _with_neighbours(competition: Competition) -> str:
    """The line that makes neighbouring slices channels, in a competition of stacks; else an empty text."""
    if competition.stack is None:
        return ""
    volume = competition.stack.replace("\\", "\\\\")
    number = volume.replace("(", "").replace(")", "").replace("\\\\d+", "(\\\\d+)")
    return (
        "neighbouring slices as channels, with as many channels in shape: neighbours: {offsets: [-1, 0, 1], "
        f'order_by: {{pattern: "{number}"}}, group_by: {{pattern: "{volume}"}}}}'
    )


def _ids(found: Recognised, experiment: Experiment) -> Iterator[Choice]:
    """The lists of images with masks, if other images have none."""
    pairing = found.roles.pairing
    if pairing is None or pairing.share == 1 or masks_are_a_table(found):
        return
    chosen, others = lists_within(found.id_lists, pairing.masked)
    if chosen:
        paths = tuple(relative_path(one.path, experiment) for one in chosen)
        count, lacking = (
            len({one for each in chosen for one in each.ids}),
            len(pairing.images.paths) - len(pairing.masked),
        )
        why = f"{count} images are listed, and each has a mask; {lacking} images have none"
        other = ", ".join(f"{found.scan.name(one.path)} ({len(one.ids)})" for one in others)
        yield Choice(("data", "ids"), paths if len(paths) > 1 else paths[0], why, other)


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
    why += table_readings.remarks(labels)
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
            yield from _document(found, found.document, experiment)
        return
    kinds = ", ".join(f"{count} {kind}" for kind, count in look.kinds.items())
    listed = any(choice.key[-1] == "ids" for choice in _ids(found, experiment))
    missing = 0 if listed else round((1 - pairing.share) * len(found.images.paths))
    why = f"{look.examined} mask files: {kinds}; {look.reading.why}"
    if look.empty:
        why += f"; {look.empty} ({look.empty / look.examined:.0%}) are empty"
    if missing:
        why += f"; {counted(missing, 'image has', 'images have')} no mask file"
    candidates = [f"the masks in {one.name}" for one, _ in found.roles.unused if is_mask_folder(one)]
    other = "; ".join(filter(None, (look.reading.other, *candidates)))
    if found.labels is not None:
        same = None if found.rle is None else found.rle.mask_files
        told = "" if same is None else f", which has the same masks for {same:.0%} of the compared images"
        other = "; ".join(filter(None, (other, f"{found.scan.name(found.labels.table.path)}{told}")))
    in_folders = found.roles.class_name.startswith("{class}/")
    folder = pairing.masks.folder.parent if in_folders else pairing.masks.folder
    yield Choice(("data", "masks"), relative_path(folder, experiment), why, other)
    if folders:
        which = "folder" if found.roles.class_name.startswith("{class}/") else "file"
        why = f"one {which} for each class: {', '.join(folders)}"
        yield Choice(("data", "mask_name"), found.roles.class_name, why)
    elif pairing.mask_name:
        yield Choice(("data", "mask_name"), pairing.mask_name, "the names of mask files, from those of images")
    of_objects = bool(found.matches) and found.matches[0].competition.rows == "object"
    if "*" in pairing.mask_name and of_objects and look.reading.code != "instances":
        yield Choice(("data", "mask_encoding"), "instances", "each mask file of an image is an object")
    if cut_in_the_middle(found):
        why = "lossy compression alters values: pixels nearer to white than to black are foreground"
        yield Choice(("data", "value_ranges"), {"foreground": [128, 255]}, why)
    else:
        yield from codes_of(found, look.reading, look.covered)


def _document(found: Recognised, document: Document, experiment: Experiment) -> Iterator[Choice]:
    """Shapes of the training images, and more labelled images with shapes of their own."""
    yield Choice(("data", "masks"), relative_path(document.path, experiment), document.why)
    entries, why = found.documents.merged(lambda path: relative_path(path, experiment))
    if entries:
        yield Choice(("data", "merge"), entries, why, "leave out merge: the folds divide only the others")


def _competition(found: Recognised, experiment: Experiment, with_table: bool) -> Choice:
    if found.matches:
        best, *others = found.matches
        form = best.competition
        if not _has_its_classes(found, form.classes, with_table):
            return _other_classes(form.classes)
        ties = [match.competition.name for match in others if match.score == best.score]
        named = form.name if best.path is None else relative_path(best.path, experiment)
        strange = () if not with_table or found.labels is None else table_readings.strange_words(found.labels, form)
        if strange and best.path is None:
            changed = {"extends": named, "label_empty": strange[0]}
            return Choice(("data", "competition"), changed, f"{best.why}; in the labels {strange[0]!r} means empty")
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
        and not (with_table and table_readings.strange_words(look))
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
    form |= table_readings.words_for_empty(sample, look)
    shared_why, shared_other = "", ""
    if look.classes:
        form["overlaps"], shared_why, shared_other = table_readings.overlaps(found, labels)
    if labels is not None and labels.columns_used != asked.columns_used:
        form |= {"label_columns": labels.columns_used, "label_id": labels.template}
    if labels is not None and table_readings.unlisted_images(found) and table_readings.lists_only_masks(found):
        form["unlisted"] = "empty"
    why = "no known competition has these columns; the files do not show the metric, so dice is a guess"
    why += f"; {shared_why}" if shared_why else ""
    other = "rows: image, which merges the rows of an image" if rows == "object" else shared_other
    return Choice(("data", "competition"), form, why, other)


def _test(found: Recognised, experiment: Experiment, with_sample: bool) -> Iterator[Choice]:
    test = found.roles.test
    if test is not None:
        path = relative_path(test.folder, experiment)
        yield Choice(("data", "test"), path, f"{counted(len(test.paths), 'image')}: {found.roles.test_why}")
        if found.roles.test_name:
            yield Choice(("data", "test_name"), found.roles.test_name, "test images have names of another form")
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
    others += [f"groups: {name}, to keep each {name} in one fold" for name in grouping_columns(best)]
    why = f"{best.why}; it lists all {len(ids)} images"
    yield Choice(("data", "metadata"), relative_path(best.table.path, experiment), why, "; ".join(others))
    column = best.table.columns[best.id_column or 0]
    yield Choice(("data", "metadata_id"), column, "the column with the ids")
