"""Assigns the files of a folder to images: by their names, or by a pattern of names."""

import glob
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from toolkit.errors import DataError, MissingFileError, NothingToLearnError, listing_lines
from toolkit.files.images.decoding import image_id_of

_PARTS = re.compile(r"(\{id\}|\{class\}|\*)")
ID, CLASS, ANYTHING = "{id}", "{class}", "*"

Named = Mapping[str, Sequence[tuple[str, Path]]]
"""The files of each id in the order of their paths, each with the class in its name, or an empty text."""


def files_by_id(
    folder: Path, suffixes: Sequence[str], key: str, pattern: str | None = None, exclude: Sequence[str] = ()
) -> dict[str, Path]:
    """One file for each id.

    Args:
        folder: that holds the files.
        suffixes: the extensions of the files, in lower case; ignored with a pattern.
        key: the configuration key of the folder, for messages.
        pattern: of the paths below the folder, with `{id}` for the id and `*` for any text. Without a pattern, the id
            is the file name without its extension.
        exclude: patterns of the names of files that are left out, with `*` for any text.

    Raises:
        MissingFileError: the folder cannot be read.
        NothingToLearnError: no file matches.
        DataError: two files have the same id, or a name is not UTF-8.
    """
    found = named_files(folder, suffixes, key, pattern, exclude)
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
    folder: Path, suffixes: Sequence[str], key: str, pattern: str | None = None, exclude: Sequence[str] = ()
) -> Named:
    """All files for each id, which may have several; otherwise as `files_by_id`, with `{class}` in the pattern too."""
    found: dict[str, list[tuple[str, Path]]] = {}
    try:
        files = _in_folder(folder, suffixes) if pattern is None else _matching(folder, pattern)
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
    """Advice if the files are one level deeper than a path says."""
    inside = [one for one in sorted(folder.iterdir()) if one.is_dir() and _in_folder(one, suffixes)]
    if not inside:
        return ""
    told = f"Folders in it that hold such files: {', '.join(map(str, inside[:5]))}"
    name, ending = _pattern_key(key), _in_folder(inside[0], suffixes)[0][2].suffix
    return told + (f'. To read all of them, write {name}: "*/{{id}}{ending}"' if name and len(inside) > 1 else "")


def _in_folder(folder: Path, suffixes: Sequence[str]) -> list[tuple[str, str, Path]]:
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in suffixes]
    return [(image_id_of(path.name), "", path) for path in paths if not path.name.startswith(".") and not path.is_dir()]


def _matching(folder: Path, pattern: str) -> list[tuple[str, str, Path]]:
    """Files below the folder whose path matches the pattern; if it has `{id}` twice, both have the same text."""
    folder.stat()  # glob treats a missing folder as an empty one
    parts = _PARTS.split(pattern)
    wildcard = "".join(ANYTHING if part in (ID, CLASS, ANYTHING) else glob.escape(part) for part in parts)
    expression, seen = "", set()
    for part in parts:
        name = part.strip("{}")
        if part in (ID, CLASS):
            expression += f"(?P={name})" if part in seen else f"(?P<{name}>[^/]+)"
            seen.add(part)
        else:
            expression += "[^/]*" if part == ANYTHING else re.escape(part)
    matcher, found = re.compile(expression), []
    for path in sorted(folder.glob(re.sub(r"\*+", "*", wildcard))):
        match = matcher.fullmatch(path.relative_to(folder).as_posix())
        if match is not None and not path.name.startswith(".") and not path.is_dir():
            found.append((match["id"], match.groupdict().get("class", ""), path))
    return found
