"""Checks of keys of `data` that are valid by themselves but contradict each other or the classes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from toolkit.config.data.classes import task_classes
from toolkit.config.data.data import IGNORED_NAME, TABLE_SUFFIXES, SourceKeys
from toolkit.config.data.neighbours import parts_of
from toolkit.config.models import Config
from toolkit.config.yaml.named_calls import MissingKeyError, Problem, UnknownNameError
from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.core.masks.mask_codings import overlap
from toolkit.errors import listing

_OF_IMAGE_FILES = ("images", "image_id", "image_name", "exclude", "channels", "planes", "neighbours")
_OF_MASK_FILES = ("mask_name", "mask_encoding", "colors", "nearest_color", "value_ranges")

_LARGEST = 255

_Found = Iterator[tuple[KeyPath, ValueError]]


def problems_of_data(config: Config) -> list[Problem]:
    """All contradictions, each at the key that should change."""
    data = config.data
    found: list[Problem] = [(("data", *key), problem, None) for key, problem in _of_metadata(config)]
    entries: list[tuple[KeyPath, SourceKeys]] = [(("data",), data)] if data.is_source else []
    entries += [(("data", "merge", number), one) for number, one in enumerate(data.merge)]
    entries += [(("data", "extra_train_data", number), one) for number, one in enumerate(data.extra_train_data)]
    for at, entry in entries:
        whole = entry if entry is data else data.completed(entry)
        problems = [*_of_keys(entry, whole), *_of_neighbours(whole, config), *_of_classes(whole, config)]
        found += [((*at, *key), problem, None) for key, problem in problems]
    if not data.is_source and data.masks is not None:
        found.append((("data", "images"), MissingKeyError("masks are set, but only merge has images"), None))
    return found


def _of_metadata(config: Config) -> _Found:
    data = config.data
    if data.metadata is None and data.metadata_id is not None:
        yield ("metadata_id",), ValueError("names a column of data.metadata, which is not set")
    if data.test_name is not None and data.test is None:
        yield ("test_name",), ValueError("names the files in data.test, which is not set")
    if data.metadata is None and data.weights is not None and data.source is None:
        yield ("weights",), ValueError("names a column of data.metadata, which is not set")
    prefixes = [one.prefix for one in data.merge]
    for number, one in enumerate(data.merge):
        if "/" in one.prefix or "\0" in one.prefix:
            yield ("merge", number, "prefix"), ValueError(f"ids must not contain a slash, received {one.prefix!r}")
    if len(prefixes) == 1 and not data.is_source:
        yield ("merge",), ValueError("a single source is not merged with anything; move its keys to data itself")


def _of_keys(entry: SourceKeys, whole: SourceKeys) -> _Found:
    """Contradictions within a source; `whole` includes the keys that it takes from `data`."""
    if entry.source is not None:
        for key in (*_OF_IMAGE_FILES, "masks", *_OF_MASK_FILES):
            if getattr(entry, key) is not None:
                yield (key,), ValueError(f"the source {entry.source.name} provides images and masks; remove {key}")
        return
    if entry.images is None:
        yield ("images",), MissingKeyError()
    elif isinstance(entry.images, tuple) and not entry.images:
        yield ("images",), ValueError("expected a folder, or a list of at least one folder")
    if whole.image_id is not None and whole.image_name is None:
        yield ("image_name",), MissingKeyError("image_id requires it, a pattern with the same parts")
    if whole.channels is not None and "{channel}" not in (whole.image_name or ""):
        yield ("channels",), ValueError('requires {channel} in image_name, for example "{id}/band_{channel}.tif"')
    if whole.masks is None and whole.value_ranges is None:
        yield ("masks",), MissingKeyError()
    if entry.masks is None and entry.mask_name is not None:
        yield ("mask_name",), ValueError("requires masks, which are not set")
    if entry.masks is not None and entry.masks.suffix.lower() in TABLE_SUFFIXES:
        for key in (*_OF_MASK_FILES, *(("mask_values", "ignore") if entry.masks.suffix.lower() == ".json" else ())):
            if getattr(entry, key) is not None:
                yield (key,), ValueError(f"applies to mask files only, but masks is {entry.masks.name}")
    yield from _of_coding(whole)


def _of_neighbours(keys: SourceKeys, config: Config) -> _Found:
    """Contradictions between `neighbours` and the names of files, the metadata and the shape."""
    spec, channels = keys.neighbours, config.shape[2]
    if spec is None or keys.source is not None:
        return
    count, parts = len(spec.offsets), parts_of(keys.image_id)
    if channels % count:
        yield (
            ("neighbours", "offsets"),
            ValueError(
                f"each of {count} slices has the same number of channels, so the last entry of shape must be {count}, "
                f"{2 * count}, {3 * count}, …; received shape: {list(config.shape)}"
            ),
        )
    for key, name in spec.names:
        if name not in parts and config.data.metadata is None:
            theirs = f"image_id ({listing(parts)})" if parts else "image_id, which is not set"
            yield (
                ("neighbours", key),
                ValueError(
                    f"{name!r} is no part of {theirs}, and data.metadata is not set, whose columns it may name; "
                    f'to read it from the ids: {key}: {{pattern: "{_EXAMPLES[key]}"}}'
                ),
            )
    if config.data.external_negatives is not None:
        yield ("neighbours",), ValueError("is not possible with external_negatives, which are single slices")


_EXAMPLES = {"order_by": r".*?(\\d+)", "group_by": r"(.+?)_\\d+"}


def _of_coding(keys: SourceKeys) -> _Found:
    named = [key for key in ("colors", "value_ranges", "mask_values") if getattr(keys, key) is not None]
    if len(named) > 1:
        yield (named[1],), ValueError(f"{named[0]} already defines the classes: keep one of them")
    elif named and named[0] != "mask_values" and keys.encoding != "values":
        yield (named[0],), ValueError(f"is not allowed with mask_encoding: {keys.encoding}")
    elif named and keys.encoding == "instances":
        yield (
            ("mask_values",),
            ValueError("is not allowed with mask_encoding: instances, where every value above 0 is an object"),
        )
    if keys.nearest_color and keys.colors is None:
        yield ("nearest_color",), ValueError("requires colors, which are not set: the colour of each class")
    if keys.ignore is not None and ("colors" in named or "value_ranges" in named):
        yield ("ignore",), ValueError(f"with {named[0]}, name the ignored pixels there: {named[0]}: {{ignore: …}}")
    if keys.mask_name is not None and "{class}" in keys.mask_name:
        if named:
            yield (
                (named[0],),
                ValueError(
                    "is not allowed with {class} in mask_name: every value above 0 belongs to the class of the file"
                ),
            )
        if keys.encoding not in ("values", "instances"):
            yield (
                ("mask_encoding",),
                ValueError(f"{keys.encoding} is not allowed with {{class}} in mask_name, where each class has a file"),
            )


def _of_classes(keys: SourceKeys, config: Config) -> _Found:
    names, exclusive = config.task_classes.names, config.activation == "softmax"
    by_file = keys.mask_name is not None and "{class}" in keys.mask_name
    if keys.encoding == "instances" and len(names) > 1 and not by_file:
        yield ("mask_encoding",), ValueError("instances have no classes; set classes: 1, or use {class} in mask_name")
    needed = names[1:] if exclusive else names
    named = keys.named
    if named is not None:
        key = next(one for one in ("mask_values", "colors", "value_ranges") if getattr(keys, one) is named)
        missing = [name for name in needed if name not in named]
        if missing and isinstance(config.classes, int):
            yield (
                (key,),
                ValueError(f"it names the classes {', '.join(named)}; list them in classes, or remove classes"),
            )
        elif missing:
            yield (key,), UnknownNameError(missing[0], tuple(named))
            return
        dropped = [name for name in named if name not in names and name != IGNORED_NAME]
        if (
            exclusive
            and names[0] in named
            and (dropped or (key == "value_ranges" and not _cover_all(named.values())))
            and not _has_zero(key, named[names[0]])
        ):
            rest = f"pixels of {', '.join(dropped)}" if dropped else "values outside all ranges"
            yield (
                (key,),
                ValueError(
                    f"{rest} would count as {names[0]}, because the first class is the background with softmax; add a "
                    "background before it, or set activation: sigmoid"
                ),
            )
    yield from _of_numbers(keys, config)
    if keys.value_ranges is not None:
        yield from _of_ranges(keys.value_ranges, names, exclusive)
    if keys.colors is not None:
        seen: dict[Any, str] = {}
        for name, colour in keys.colors.items():
            if colour in seen:
                yield ("colors", name), ValueError(f"{list(colour)} is already the colour of {seen[colour]}")
            seen[colour] = name


def _has_zero(key: str, value: Any) -> bool:
    """Whether 0 is a value of the class or in its range, or its colour is black, as is usual for a background."""
    if key == "colors":
        return not any(value)
    if key == "value_ranges":
        return bool(value[0] <= 0)
    return 0 in (value if isinstance(value, tuple) else (value,))


def _cover_all(ranges: Iterable[tuple[float, float]]) -> bool:
    """Whether ranges have all whole numbers of 8 bits, so that no value is left for the first class."""
    reached = -1.0
    for low, high in sorted(ranges):
        reached = max(reached, high) if low <= reached + 1 else reached
    return reached >= _LARGEST


def _of_numbers(keys: SourceKeys, config: Config) -> _Found:
    given, classes = keys.mask_values, config.task_classes
    if keys.encoding in ("bits", "channels") and given is not None:
        listed = given.values() if isinstance(given, Mapping) else given
        if any(isinstance(value, tuple) for value in listed):
            yield ("mask_values",), ValueError(f"mask_encoding: {keys.encoding} requires one number per class")
            return
    if isinstance(given, tuple):
        counts = {classes.count}
        if keys.encoding in ("bits", "channels") and classes.activation == "softmax":
            counts.add(classes.count - 1)  # the background needs no number
        if len(given) not in counts:
            yield (
                ("mask_values",),
                ValueError(f"expected one entry for each of the {classes.count} classes, received {len(given)}"),
            )
            return
    if keys.colors is None and keys.value_ranges is None:
        yield from _of_owners(_owners(keys, config))


def _owners(keys: SourceKeys, config: Config) -> Iterator[tuple[str, int]]:
    """The names of classes and ignored pixels, each with one of its numbers."""
    given = keys.mask_values
    if isinstance(given, Mapping):
        for name, several in given.items():
            yield from ((name, value) for value in (several if isinstance(several, tuple) else (several,)))
    elif keys.encoding == "values":
        classes = task_classes(config.classes, config.activation, keys)
        for name, several in zip(classes.names, classes.values or (), strict=classes.values is not None):
            yield from ((name, value) for value in several)
    elif given is not None:
        yield from zip(config.task_classes.names[-len(given) :], given, strict=True)
    ignore = keys.ignore
    if ignore is not None:
        yield from ((IGNORED_NAME, value) for value in (ignore if isinstance(ignore, tuple) else (ignore,)))


def _of_owners(owners: Iterator[tuple[str, int]]) -> _Found:
    taken: dict[int, str] = {}
    for name, value in owners:
        if value in taken:
            at = "ignore" if name == IGNORED_NAME else "mask_values"
            yield (at,), ValueError(f"the pixel value {value} already belongs to {taken[value]}")
            return
        taken[value] = name


def _of_ranges(ranges: Mapping[str, tuple[float, float]], names: tuple[str, ...], exclusive: bool) -> _Found:
    ignored = [name for name in ranges if name == IGNORED_NAME and name not in names]
    shown = [name for name in ranges if name in names]
    for place, name in enumerate([*shown, *ignored]):
        for other in [*shown, *ignored][:place]:
            if overlap((ranges[name], ranges[other])) and (exclusive or name in ignored):
                yield (
                    ("value_ranges", name),
                    ValueError(
                        f"{list(ranges[name])} overlaps {list(ranges[other])} of {other}; these ranges must not overlap"
                    ),
                )
                return
