"""The result of `tk evaluate`: scores by class, confusion, scores by size and the worst images, as tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.commands.result import Result
from toolkit.commands.scoring.classification_table import report_table
from toolkit.core.metrics.classification_report import ClassificationReport
from toolkit.core.metrics.confusion import ClassScores, PixelScores
from toolkit.messages import Table, score_text

_COUNTS_SHOWN_AT_MOST = 4


@dataclass(frozen=True)
class BadImage:
    """One of the worst images; `wrong_pixels` and `true_area`, the area of all foreground classes, are in pixels."""

    image_id: str
    fold: int
    score: float
    wrong_pixels: int
    true_area: int


@dataclass(frozen=True)
class SizeScores:
    """The images whose true foreground has from `low` to `high` pixels: their number and scores.

    `precision` and `recall` are those of all their pixels together; `left_empty` counts images without any predicted
    foreground.
    """

    low: int
    high: int
    images: int
    score: float | None
    precision: float | None
    recall: float | None
    left_empty: int


@dataclass(frozen=True)
class ConfusionTable:
    """The pixels of each true class (row) that are predicted as each class (column).

    `pixels` are the pixels of each true class; `shares` are the counts divided by them, None for a class without
    pixels.
    """

    names: list[str]
    counts: list[list[int]]
    pixels: list[int]
    shares: list[list[float | None]]


@dataclass(frozen=True)
class Evaluation:
    """The content of evaluation.json."""

    experiment: str
    metric: str
    score: float | None
    images: int
    recipe: Mapping[str, Any]
    recipe_text: str
    report: ClassificationReport
    classes: dict[str, ClassScores]
    confusion: ConfusionTable
    sizes: list[SizeScores]
    worst: list[BadImage]
    oof_predictions: str


@dataclass(frozen=True)
class EvaluateResult(Result):
    """The evaluation and the files it was written to."""

    evaluation: Evaluation
    file: str
    picture: str
    csv: str | None

    def tables(self) -> list[Table]:
        """Classes, confusion, sizes and the worst images."""
        return [self._report(), self._per_image(), self._confusion(), self._sizes(), self._worst()]

    def next_steps(self) -> list[str]:
        """The files and the next command."""
        csv = [f"table: {self.csv}"] if self.csv else []
        files = [f"figures: {self.file}", f"confusion matrix: {self.picture}"]
        return [*csv, *files, f"next: tk compare {self.evaluation.experiment} EXPERIMENT"]

    def _report(self) -> Table:
        found = self.evaluation
        score = f"out-of-fold {found.metric} {score_text(found.score)}, {found.recipe_text}"
        return report_table(f"{found.experiment}: {score}; all pixels together", found.report)

    def _per_image(self) -> Table:
        rows = [
            (
                name,
                *_scores(scores.per_image),
                f"{scores.found:,} of {scores.images:,}",
                f"{scores.left_empty:,} of {scores.empty_images:,}",
            )
            for name, scores in self.evaluation.classes.items()
        ]
        columns = ("", "precision", "recall", "Dice", "IoU", "predicted in", "correctly empty")
        return Table("mean over the images that contain the class", columns, rows)

    def _confusion(self) -> Table:
        found = self.evaluation.confusion
        title = "confusion: of the pixels of each true class (row), the percentage predicted as each class"
        entries = list(zip(found.names, found.shares, found.counts, strict=True))
        if len(entries) <= _COUNTS_SHOWN_AT_MOST:
            rows = [(name, *map(_share_and_count, shares, counts)) for name, shares, counts in entries]
            return Table(f"{title}, and the pixels", ("", *found.names), rows)
        numbered = [
            (f"{number} {name}", *map(_whole_per_cent, shares, counts))
            for number, (name, shares, counts) in enumerate(entries)
        ]
        return Table(f"{title}; empty for none", ("", *map(str, range(len(entries)))), numbered)

    def _sizes(self) -> Table:
        rows = [
            (
                "none" if not size.high else f"{size.low:,} – {size.high:,}",
                f"{size.images:,}",
                *map(score_text, (size.score, size.precision, size.recall)),
                f"{size.left_empty:,}",
            )
            for size in self.evaluation.sizes
        ]
        columns = ("true foreground, pixels", "images", self.evaluation.metric, "precision", "recall", "left empty")
        return Table("by size", columns, rows)

    def _worst(self) -> Table:
        rows = [
            (bad.image_id, str(bad.fold), score_text(bad.score), f"{bad.wrong_pixels:,}", f"{bad.true_area:,}")
            for bad in self.evaluation.worst
        ]
        columns = ("image", "fold", self.evaluation.metric, "wrong pixels", "true foreground")
        return Table("the worst images", columns, rows)


CLASS_COLUMNS = (
    "class", "precision", "recall", "f1", "dice", "iou", "pixels", "predicted_pixels", "images", "images_found",
    "empty_images", "left_empty", "image_precision", "image_recall", "image_dice", "image_iou",
)  # fmt: skip


def class_rows(classes: Mapping[str, ClassScores]) -> list[list[Any]]:
    """One row for each class under `CLASS_COLUMNS`; missing scores are empty cells."""
    rows = []
    for name, scores in classes.items():
        pooled, single = scores.pooled, scores.per_image
        cells = [
            *(name, pooled.precision, pooled.recall, pooled.f1, pooled.f1, pooled.iou),
            *(scores.pixels, scores.predicted_pixels, scores.images, scores.found),
            *(scores.empty_images, scores.left_empty),
            *(single.precision, single.recall, single.f1, single.iou),
        ]
        rows.append(["" if cell is None else cell for cell in cells])
    return rows


def _scores(scores: PixelScores) -> list[str]:
    return [score_text(score) for score in (scores.precision, scores.recall, scores.f1, scores.iou)]


def _share_and_count(share: float | None, count: int) -> str:
    return "–" if share is None else f"{100 * share:.1f} ({count:,})"


def _whole_per_cent(share: float | None, count: int) -> str:
    return "" if share is None or not count else f"{100 * share:.0f}"
