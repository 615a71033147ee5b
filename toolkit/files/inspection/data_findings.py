"""What is wrong, strange or good to know about data, as a list for people."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from toolkit.errors import DataError, NothingToLearnError, ToolkitError
from toolkit.messages import Progress

Level = Literal["error", "warning", "note"]
"""Whether it would spoil training, is strange, or only good to know."""

NOTHING_TO_LEARN = "nothing to learn"
_LISTED = 20
_SHOWN = 5


@dataclass(frozen=True)
class DataFinding:
    """One thing that was found.

    `check` says what was looked at, `ids` are those of all images that it is about, `details` say more of each, and
    `advice` what can be done.
    """

    level: Level
    check: str
    message: str
    ids: tuple[str, ...] = ()
    advice: str = ""
    details: tuple[str, ...] = ()

    def in_one_line(self, *, with_advice: bool = False) -> str:
        """The message with what is first of its ids, of errors of its details, and perhaps what can be done."""
        told = self.details if self.level == "error" and self.details else self.ids
        shown = ("; " if told is self.details else ", ").join(told[:_SHOWN]) + (", …" if len(told) > _SHOWN else "")
        message = f"{self.message}: {shown}" if shown else self.message
        if not (with_advice and self.advice):
            return message
        return f"{message}{'' if message.endswith('?') else '.'} {self.advice}"


def errors_of(findings: Iterable[DataFinding]) -> list[DataFinding]:
    """Those that would spoil training."""
    return [finding for finding in findings if finding.level == "error"]


def by_level(findings: Iterable[DataFinding]) -> list[DataFinding]:
    """Errors first, then warnings, then notes."""
    return sorted(findings, key=lambda finding: ("error", "warning", "note").index(finding.level))


def warn_of(findings: Iterable[DataFinding], progress: Progress) -> None:
    """Tell the warnings."""
    for finding in findings:
        if finding.level == "warning":
            progress.warn(finding.in_one_line(with_advice=True))


def refuse_errors(findings: Iterable[DataFinding]) -> None:
    """Raise all errors at once, if there are any.

    Raises:
        NothingToLearnError: the files are sound, but hold nothing to learn.
        DataError: anything else.
    """
    wrong = errors_of(findings)
    if not wrong:
        return
    kind: type[ToolkitError] = NothingToLearnError if wrong[0].check == NOTHING_TO_LEARN else DataError
    advice = dict.fromkeys(finding.advice for finding in wrong if finding.advice)
    raise kind("\n".join(map(_with_details, wrong)), "\n".join(advice))


def _with_details(finding: DataFinding) -> str:
    lines = [f"  {detail}" for detail in finding.details[:_LISTED]]
    more = [f"  … and {len(finding.details) - _LISTED} more"] if len(finding.details) > _LISTED else []
    return "\n".join([finding.message + (":" if lines else ""), *lines, *more])
