"""Findings about a submission: errors, which refuse it, and warnings."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from toolkit.errors import SubmissionError, listing_lines

Level = Literal["refuse", "warn"]
"""`refuse`: the competition would reject the file or score it wrongly; `warn`: the file is suspicious."""

WHOLE_FILE = "the whole file"
"""The place of a finding that concerns no single line."""

_VARYING = re.compile(r"'[^']*'|\d+")


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        level: how serious it is.
        check: the name of the check.
        where: the first place.
        came: what was found there.
        allowed: what is allowed instead.
        advice: what to do about it.
        count: the number of places.
    """

    level: Level
    check: str
    where: str
    came: str
    allowed: str
    advice: str
    count: int = 1

    def describe(self) -> str:
        """The finding in one line, without the advice."""
        more = f" (and {self.count - 1} more)" if self.count > 1 else ""
        allowed = f"; {self.allowed}" if self.allowed else ""
        return f"{self.check}: {self.where}{more}: {self.came}{allowed}"


class Findings:
    """Collects findings; those that differ only in place, numbers or quoted texts are counted as one."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], Finding] = {}

    def refuse(self, check: str, where: str, came: str, allowed: str = "", advice: str = "") -> None:
        """Add a finding that refuses the submission."""
        self._add(Finding("refuse", check, where, came, allowed, advice))

    def warn(self, check: str, where: str, came: str, allowed: str = "", advice: str = "") -> None:
        """Add a warning."""
        self._add(Finding("warn", check, where, came, allowed, advice))

    def all(self) -> list[Finding]:
        """All findings: first those that refuse the submission, then warnings, each in the order of discovery."""
        return sorted(self._found.values(), key=lambda finding: finding.level != "refuse")

    def _add(self, finding: Finding) -> None:
        kind = (finding.level, finding.check, *(_VARYING.sub("", text) for text in (finding.came, finding.allowed)))
        before = self._found.get(kind)
        self._found[kind] = finding if before is None else replace(before, count=before.count + 1)


def is_refused(findings: Iterable[Finding]) -> bool:
    """Whether any finding refuses the submission."""
    return any(finding.level == "refuse" for finding in findings)


def refusal(what: str, findings: Sequence[Finding]) -> SubmissionError:
    """The error with all findings that refuse a submission; `what` starts it, for example `a.csv is not written`."""
    wrong = [finding for finding in findings if finding.level == "refuse"]
    advice = next((finding.advice for finding in wrong if finding.advice), "")
    return SubmissionError(f"{what}:\n{listing_lines(finding.describe() for finding in wrong)}", advice)
