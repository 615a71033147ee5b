"""Findings about data: errors, warnings and notes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from toolkit.errors import DataError, NothingToLearnError, ToolkitError, listing, listing_lines
from toolkit.messages import Progress

Level = Literal["error", "warning", "note"]
"""An error makes training impossible or useless; a warning is suspicious; a note is information."""

_DETAILS = 3
NOTHING_TO_LEARN = "nothing to learn"


@dataclass(frozen=True)
class DataFinding:
    """One finding.

    Attributes:
        level: how serious it is.
        check: the name of the check.
        message: what was found.
        ids: of all images that it concerns.
        advice: what to do about it.
        details: a line for each image, or for each group of images.
    """

    level: Level
    check: str
    message: str
    ids: tuple[str, ...] = ()
    advice: str = ""
    details: tuple[str, ...] = ()

    def in_one_line(self, *, with_advice: bool = False) -> str:
        """The message with the first ids (for errors, the first details) and, if wanted, the advice."""
        if self.level == "error" and self.details:  # they have commas themselves
            shown = "; ".join([*self.details[:_DETAILS], *(["…"] if len(self.details) > _DETAILS else [])])
        else:
            shown = listing(self.ids)
        message = f"{self.message}: {shown}" if shown else self.message
        if not (with_advice and self.advice):
            return message
        return f"{message}{'' if message.endswith('?') else '.'} {self.advice}"


def errors_of(findings: Iterable[DataFinding]) -> list[DataFinding]:
    """The errors among the findings."""
    return [finding for finding in findings if finding.level == "error"]


def by_level(findings: Iterable[DataFinding]) -> list[DataFinding]:
    """Errors first, then warnings, then notes."""
    return sorted(findings, key=lambda finding: ("error", "warning", "note").index(finding.level))


def warn_of(findings: Iterable[DataFinding], progress: Progress) -> None:
    """Show the warnings among the findings."""
    for finding in findings:
        if finding.level == "warning":
            progress.warn(finding.in_one_line(with_advice=True))


def refuse_errors(findings: Iterable[DataFinding]) -> None:
    """Raise one error with all errors among the findings, if there are any.

    Raises:
        NothingToLearnError: the files are readable, but there is nothing to learn from them.
        DataError: any other error.
    """
    wrong = errors_of(findings)
    if not wrong:
        return
    kind: type[ToolkitError] = NothingToLearnError if wrong[0].check == NOTHING_TO_LEARN else DataError
    advice = dict.fromkeys(finding.advice for finding in wrong if finding.advice)
    raise kind("\n".join(map(_with_details, wrong)), "\n".join(advice))


def _with_details(finding: DataFinding) -> str:
    return f"{finding.message}:\n{listing_lines(finding.details)}" if finding.details else finding.message
