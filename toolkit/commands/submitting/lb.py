"""`tk lb`: leaderboard scores beside those of cross-validation, and how far to believe either."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from toolkit.commands.session import Session
from toolkit.config.metrics import read_metric
from toolkit.core.metrics.leaderboard_agreement import Agreement, agreement
from toolkit.errors import ConfigError, SubmissionError
from toolkit.files.submissions.log import Board, LoggedSubmission, SubmissionLog, submission_name
from toolkit.messages import Progress, Table

_UNLIKELY = 0.05
_ENOUGH_TO_DISAGREE = 5
_ENOUGH_TO_PROBE = 4
_FAR = 6.0


@dataclass(frozen=True)
class LeaderboardResult:
    """The log, and how cross-validation and leaderboard go together; None where no submission has both scores."""

    submissions: list[LoggedSubmission]
    metric: str
    public: Agreement | None
    private: Agreement | None
    words: list[str]
    warnings: list[str]

    def tables(self) -> list[Table]:
        """Every submission, and the two relations."""
        if not self.submissions:
            return []
        names = [entry.name for entry in self.submissions]
        rows = [
            (
                _called(entry, is_earlier=entry.name in names[place + 1 :]),
                entry.metric,
                *map(_score, (entry.oof, entry.nested, entry.public, entry.private)),
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
        """What the figures mean, and what to type."""
        if not self.submissions:
            return ["no submission was made yet", "next: tk submit EXPERIMENT"]
        return [*self.words, "next: tk lb NAME SCORE [--private], once the leaderboard has given one"]


def leaderboard(
    session: Session, name: str | None = None, *, score: float | None = None, board: Board = "public"
) -> LeaderboardResult:
    """Record a leaderboard score if one is given, and compare all that are known with cross-validation.

    Raises:
        ConfigError: a name without a score.
        SubmissionError: there is no such submission, or the score cannot be one.
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
        raise ConfigError(f"tk lb {name}: the score is missing", f"Type: tk lb {name} 0.871, or tk lb for all.")
    if not math.isfinite(score):
        raise SubmissionError(f"tk lb {name}: a score is a number such as 0.871, received {score}")
    metric = next((entry.metric for entry in reversed(log.read()) if entry.name == name), "")
    if _is_built_in(metric) and not 0 <= score <= 1:
        raise SubmissionError(
            f"tk lb {name}: {metric} lies between 0 and 1, received {score:g}",
            "Give the score as the leaderboard shows it, such as 0.871.",
        )
    before = getattr(log.set_score(name, board, score), board)
    changed = "" if before is None or before == score else f" (it was {before:g})"
    progress.say(f"{name}: {board} score {score:g}{changed}")


def _compare(entries: Sequence[LoggedSubmission]) -> LeaderboardResult:
    """Compare the scores of the metric that the latest scored submission has; others would be no relation."""
    scored = [entry for entry in entries if entry.expected is not None and not (entry.public is entry.private is None)]
    metric = scored[-1].metric if scored else ""
    same = [entry for entry in scored if entry.metric == metric]
    words = []
    if len(same) < len(scored):
        words.append(f"{len(scored) - len(same)} submissions of another metric than {metric} are not compared")
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
"""A submission with what cross-validation promised and what the leaderboard said."""


def _both(entries: Sequence[LoggedSubmission], board: Board) -> list[_Pair]:
    pairs = ((entry, entry.expected, getattr(entry, board)) for entry in entries)
    return [(entry, cv, lb) for entry, cv, lb in pairs if cv is not None and lb is not None]


def _in_words(board: str, found: Agreement) -> str:
    count = f"{found.points} submissions" if found.points > 1 else "1 submission"
    if found.spearman is None or found.chance is None:
        why = "too few" if found.points < 3 else "their scores do not differ"
        return f"{board}: {count} with both scores, {why}: whether CV and leaderboard agree cannot be said"
    luck = f"luck gives an order this good in {found.chance:.0%} of all cases"
    if found.spearman < 0:
        return f"{board}: the better by CV tend to be the worse on the leaderboard ({count})"
    if found.chance > _UNLIKELY:
        return f"{board}: {count} do not show that CV and leaderboard agree: {luck}"
    return f"{board}: CV and leaderboard put {count} in nearly the same order; {luck}: believe CV"


def _chasing(pairs: Sequence[_Pair]) -> list[str]:
    """The best on the leaderboard is not the best by cross-validation."""
    by_board = max(pairs, key=lambda pair: pair[2])
    by_cv = max(pairs, key=lambda pair: pair[1])
    if by_board[1] == by_cv[1] or by_board[2] == by_cv[2]:
        return []
    first = f"{by_board[0].name} is best on the public leaderboard ({by_board[2]:.4f}, CV {by_board[1]:.4f})"
    second = f"{by_cv[0].name} is best by CV ({by_cv[1]:.4f}, public {by_cv[2]:.4f})"
    return [f"{first}, but {second}: the public part is a small sample; keep the best by CV among your final choices"]


def _disagreement(found: Agreement) -> list[str]:
    if found.points < _ENOUGH_TO_DISAGREE or found.spearman is None or found.spearman > 0.2:
        return []
    order = f"their order on the public leaderboard is not that by CV (Spearman {found.spearman:.2f})"
    advice = "check that folds are like the test images, and stop submitting small variations"
    return [f"{found.points} submissions were scored and {order}: choosing by either is guessing; {advice}"]


def _probing(pairs: Sequence[_Pair]) -> list[str]:
    """Many scored submissions of one experiment differ in their recipe only."""
    experiment, count = Counter(entry.experiment for entry, _, _ in pairs).most_common(1)[0]
    if count < _ENOUGH_TO_PROBE:
        return []
    why = "choosing among them by the leaderboard tunes on its public part"
    return [
        f"{count} scored submissions are recipes of {experiment}: {why}; tk tune chooses on out-of-fold predictions"
    ]


def _strange_gaps(board: str, pairs: Sequence[_Pair]) -> list[str]:
    """Submissions that the leaderboard likes far less or more than others of the same promise."""
    if len(pairs) < _ENOUGH_TO_PROBE:
        return []
    gaps = [lb - cv for _, cv, lb in pairs]
    middle = median(gaps)
    usual = max(median(abs(gap - middle) for gap in gaps), 1e-3)
    return [
        f"{entry.name}: its {board} score is {gap:+.4f} from its CV, where {middle:+.4f} is usual: is its file, or its "
        "CV, what you think?"
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
        row("  luck gives as much in", "chance", "{:.1%}"),
        row("Pearson correlation (of the scores)", "pearson", "{:.2f}"),
        row("spread of CV (standard deviation)", "first_spread"),
        row("spread of the leaderboard", "second_spread"),
        row("leaderboard minus CV, mean", "gap", "{:+.4f}"),
        row("leaderboard minus CV, spread", "gap_spread"),
    ]
    title = f"CV and leaderboard, {metric}; CV is nested where there is such a score, else OOF"
    return Table(title, ("", "public", "private"), [row for row in rows if any(row[1:])])


def _is_built_in(label: str) -> bool:
    """Whether a metric is the toolkit's: between 0 and 1, the higher the better. Of the user's own nothing is known."""
    try:
        return label != "" and not read_metric(label.partition("[")[0]).is_own
    except (ConfigError, ValueError):
        return False


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
