"""Names of an ensemble's members: experiments, and parts of them such as `exp042:fold0` or `exp042:snapshots`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolkit.errors import nearest

_FORMS = "foldN, stageN, snapshots, snapshotN"
_PART = re.compile(r"(fold|stage|snapshot)(\d{1,6})|(snapshots)")


@dataclass(frozen=True)
class MemberPart:
    """Which of an experiment's networks predict: all folds, and the best weights of the last stage, if nothing is said.

    `snapshot` is the number of one snapshot of the stage, in the order of the epochs from 0, or `all` for their mean.
    """

    fold: int | None = None
    stage: int | None = None
    snapshot: int | Literal["all"] | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What it is called, word by word, such as `fold0`, `stage1`; nothing for the whole experiment."""
        snapshot = "snapshots" if self.snapshot == "all" else f"snapshot{self.snapshot}"
        return (
            *(() if self.fold is None else (f"fold{self.fold}",)),
            *(() if self.stage is None else (f"stage{self.stage}",)),
            *(() if self.snapshot is None else (snapshot,)),
        )


WHOLE = MemberPart()
"""The whole experiment."""


def parse_member(text: str) -> tuple[str, MemberPart]:
    """Split the name of a member into that of the experiment, or its path, and the part.

    Raises:
        ValueError: there is no such part.
    """
    last, *words = Path(text).name.split(":")
    if not words:
        return text, WHOLE
    name = text[: len(text) - sum(len(word) + 1 for word in words)]
    found: dict[str, int | Literal["all"]] = {}
    for word in words:
        match = _PART.fullmatch(word)
        if match is None:
            raise ValueError(f"{text!r}: there is no part {word!r}; {_nearest(word)}allowed after {last}: {_FORMS}")
        kind, value = ("snapshot", "all") if match[3] else (match[1], int(match[2]))
        if kind in found:
            raise ValueError(f"{text!r}: names two {kind}s; one member is one {kind}, name several members")
        found[kind] = value  # type: ignore[assignment] # the pattern says which of both it is
    return name, MemberPart(**found)  # type: ignore[arg-type] # as above


def _nearest(word: str) -> str:
    letters = word.rstrip("0123456789")
    near = nearest(letters, ("fold", "stage", "snapshot", "snapshots"))
    return f"did you mean {near + word[len(letters) :]!r}? " if near not in (None, letters) else ""
