"""What is wrong or strange about a submission, as a list for people."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from toolkit.errors import SubmissionError

Level = Literal["refuse", "warn"]
"""Whether the competition would not take it or score it wrongly, or it is only strange."""

WHOLE_FILE = "the whole file"
"""Where something is that no single line shows."""

_LISTED = 20
_VARYING = re.compile(r"'[^']*'|\d+")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: what was checked, where it is first, what came, what is allowed, what to do about it.

    `count` is in how many places.
    """

    level: Level
    check: str
    where: str
    came: str
    allowed: str
    advice: str
    count: int = 1

    def describe(self) -> str:
        """In one line."""
        more = f" (and {self.count - 1} more)" if self.count > 1 else ""
        allowed = f"; {self.allowed}" if self.allowed else ""
        return f"{self.check}: {self.where}{more}: {self.came}{allowed}"


class Findings:
    """Collects findings; those that differ only in place, numbers and quoted texts are counted as one."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], Finding] = {}

    def refuse(self, check: str, where: str, came: str, allowed: str = "", advice: str = "") -> None:
        """Add something that makes the submission wrong."""
        self._add(Finding("refuse", check, where, came, allowed, advice))

    def warn(self, check: str, where: str, came: str, allowed: str = "", advice: str = "") -> None:
        """Add something that is strange."""
        self._add(Finding("warn", check, where, came, allowed, advice))

    def all(self) -> list[Finding]:
        """Those that refuse first, else in the order in which they were found."""
        return sorted(self._found.values(), key=lambda finding: finding.level != "refuse")

    def _add(self, finding: Finding) -> None:
        kind = (finding.level, finding.check, *(_VARYING.sub("", text) for text in (finding.came, finding.allowed)))
        before = self._found.get(kind)
        self._found[kind] = finding if before is None else replace(before, count=before.count + 1)


def is_refused(findings: Iterable[Finding]) -> bool:
    """Whether any finding makes the submission wrong."""
    return any(finding.level == "refuse" for finding in findings)


def refusal(what: str, findings: Sequence[Finding]) -> SubmissionError:
    """The error that says what is wrong; `what` begins it, such as `a.csv is not written`."""
    wrong = [finding for finding in findings if finding.level == "refuse"]
    lines = [f"  {finding.describe()}" for finding in wrong[:_LISTED]]
    more = [f"  … and {len(wrong) - _LISTED} more"] if len(wrong) > _LISTED else []
    advice = next((finding.advice for finding in wrong if finding.advice), "")
    return SubmissionError("\n".join([f"{what}:", *lines, *more]), advice)


def listed(words: Iterable[str], at_most: int = 5) -> str:
    """The first of several words, and how many more there are."""
    every = list(words)
    more = f" and {len(every) - at_most} more" if len(every) > at_most else ""
    return ", ".join(every[:at_most]) + more
