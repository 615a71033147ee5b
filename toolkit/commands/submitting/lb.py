"""`tk lb`: leaderboard scores compared with cross-validation, and which of the two to trust."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from toolkit.commands.session import Session
from toolkit.config.metrics import read_metric
from toolkit.core.metrics.uncertainty.leaderboard_agreement import FEWEST, Agreement, agreement
from toolkit.errors import ConfigError, SubmissionError
from toolkit.files.submissions.log import Board, LoggedSubmission, SubmissionLog, submission_name
from toolkit.messages import Progress, Table, score_text
from toolkit.report.result import Result

_UNLIKELY = 0.05
_ENOUGH_TO_DISAGREE = 5
_ENOUGH_TO_PROBE = 4
_FAR = 6.0


@dataclass(frozen=True)
class LeaderboardResult(Result):
    """The log of submissions, and how well cross-validation and leaderboard agree.

    `public` and `private` are None if no submission has both scores.
    """

    submissions: list[LoggedSubmission]
    metric: str
    public: Agreement | None
    private: Agreement | None
    words: list[str]
    warnings: list[str]

    def tables(self) -> list[Table]:
        """Every submission, and the agreement with each leaderboard."""
        if not self.submissions:
            return []
        names = [entry.name for entry in self.submissions]
        rows = [
            (
                _called(entry, is_earlier=entry.name in names[place + 1 :]),
                entry.metric,
                *(score_text(score, missing="") for score in (entry.oof, entry.nested, entry.public, entry.private)),
                entry.uploaded[:10],
            )
            for place, entry in enumerate(self.submissions)
        ]
        columns = ("submission", "metric", "OOF", "nested", "public", "private", "uploaded")
        tables = [Table("submissions", columns, rows)]
        if self.public or self.private:
            tables.append(_relations(self.metric, self.public, self.private))
        return tables

    def next_steps(self) -> list[str]:
        """What the figures mean, and the next command."""
        if not self.submissions:
            return ["there are no submissions yet", "next: tk submit EXPERIMENT"]
        return [*self.words, "next: tk lb NAME SCORE [--private], to record a leaderboard score"]


def leaderboard(
    session: Session, name: str | None = None, *, score: float | None = None, board: Board = "public"
) -> LeaderboardResult:
    """Record a leaderboard score if one is given, and compare all recorded scores with cross-validation.

    Raises:
        ConfigError: a name without a score.
        SubmissionError: there is no such submission, or the score is not valid.
        StorageError: the log is damaged.
    """
    progress = session.progress
    log = SubmissionLog(session.workspace.submission_log)
    if name is not None:
        _record(log, submission_name(name), score, board, progress)
    entries = log.read()
    result = _compare(entries)
    for warning in result.warnings:
        progress.warn(warning)
    return result


def _record(log: SubmissionLog, name: str, score: float | None, board: Board, progress: Progress) -> None:
    if score is None:
        raise ConfigError(
            f"tk lb {name}: the score is missing", f"Run: tk lb {name} 0.871, or tk lb to list all submissions."
        )
    if not math.isfinite(score):
        raise SubmissionError(f"tk lb {name}: expected a finite number, for example 0.871; received {score}")
    metric = next((entry.metric for entry in reversed(log.read()) if entry.name == name), "")
    if _is_built_in(metric) and not 0 <= score <= 1:
        raise SubmissionError(
            f"tk lb {name}: {metric} is between 0 and 1; received {score:g}",
            "Give the score as the leaderboard shows it, for example 0.871.",
        )
    before = getattr(log.set_score(name, board, score), board)
    changed = "" if before is None or before == score else f" (it was {before:g})"
    progress.say(f"{name}: {board} score {score:g}{changed}")


def _compare(entries: Sequence[LoggedSubmission]) -> LeaderboardResult:
    """Compare the scores of the latest scored submission's metric; other metrics are not comparable."""
    scored = [entry for entry in entries if entry.expected is not None and not (entry.public is entry.private is None)]
    metric = scored[-1].metric if scored else ""
    same = [entry for entry in scored if entry.metric == metric]
    words = []
    if len(same) < len(scored):
        words.append(f"{len(scored) - len(same)} submissions have another metric than {metric} and are not compared")
    public, private = _both(same, "public"), _both(same, "private")
    warnings: list[str] = []
    relations: list[Agreement | None] = []
    for board, pairs in (("public", public), ("private", private)):
        found = agreement([cv for _, cv, _ in pairs], [lb for _, _, lb in pairs]) if pairs else None
        relations.append(found)
        if found is not None:
            words.append(_in_words(board, found))
            warnings += _strange_gaps(board, pairs)
    if public and _is_built_in(metric):
        warnings += _chasing(public)
    if relations[0] is not None:
        warnings += _disagreement(relations[0]) + _probing(public)
    return LeaderboardResult(list(entries), metric, relations[0], relations[1], words, warnings)


_Pair = tuple[LoggedSubmission, float, float]
"""A submission, its cross-validation score and its leaderboard score."""


def _both(entries: Sequence[LoggedSubmission], board: Board) -> list[_Pair]:
    pairs = ((entry, entry.expected, getattr(entry, board)) for entry in entries)
    return [(entry, cv, lb) for entry, cv, lb in pairs if cv is not None and lb is not None]


def _in_words(board: str, found: Agreement) -> str:
    count = f"{found.points} submissions" if found.points > 1 else "1 submission"
    if found.spearman is None or found.chance is None:
        why = "they are too few" if found.points < FEWEST else "their scores are equal"
        return f"{board}: {count} with both scores do not show whether CV and leaderboard agree: {why}"
    luck = f"a random order agrees as well in {found.chance:.0%} of cases"
    if found.spearman < 0:
        return f"{board}: submissions that are better by CV tend to be worse on the leaderboard ({count})"
    if found.chance > _UNLIKELY:
        return f"{board}: {count} do not show that CV and leaderboard agree; {luck}"
    return f"{board}: CV and leaderboard rank {count} in nearly the same order; {luck}: trust CV"


def _chasing(pairs: Sequence[_Pair]) -> list[str]:
    """A warning if the best submission on the leaderboard is not the best by cross-validation."""
    by_board = max(pairs, key=lambda pair: pair[2])
    by_cv = max(pairs, key=lambda pair: pair[1])
    if by_board[1] == by_cv[1] or by_board[2] == by_cv[2]:
        return []
    (first, first_cv, first_lb), (second, second_cv, second_lb) = by_board, by_cv
    best = f"{first.name} is best on the public leaderboard ({score_text(first_lb)}, CV {score_text(first_cv)})"
    other = f"{second.name} is best by CV ({score_text(second_cv)}, public {score_text(second_lb)})"
    return [f"{best}, but {other}; the public part is a small sample: keep the best by CV among your final choices"]


def _disagreement(found: Agreement) -> list[str]:
    if found.points < _ENOUGH_TO_DISAGREE or found.spearman is None or found.spearman > 0.2:
        return []
    order = f"the public leaderboard and CV rank {found.points} submissions differently (Spearman {found.spearman:.2f})"
    advice = "check that the folds resemble the test images, and stop submitting small variations"
    return [f"{order}, so neither is a reliable guide; {advice}"]


def _probing(pairs: Sequence[_Pair]) -> list[str]:
    """A warning if many scored submissions of one experiment differ only in their recipe."""
    experiment, count = Counter(entry.experiment for entry, _, _ in pairs).most_common(1)[0]
    if count < _ENOUGH_TO_PROBE:
        return []
    found = f"{count} scored submissions of {experiment} differ only in their recipe"
    return [f"{found}: choosing by the leaderboard overfits its public part; choose on out-of-fold scores: tk tune"]


def _strange_gaps(board: str, pairs: Sequence[_Pair]) -> list[str]:
    """Warnings about submissions whose gap between leaderboard and cross-validation is far from the usual one."""
    if len(pairs) < _ENOUGH_TO_PROBE:
        return []
    gaps = [lb - cv for _, cv, lb in pairs]
    middle = median(gaps)
    usual = max(median(abs(gap - middle) for gap in gaps), 1e-3)
    return [
        f"{entry.name}: its {board} score minus its CV is {score_text(gap, signed=True)}, while "
        f"{score_text(middle, signed=True)} is usual: check the file and the CV"
        for (entry, _, _), gap in zip(pairs, gaps, strict=True)
        if abs(gap - middle) > _FAR * usual
    ]


def _called(entry: LoggedSubmission, *, is_earlier: bool) -> str:
    of = f" of {entry.experiment}" if entry.experiment not in ("", entry.name) else ""
    return f"{entry.name}{of}{', an earlier file' * is_earlier}"


def _relations(metric: str, public: Agreement | None, private: Agreement | None) -> Table:
    both = (public, private)

    def row(title: str, name: str, pattern: str = "{:.4f}") -> tuple[str, str, str]:
        values = [None if found is None else getattr(found, name) for found in both]
        first, second = ("" if value is None else pattern.format(value) for value in values)
        return title, first, second

    rows = [
        row("submissions with both scores", "points", "{}"),
        row("Spearman correlation (of the order)", "spearman", "{:.2f}"),
        row("  as high by chance in", "chance", "{:.1%}"),
        row("Pearson correlation (of the scores)", "pearson", "{:.2f}"),
        row("spread of CV (standard deviation)", "first_spread"),
        row("spread of the leaderboard", "second_spread"),
        row("leaderboard minus CV, mean", "gap", "{:+.4f}"),
        row("leaderboard minus CV, spread", "gap_spread"),
    ]
    title = f"CV and leaderboard, {metric}; CV is the nested score if there is one, else OOF"
    return Table(title, ("", "public", "private"), [row for row in rows if any(row[1:])])


def _is_built_in(label: str) -> bool:
    """Whether a metric is built in: between 0 and 1, higher is better. Metrics of plugins may have any range."""
    try:
        return label != "" and not read_metric(label.partition("[")[0]).is_plugin
    except (ConfigError, ValueError):
        return False
