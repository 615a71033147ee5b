"""The result of `tk compare`: scores, differences and times of experiments, as tables and as rows of a CSV file."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from toolkit.commands.scoring.constant_score import ConstantScore
from toolkit.config.yaml.key_differences import ABSENT
from toolkit.config.yaml.key_differences import written as written_value
from toolkit.core.metrics.metric import Direction
from toolkit.core.metrics.uncertainty.bootstrap import Verdict
from toolkit.errors import ConfigError, not_valid
from toolkit.messages import Table, duration_text, score_text
from toolkit.report.result import Result


@dataclass(frozen=True)
class PairedDifference:
    """The difference of an experiment's score from the baseline's on the same images; see `Difference`."""

    mean: float | None
    low: float | None
    high: float | None
    standard_error: float | None
    verdict: Verdict


@dataclass(frozen=True)
class TrainingTime:
    """The epochs of all folds, seeds and stages, and their seconds, including validation."""

    epochs: int
    seconds: float


@dataclass(frozen=True)
class Compared:
    """One experiment or ensemble; values that do not exist are None.

    `folds` are untuned out-of-fold scores; `mean` and `spread` (standard deviation with n - 1) are taken over folds
    that have a score; `all` is the score of all images together. `keys` are the values of the keys that differ.
    `unpaired` tells why there is no difference to the baseline. `holdout` is the untuned score of the hold-out,
    `holdout_tuned` its score with the tuned recipe. `metrics` are the untuned scores of all images together by every
    metric of the experiment, as it was finished.
    """

    name: str
    kind: str
    metric: str
    folds: list[float | None]
    mean: float | None
    spread: float | None
    all: float | None
    tuned: float | None
    nested: float | None
    difference: PairedDifference | None
    unpaired: str
    time: TrainingTime | None
    keys: Mapping[str, str]
    holdout: float | None = None
    holdout_tuned: float | None = None
    holdout_difference: PairedDifference | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """All values by the name of their column."""
        difference, outside, time = self.difference, self.holdout_difference, self.time
        return {
            "experiment": self.name,
            "kind": self.kind,
            "metric": self.metric,
            **{f"fold{number}": score for number, score in enumerate(self.folds)},
            "mean": self.mean,
            "spread": self.spread,
            "all": self.all,
            **{f"{ALL}{label}": score for label, score in self.metrics.items()},
            "tuned": self.tuned,
            "nested": self.nested,
            "difference": difference and difference.mean,
            "low": difference and difference.low,
            "high": difference and difference.high,
            "standard_error": difference and difference.standard_error,
            "verdict": difference and difference.verdict,
            "holdout": self.holdout,
            "holdout_tuned": self.holdout_tuned,
            "holdout_difference": outside and outside.mean,
            "holdout_standard_error": outside and outside.standard_error,
            "holdout_verdict": outside and outside.verdict,
            "epochs": time and time.epochs,
            "seconds_per_epoch": time and round(time.seconds / time.epochs, 2),
            "seconds": time and round(time.seconds, 2),
            **{key: None if value == written_value(ABSENT) else value for key, value in self.keys.items()},
        }


ALL = "all."
"""The start of the columns with the scores of all images by each metric."""

_SCORES = (
    "mean", "all", "tuned", "nested", "difference", "low", "high", "holdout", "holdout_tuned", "holdout_difference"
)  # fmt: skip


@dataclass(frozen=True)
class CompareResult(Result):
    """Experiments in the order of the rows to show, and the baseline that they are compared with."""

    baseline: str
    direction: Direction
    experiments: list[Compared]
    notes: list[str]
    csv: str | None = None
    constant: ConstantScore | None = None

    def columns(self) -> list[str]:
        """The names of all columns, see `Compared.row`."""
        most_folds = max(self.experiments, key=lambda one: len(one.folds))
        everything = {label: None for one in self.experiments for label in one.metrics}
        return list(replace(most_folds, metrics=everything).row())

    def sorted_by(self, column: str, directions: Mapping[str, Direction]) -> list[Compared]:
        """The experiments sorted by a column: scores from best to worst, other columns ascending, missing values last.

        `directions` are those of the metrics by label.

        Raises:
            ConfigError: there is no such column.
        """
        columns = self.columns()
        if column not in columns:
            raise ConfigError(f"--sort-by: column {not_valid(column, columns)}")
        is_score = column in _SCORES or (column.startswith("fold") and column[4:].isdecimal())
        label, _, _ = column.removeprefix(ALL).partition("[")  # the index of a class
        direction = directions.get(label) if column.startswith(ALL) else self.direction if is_score else None
        downwards = direction == "max"

        def place(one: Compared) -> tuple[int, float, str]:
            value = one.row().get(column)
            if value is None:
                return 2, 0.0, ""
            number = _number(value)
            return (1, 0.0, str(value)) if number is None else (0, -number if downwards else number, "")

        return sorted(self.experiments, key=place)

    def tables(self) -> list[Table]:
        """Keys that differ, scores, differences to the baseline, training times."""
        tables = (self._keys(), self._scores(), self._folds(), self._differences(), self._holdouts(), self._times())
        return [table for table in tables if table.rows]

    def next_steps(self) -> list[str]:
        """The limits of the comparison, the CSV file, and the next command."""
        notes = [f"note: {note}" for note in self.notes]
        if all(len(one.keys) == 0 for one in self.experiments):
            notes.append("note: the configurations have the same keys and values")
        if self.csv:
            notes.append(f"table: {self.csv}")
        best = self._best()
        return [*notes, f"next: tk fit {self.baseline}" if best is None else f"next: tk evaluate {best}"]

    def _best(self) -> str | None:
        """The experiment with the best score by the metric of the baseline; None if none has a score."""
        base = next(one for one in self.experiments if one.name == self.baseline)
        known = [one for one in self.experiments if one.all is not None and one.metric == base.metric]
        choose = max if self.direction == "max" else min
        return choose(known, key=lambda one: one.all or 0.0).name if known else None

    def _keys(self) -> Table:
        keys = list(self.experiments[0].keys)
        rows = [(key, *(one.keys[key] for one in self.experiments)) for key in keys]
        return Table("keys that differ", ("", *self._names()), rows)

    def _scores(self) -> Table:
        metrics = {one.metric for one in self.experiments if one.metric}
        several = ["metric"] if len(metrics) > 1 else []
        rows = [
            (
                one.name,
                *([one.metric] if several else []),
                _with_spread(one),
                *map(score_text, (one.all, one.tuned, one.nested)),
            )
            for one in self.experiments
        ]
        for title, score in self.constant.rows() if self.constant else ():
            rows.append((title, *([""] if several else []), "", score, "", ""))
        smaller = " (smaller is better)" if self.direction == "min" else ""
        title = f"out-of-fold {', '.join(sorted(metrics)) or 'scores'}{smaller}"
        return Table(title, ("", *several, "mean of folds ± spread", "all images", "tuned", "nested"), rows)

    def _folds(self) -> Table:
        count = max(len(one.folds) for one in self.experiments)
        rows = [
            (one.name, *map(score_text, [*one.folds, *[None] * (count - len(one.folds))])) for one in self.experiments
        ]
        return Table("fold by fold", ("", *map(str, range(count))), rows if count else [])

    def _differences(self) -> Table:
        rows = [(one.name, *_cells(found)) for one in self.experiments if (found := one.difference) is not None]
        title = f"against {self.baseline}, image by image, untuned"
        return Table(title, ("", "difference", "95 % interval", "verdict"), rows)

    def _holdouts(self) -> Table:
        rows = [
            (
                one.name,
                *map(score_text, (one.holdout, one.holdout_tuned)),
                *(("", "", "") if (found := one.holdout_difference) is None else _cells(found)),
            )
            for one in self.experiments
            if one.holdout is not None
        ]
        columns = ("", "untuned", "tuned", f"untuned against {self.baseline}", "95 % interval", "verdict")
        return Table("hold-out: images that were used neither for training nor for tuning", columns, rows)

    def _times(self) -> Table:
        rows = [
            (one.name, str(time.epochs), f"{time.seconds / time.epochs:.1f}", duration_text(time.seconds))
            for one in self.experiments
            if (time := one.time) is not None
        ]
        return Table("training, all folds together", ("", "epochs", "seconds per epoch", "total"), rows)

    def _names(self) -> list[str]:
        return [one.name for one in self.experiments]


def table_rows(experiments: Sequence[Compared], columns: Sequence[str]) -> list[list[Any]]:
    """One row for each experiment; missing values are empty cells."""
    rows = [one.row() for one in experiments]
    return [["" if (value := row.get(column)) is None else value for column in columns] for row in rows]


def _with_spread(one: Compared) -> str:
    return score_text(one.mean) if one.spread is None else f"{score_text(one.mean)} ± {score_text(one.spread)}"


def _cells(found: PairedDifference) -> tuple[str, str, str]:
    return (
        score_text(found.mean, signed=True),
        f"{score_text(found.low, signed=True)} … {score_text(found.high, signed=True)}",
        found.verdict,
    )


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return None if math.isnan(number) else number
