"""A folder of images of one kind."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SPLITS = frozenset(("train", "training", "test", "testing", "val", "valid", "validation"))
"""Names of folders of parts of a data set."""


@dataclass(frozen=True)
class ImageFolder:
    """Images of one kind: those in a folder or, with a `pattern`, some of them or those in its
    subfolders.

    Attributes:
        folder: that holds the images or subfolders.
        name: its path relative to the scanned folder.
        paths: the image of each id; if the pattern has a `*`, the first of several.
        pattern: of the paths below the folder, for example `{id}/images/{id}.png`; empty if ids are names.
        template: how parts of the pattern make the id, where it is not one piece: `{folder}_{file}`.
    """

    folder: Path
    name: str
    paths: Mapping[str, Path]
    pattern: str = ""
    template: str = ""

    @property
    def has_channels(self) -> bool:
        """Whether each channel of an image is a file of its own."""
        return "{channel}" in self.pattern

    @property
    def words(self) -> tuple[str, ...]:
        """The words in the names of folders and pattern, in lower case."""
        parts = re.split(r"[/\\_\-. ]+", f"{self.name}/{self.pattern}".lower())
        return tuple(part for part in parts if part)
