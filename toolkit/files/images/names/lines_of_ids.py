"""The lines of lists of ids, and the images that they mean."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from toolkit.files.images.decoding import image_id_of

_COLUMNS = re.compile(r"[,;\t ]+")
_ABSENT = "-1"
_HEADERS = frozenset((
    "id", "ids", "image", "images", "image_id", "imageid", "img", "file", "filename", "file_name", "name",
))  # fmt: skip


def spellings_of(ids: Iterable[str], paths: Mapping[str, Path]) -> dict[str, set[str]]:
    """The ids that a text may mean: each by itself, and by the name of its file with and without extension."""
    spellings: dict[str, set[str]] = {image_id: {image_id} for image_id in ids}
    known = frozenset(spellings)
    for image_id, path in paths.items():
        for text in {path.name, image_id_of(path.name)} - known:
            spellings.setdefault(text, set()).add(image_id)
    return spellings


def lines_of(text: str) -> list[str]:
    """The lines of a list without comments, blank lines and quotes."""
    stripped = (line.strip().strip("\"'") for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def meant_by(line: str, spellings: Mapping[str, set[str]]) -> set[str]:
    """The ids that a line may mean; none if it names no image."""
    return next((spellings[text] for text in _readings(line) if text in spellings), set())


def says_absence(lines: Sequence[str]) -> bool:
    """Whether lines say with 1 and -1 which images show a class, as the lists of a class in Pascal VOC do."""
    second = [columns[1] for line in lines if len(columns := _COLUMNS.split(line)) == 2]
    return len(second) == len(lines) and _ABSENT in second and set(second) <= {"1", "0", _ABSENT}


def is_heading(line: str) -> bool:
    """Whether a line is the heading of a column of ids."""
    return _COLUMNS.split(line)[0].lower() in _HEADERS


def _readings(line: str) -> Iterator[str]:
    """The texts that may be an id, the surest first."""
    for text in (line, _COLUMNS.split(line)[0]):
        yield text
        yield image_id_of(text)
        name = PurePosixPath(text.replace("\\", "/")).name
        yield name
        yield image_id_of(name)
        yield name.rpartition(".")[0]
