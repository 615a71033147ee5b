"""history.csv: one row for each finished epoch of a stage."""

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.errors import StorageError
from toolkit.files.experiment import StageFolder
from toolkit.files.tables import format_table, read_table
from toolkit.files.writing import write_text


@dataclass(frozen=True)
class Epoch:
    """One row of history.csv; `scores` are the metrics on the validation images, the primary one first."""

    number: int
    learning_rate: float
    loss: float
    scores: dict[str, float]
    images: int
    seconds: float


def read_history(folder: StageFolder) -> list[Epoch]:
    """The epochs of a stage that are finished."""
    if not folder.history.is_file():
        return []
    columns = folder.history.read_text().partition("\n")[0].split(",")
    metrics = columns[3:-2]
    epochs = []
    for row in read_table(folder.history, len(columns), str(folder.history), StorageError).rows:
        scores = dict(zip(metrics, map(float, row[3:-2]), strict=True))
        epochs.append(Epoch(int(row[0]), float(row[1]), float(row[2]), scores, int(row[-2]), float(row[-1])))
    return epochs


def write_history(folder: StageFolder, history: Sequence[Epoch]) -> None:
    """Write history.csv anew."""
    columns = ("epoch", "lr", "loss", *history[0].scores, "images", "seconds")
    rows = [
        (epoch.number, epoch.learning_rate, epoch.loss, *epoch.scores.values(), epoch.images, round(epoch.seconds, 2))
        for epoch in history
    ]
    write_text(folder.history, format_table(columns, rows))
