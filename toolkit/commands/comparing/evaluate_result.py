"""The results of `tk evaluate`: scores by class, confusion, scores by size and the worst images, as tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.commands.scoring.classification_table import report_table
from toolkit.core.metrics.classification_report import ClassificationReport
from toolkit.core.metrics.confusion import ClassScores, PixelScores
from toolkit.errors import counted
from toolkit.messages import Table, score_text
from toolkit.report.result import Result

_COUNTS_SHOWN_AT_MOST = 4
_MATRIX_AT_MOST = 8  # classes whose matrix fits 80 letters
_MISTAKES_SHOWN = 3


@dataclass(frozen=True)
class BadImage:
    """One of the worst images; `wrong_pixels` and `true_area`, the area of all foreground classes, are in pixels.

    `fold` is the fold that predicted it; None if the prediction is not out-of-fold.
    """

    image_id: str
    fold: int | None
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
    """The figures of all evaluated images.

    `recipe_source` says in words where the recipe comes from; `scores` are those of all metrics, the primary one first.
    """

    experiment: str
    metric: str
    score: float | None
    images: int
    recipe: Mapping[str, Any]
    recipe_text: str
    recipe_source: str
    scores: dict[str, float | None]
    report: ClassificationReport
    classes: dict[str, ClassScores]
    confusion: ConfusionTable
    sizes: list[SizeScores]
    worst: list[BadImage]


@dataclass(frozen=True)
class OutOfFold(Evaluation):
    """The content of an experiment's evaluation.json; `oof_predictions` is the digest of its predictions."""

    oof_predictions: str


@dataclass(frozen=True)
class OfImages(Evaluation):
    """The evaluation.json of other images than those of the folds.

    Attributes:
        folders: of the images.
        masks: the folder or file of their labels; None if these are made from the images.
        networks: how many predicted them.
        engine: what computed the networks.
        unseen: how many images are not known to be training images.
        unseen_scores: the scores of these alone, of all metrics; the same as `scores` if they are all.
        same_as_training: ids of images whose files have the content of training images.
        named_as_training: ids of further images that are also ids of training images.
    """

    folders: list[str]
    masks: str | None
    networks: int
    engine: str
    unseen: int
    unseen_scores: dict[str, float | None]
    same_as_training: list[str]
    named_as_training: list[str]


@dataclass(frozen=True)
class EvaluateResult(Result):
    """The evaluation and the files it was written to; `other` is another finished experiment, if there is one."""

    evaluation: OutOfFold
    file: str
    picture: str
    csv: str | None
    overlays: str
    curves: str | None
    other: str = ""

    def tables(self) -> list[Table]:
        """All scores if there are several, classes, confusion, sizes and the worst images."""
        found = self.evaluation
        rows = [(label, score_text(score)) for label, score in found.scores.items()]
        scores = [Table(f"{found.experiment}: all out-of-fold images", ("", "score"), rows)] if len(rows) > 1 else []
        return [*scores, *_tables(found, f"out-of-fold {_scored(found)}")]

    def next_steps(self) -> list[str]:
        """The files and the next command."""
        csv = [f"table: {self.csv}"] if self.csv else []
        files = [f"figures: {self.file}", f"confusion matrix: {self.picture}", f"pictures: {self.overlays}"]
        files += [f"curves: {self.curves}"] if self.curves else []
        name = self.evaluation.experiment
        return [
            *csv,
            *files,
            f"next: {f'tk compare {name} {self.other}' if self.other else f'look at {self.overlays}'}",
        ]


@dataclass(frozen=True)
class ImagesResult(Result):
    """The evaluation of other images, and the folder and files it was written to."""

    evaluation: OfImages
    folder: str
    file: str
    picture: str
    image_table: str
    class_table: str
    overlays: str

    def tables(self) -> list[Table]:
        """All scores, classes, confusion, sizes and the worst images."""
        found = self.evaluation
        return [self._scores(), *_tables(found, _scored(found))]

    def next_steps(self) -> list[str]:
        """The files and the next command."""
        return [
            f"figures: {self.file}",
            f"tables: {self.image_table}, {self.class_table}",
            f"confusion matrix: {self.picture}",
            f"next: look at {self.overlays}",
        ]

    def _scores(self) -> Table:
        found = self.evaluation
        some_seen = 0 < found.unseen < found.images
        rows = [
            (label, score_text(score), *([score_text(found.unseen_scores[label])] if some_seen else []))
            for label, score in found.scores.items()
        ]
        of_unseen = "the one that is no training image" if found.unseen == 1 else f"the {found.unseen} new images"
        further = [of_unseen] if some_seen else []
        networks = counted(found.networks, "network")
        folders = ", ".join(found.folders)
        images = f"{counted(found.images, 'image')} of {folders}"
        title = f"{found.experiment}: {images}, predicted by {networks}, {found.engine}"
        return Table(title, ("", "all images", *further), rows)


def _scored(found: Evaluation) -> str:
    return f"{found.metric} {score_text(found.score)}, {found.recipe_text} ({found.recipe_source})"


def _tables(found: Evaluation, title: str) -> list[Table]:
    """The tables of an evaluation; the title is that of the first one."""
    report = report_table(f"{found.experiment}: {title}; all pixels together", found.report)
    return [report, _per_image(found), confusion_table(found.confusion), _sizes(found), _worst(found)]


def _per_image(found: Evaluation) -> Table:
    rows = [
        (
            name,
            *_scores(scores.per_image),
            f"{scores.found:,} of {scores.images:,}",
            f"{scores.left_empty:,} of {scores.empty_images:,}",
        )
        for name, scores in found.classes.items()
    ]
    columns = ("", "precision", "recall", "Dice", "IoU", "predicted in", "correctly empty")
    return Table("mean over the images that contain the class", columns, rows)


def confusion_table(found: ConfusionTable) -> Table:
    """The confusion matrix; of more classes than a line has room for, the most frequent mistakes of each."""
    entries = list(zip(found.names, found.shares, found.counts, strict=True))
    if len(entries) > _MATRIX_AT_MOST:
        return _mistakes(found)
    title = "confusion: of the pixels of each true class (row), the percentage predicted as each class"
    if len(entries) <= _COUNTS_SHOWN_AT_MOST:
        rows = [(name, *map(_share_and_count, shares, counts)) for name, shares, counts in entries]
        return Table(f"{title}, and the pixels", ("", *found.names), rows)
    numbered = [(f"{number} {name}", *map(_whole_per_cent, shares)) for number, (name, shares, _) in enumerate(entries)]
    return Table(title, ("", *map(str, range(len(entries)))), numbered)


def _mistakes(found: ConfusionTable) -> Table:
    """Of many classes: how much of each is right, and what else its pixels are predicted as most often."""
    rows = []
    for number, (name, shares, counts, pixels) in enumerate(
        zip(found.names, found.shares, found.counts, found.pixels, strict=True)
    ):
        others = [other for other in range(len(counts)) if other != number and counts[other]]
        most = sorted(others, key=lambda other: -counts[other])[:_MISTAKES_SHOWN]
        listed = ", ".join(f"{found.names[other]} {_whole_per_cent(shares[other])}%" for other in most)
        rows.append((name, f"{pixels:,}", _whole_per_cent(shares[number]), (listed or "none") if pixels else "–"))
    title = "confusion: of the pixels of each true class, the percentage predicted right and as other classes"
    return Table(title, ("", "pixels", "right, %", "most often wrong as"), rows)


def _sizes(found: Evaluation) -> Table:
    rows = [
        (
            "none" if not size.high else f"{size.low:,}" if size.low == size.high else f"{size.low:,} – {size.high:,}",
            f"{size.images:,}",
            *map(score_text, (size.score, size.precision, size.recall)),
            f"{size.left_empty:,}",
        )
        for size in found.sizes
    ]
    columns = ("true foreground, pixels", "images", found.metric, "precision", "recall", "left empty")
    return Table("by size", columns, rows)


def _worst(found: Evaluation) -> Table:
    with_fold = any(bad.fold is not None for bad in found.worst)
    rows = [
        (
            bad.image_id,
            *([str(bad.fold)] if with_fold else []),
            score_text(bad.score),
            f"{bad.wrong_pixels:,}",
            f"{bad.true_area:,}",
        )
        for bad in found.worst
    ]
    columns = ("image", *(["fold"] if with_fold else []), found.metric, "wrong pixels", "true foreground")
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


def _whole_per_cent(share: float | None) -> str:
    return "–" if share is None else "<1" if 0 < share < 0.005 else f"{100 * share:.0f}"
