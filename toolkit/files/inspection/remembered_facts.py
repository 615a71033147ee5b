"""Facts of images whose files have not changed, so that a second look does not read them again."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from toolkit.config.yaml.file_paths import regular
from toolkit.core.masks.mask_values import MaskValues
from toolkit.errors import StorageError
from toolkit.files.disk.cache_folder import CacheFolder
from toolkit.files.disk.digests import digest
from toolkit.files.disk.writing import replacing
from toolkit.files.images.decoding_programs import decoding_programs
from toolkit.files.inspection.image_facts import ImageFacts, Traces

_FORMAT = 1
_SIDE = 32
_THUMBNAIL = _SIDE * _SIDE


class RememberedFacts:
    """The facts of one source of images, in a file of the cache.

    The file is a line with a digest of the rest, a line of JSON, and the thumbnails. A damaged file is as good as none.
    """

    def __init__(self, cache: CacheFolder, source: str) -> None:
        """Name the file after the source, and the programs that state the facts."""
        self._cache = cache
        names = [sorted(_names(kind)) for kind in (ImageFacts, Traces, MaskValues)]
        name = digest(f"{source} {_FORMAT} {decoding_programs()} {names}".encode())
        self._path = cache.facts(name)

    def known(self, stamps: Mapping[str, bytes | None]) -> dict[str, ImageFacts]:
        """The facts of the images whose stamp is the one with which they were remembered."""
        try:
            first, rest = regular(self._path).read_bytes().split(b"\n", 1)
        except (OSError, ValueError):
            return {}
        if digest(rest).encode() != first:
            return {}
        self._cache.used(self._path)
        line, thumbnails = rest.split(b"\n", 1)
        found = {}
        for place, (stamp, plain) in enumerate(json.loads(line)):
            expected = stamps.get(plain["image_id"])
            if expected is not None and stamp == _short(expected):
                start = place * _THUMBNAIL
                found[plain["image_id"]] = _facts(plain, thumbnails[start : start + _THUMBNAIL])
        return found

    def remember(self, facts: Iterable[ImageFacts], stamps: Mapping[str, bytes | None]) -> None:
        """Keep the facts of images that have a stamp and no problem; without a disk to write to, nothing is kept."""
        kept = [(one, stamp) for one in facts if (stamp := stamps.get(one.image_id)) is not None and not one.problem]
        if not kept:
            return
        line = json.dumps([(_short(stamp), _plain(one)) for one, stamp in kept]).encode()
        thumbnails = np.stack([one.thumbnail for one, _ in kept]).tobytes()
        rest = line + b"\n" + thumbnails
        content = digest(rest).encode() + b"\n" + rest
        try:
            if self._cache.make_room(len(content)):
                with replacing(self._path) as file:
                    file.write(content)
        except StorageError:
            return


def _short(stamp: bytes) -> str:
    return digest(stamp)


def _names(kind: Any) -> list[str]:
    return [field.name for field in fields(kind)]


def _plain(facts: ImageFacts) -> dict[str, Any]:
    tree = {name: getattr(facts, name) for name in _names(ImageFacts) if name != "thumbnail"}
    values = (
        None if facts.values is None else {name: _pairs(getattr(facts.values, name)) for name in _names(MaskValues)}
    )
    return tree | {"traces": None if facts.traces is None else asdict(facts.traces), "values": values}


def _pairs(value: Any) -> Any:
    """A mapping as pairs, because the keys of JSON are texts."""
    return list(value.items()) if isinstance(value, Mapping) else value


def _facts(plain: Mapping[str, Any], thumbnail: bytes) -> ImageFacts:
    found: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
    traces, values = plain["traces"], plain["values"]
    found["traces"] = None if traces is None else Traces(**{name: tuple(value) for name, value in traces.items()})
    found["values"] = (
        None if values is None else MaskValues(**{name: _mapping(pairs) for name, pairs in values.items()})
    )
    return ImageFacts(**found, thumbnail=np.frombuffer(thumbnail, np.uint8).reshape(_SIDE, _SIDE))


def _mapping(pairs: Any) -> Any:
    """What `_pairs` was given; a key that is a list was a colour."""
    if not isinstance(pairs, list):
        return pairs
    return {tuple(key) if isinstance(key, list) else key: value for key, value in pairs}
