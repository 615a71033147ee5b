"""The classification report as a table for the screen."""

from toolkit.core.metrics.classification_report import ClassificationReport, ReportRow
from toolkit.messages import Table, score_text


def report_table(title: str, report: ClassificationReport) -> Table:
    """The report in scikit-learn's layout, with a column for IoU; accuracy is in the column of F1."""
    rows = [(name, *_cells(row)) for name, row in report.classes.items()]
    if report.accuracy is not None:
        rows.append(("accuracy", "", "", score_text(report.accuracy), "", f"{report.macro.support:,}"))
    if report.micro is not None:
        rows.append(("micro avg", *_cells(report.micro)))
    rows += [("macro avg", *_cells(report.macro)), ("weighted avg", *_cells(report.weighted))]
    return Table(title, ("", "precision", "recall", "F1 = Dice", "IoU", "support"), rows)


def _cells(row: ReportRow | None) -> list[str]:
    """The cells of a class; a class that occurs in neither truth nor prediction has no scores."""
    if row is None:
        return [*[score_text(None)] * 4, "0"]
    return [*map(score_text, (row.precision, row.recall, row.f1, row.iou)), f"{row.support:,}"]
