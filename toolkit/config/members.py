"""The names of the members of an ensemble: experiments, and parts of them (`exp042:fold0`, `exp042:snapshots`)."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolkit.errors import nearest

_FORMS = "foldN, stageN, snapshots, snapshotN"
_PART = re.compile(r"(fold|stage|snapshot)(\d{1,6})|(snapshots)")


@dataclass(frozen=True)
class MemberPart:
    """The networks of an experiment that predict; by default all folds, with the best weights of the last stage.

    `snapshot` is the number of a snapshot of the stage, in the order of the epochs from 0, or `all` for their mean.
    """

    fold: int | None = None
    stage: int | None = None
    snapshot: int | Literal["all"] | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """Its name as words, for example `fold0`, `stage1`; empty for the whole experiment."""
        snapshot = "snapshots" if self.snapshot == "all" else f"snapshot{self.snapshot}"
        return (
            *(() if self.fold is None else (f"fold{self.fold}",)),
            *(() if self.stage is None else (f"stage{self.stage}",)),
            *(() if self.snapshot is None else (snapshot,)),
        )


WHOLE = MemberPart()
"""The whole experiment."""


def parse_member(text: str) -> tuple[str, MemberPart]:
    """Split the name of a member into the name or path of the experiment, and the part.

    Raises:
        ValueError: the part is invalid.
    """
    last, *words = Path(text).name.split(":")
    if not words:
        return text, WHOLE
    name = text[: len(text) - sum(len(word) + 1 for word in words)]
    found: dict[str, int | Literal["all"]] = {}
    for word in words:
        match = _PART.fullmatch(word)
        if match is None:
            raise ValueError(f"{text!r}: {word!r} is not a part of {last}; {_nearest(word)}choose from {_FORMS}")
        kind, value = ("snapshot", "all") if match[3] else (match[1], int(match[2]))
        if kind in found:
            raise ValueError(f"{text!r}: a member has one {kind} only; write several members instead")
        found[kind] = value  # type: ignore[assignment] # the pattern decides which of the two it is
    return name, MemberPart(**found)  # type: ignore[arg-type] # as above


def _nearest(word: str) -> str:
    letters = word.rstrip("0123456789")
    near = nearest(letters, ("fold", "stage", "snapshot", "snapshots"))
    return f"did you mean {near + word[len(letters) :]!r}? " if near not in (None, letters) else ""
