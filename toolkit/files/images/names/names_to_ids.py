"""Assigns the files of a folder to images: by their names, or by a pattern of names."""

import glob
import re
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

from toolkit.errors import DataError, MissingFileError, NothingToLearnError, listing_lines
from toolkit.files.images.decoding import image_id_of

_PARTS = re.compile(r"(\{\w+\}|\*)")
ID, CLASS, CHANNEL, ANYTHING = "{id}", "{class}", "{channel}", "*"

_LOOKED_AT = 20_000

Named = Mapping[str, Sequence[tuple[str, Path]]]
"""The files of each id in the order of their paths, each with the class in its name, or an empty text."""


def files_by_id(
    folder: Path,
    suffixes: Sequence[str],
    key: str,
    pattern: str | None = None,
    *,
    template: str | None = None,
    exclude: Sequence[str] = (),
) -> dict[str, Path]:
    """One file for each id.

    Args:
        folder: that holds the files.
        suffixes: the extensions of the files, in lower case; ignored with a pattern.
        key: the configuration key of the folder, for messages.
        pattern: of the paths below the folder, with `{id}` for the id and `*` for any text. Without a pattern, the id
            is the file name without its extension.
        template: how other parts of the pattern make the id, for example `{folder}_{file}`; default: `{id}`.
        exclude: patterns of the names of files that are left out, with `*` for any text.

    Raises:
        MissingFileError: the folder cannot be read.
        NothingToLearnError: no file matches.
        DataError: two files have the same id, or a name is not UTF-8.
    """
    found = named_files(folder, suffixes, key, pattern, template=template, exclude=exclude)
    twice = {image_id: paths for image_id, paths in found.items() if len(paths) > 1}
    if twice:
        names = [
            f"{image_id}: {' and '.join(path.relative_to(folder).as_posix() for _, path in paths)}"
            for image_id, paths in twice.items()
        ]
        raise DataError(
            f"{key}: {len(twice)} ids have several files in {folder}:\n{listing_lines(names)}",
            "Keep one file for each id." + _pattern_advice(key, next(iter(twice.values()))[0][1].suffix),
        )
    return {image_id: paths[0][1] for image_id, paths in found.items()}


def _pattern_key(key: str) -> str:
    """The key of the pattern of file names beside the key or option of a folder; empty if there is none."""
    last = key.rpartition(".")[2].lstrip("-")
    return {"images": "image_name", "masks": "mask_name", "test": "test_name"}.get(last, "")


def _pattern_advice(key: str, ending: str) -> str:
    """How to say which of several files is meant, if the key of the folder has a pattern beside it."""
    name = _pattern_key(key)
    return f' Or say which file is meant, for example {name}: "{{id}}{ending}"' if name else ""


def named_files(
    folder: Path,
    suffixes: Sequence[str],
    key: str,
    pattern: str | None = None,
    *,
    template: str | None = None,
    exclude: Sequence[str] = (),
    classes: Collection[str] = (),
) -> Named:
    """All files for each id, which may have several; otherwise as `files_by_id`.

    The pattern may have `{class}` or `{channel}`, too: its text stands before the path of each file. `classes` are the
    names that `{class}` stands for, as far as they are known.
    """
    found: dict[str, list[tuple[str, Path]]] = {}
    try:
        files = _in_folder(folder, suffixes) if pattern is None else matching_files(folder, pattern, template, classes)
    except OSError as error:
        raise MissingFileError(f"{key}: cannot read {folder}: {error.strerror}") from error
    left_out = [glob.escape(one).replace("[*]", ANYTHING) for one in exclude]
    for image_id, class_name, path in files:
        if any(fnmatchcase(path.name, one) for one in left_out):
            continue
        if image_id.encode(errors="replace").decode() != image_id:
            raise DataError(f"{key}: the file name {image_id!r} in {folder} is not UTF-8", "Rename this file.")
        found.setdefault(image_id, []).append((class_name, path))
    if not found:
        wanted = f"file that matches {pattern}" if pattern else f"file that ends in {', '.join(suffixes)}"
        raise NothingToLearnError(f"{key}: {folder} holds no {wanted}", _folders_inside(folder, suffixes, key))
    return found


def _folders_inside(folder: Path, suffixes: Sequence[str], key: str) -> str:
    """Advice if the files are deeper than a path says."""
    inside = [one for one in sorted(folder.iterdir()) if one.is_dir() and _in_folder(one, suffixes)]
    told = f"Folders in it that hold such files: {', '.join(map(str, inside[:5]))}" if inside else ""
    return "\n".join(filter(None, (told, _lines_for(folder, suffixes, _pattern_key(key) or "image_name"))))


def _lines_for(folder: Path, suffixes: Sequence[str], key: str) -> str:
    """The lines that read files in several folders of the same depth; empty if there are none."""
    shown = islice(folder.rglob("*"), _LOOKED_AT)
    paths = sorted(path.relative_to(folder) for path in shown if path.suffix.lower() in suffixes and path.is_file())
    depths = {len(path.parts) - 1 for path in paths}
    if len({path.parent for path in paths}) < 2 or len(depths) > 1:
        return ""
    levels = [{path.parts[level] for path in paths} for level in range(depths.pop())]
    fixed = [next(iter(names)) if len(names) == 1 else ANYTHING for names in levels]
    first, ending = paths[0].name, paths[0].suffix
    if len({path.name for path in paths}) == len(paths):
        return f'To read all of them, write {key}: "{"/".join([*fixed, ID + ending])}"'
    told = []
    if all(len(names) == 1 for names in levels[1:]):
        name = "/".join([ID, *fixed[1:], first])
        told.append(
            f'If each folder is an image, add to data the name of its file: {key}: "{name}", with {CHANNEL} in the '
            "place of the number if each channel is a file."
        )
    for level in reversed(range(len(levels))):
        if len({(path.parts[level], path.name) for path in paths}) == len(paths):
            name = "/".join([*fixed[:level], "{folder}", *fixed[level + 1 :], "{file}" + ending])
            told.append(f'If each file is an image, add to data: image_id: "{{folder}}_{{file}}", {key}: "{name}"')
            break
    return "\n".join(told)


def _in_folder(folder: Path, suffixes: Sequence[str]) -> list[tuple[str, str, Path]]:
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in suffixes]
    return [(image_id_of(path.name), "", path) for path in paths if not path.name.startswith(".") and not path.is_dir()]


def matching_files(
    folder: Path, pattern: str, template: str | None = None, classes: Collection[str] = ()
) -> list[tuple[str, str, Path]]:
    """Id, class or channel, and path of the files below the folder whose path matches the pattern.

    If the pattern has a part twice, both have the same text. Where a name can be divided in several ways, `{class}` is
    the longest of `classes`, so that `12_left_lung` is the class `left_lung` of `12`. Raises OSError.
    """
    template = template or ID
    folder.stat()  # glob treats a missing folder as an empty one
    parts = _PARTS.split(pattern)
    named = {ID, CLASS, CHANNEL, *_PARTS.findall(template)}
    wildcard = "".join(ANYTHING if part in (*named, ANYTHING) else glob.escape(part) for part in parts)
    matchers = [_matcher(parts, named, known) for known in ((classes, ()) if classes and CLASS in parts else ((),))]
    found = []
    for path in sorted(folder.glob(re.sub(r"\*+", "*", wildcard))):
        name = path.relative_to(folder).as_posix()
        match = next((one for matcher in matchers if (one := matcher.fullmatch(name))), None)
        if match is not None and not path.name.startswith(".") and not path.is_dir():
            texts = match.groupdict()
            image_id = "".join(texts.get(part.strip("{}"), part) for part in _PARTS.split(template))
            found.append((image_id, texts.get("class", texts.get("channel", "")), path))
    return found


def id_in(path: Path, pattern: str, template: str | None = None) -> str | None:
    """The id in the last parts of a path, as many as the pattern has; None if they do not match it."""
    template = template or ID
    named = {ID, CLASS, CHANNEL, *_PARTS.findall(template)}
    name = "/".join(path.parts[-len(pattern.split("/")) :])
    match = _matcher(_PARTS.split(pattern), named, ()).fullmatch(name)
    if match is None:
        return None
    return "".join(match.groupdict().get(part.strip("{}"), part) for part in _PARTS.split(template))


def _matcher(parts: Sequence[str], named: Collection[str], classes: Collection[str]) -> re.Pattern[str]:
    """The expression of a pattern in parts; with names of classes, only for files of these."""
    expression, seen = "", set()
    known = "|".join(map(re.escape, sorted(classes, key=len, reverse=True)))
    for part in parts:
        name = part.strip("{}")
        if part in named:
            text = known if classes and part == CLASS else "[^/]+?" if classes else "[^/]+"
            expression += f"(?P={name})" if part in seen else f"(?P<{name}>{text})"
            seen.add(part)
        else:
            expression += "[^/]*" if part == ANYTHING else re.escape(part)
    return re.compile(expression)
