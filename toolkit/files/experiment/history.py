"""history.csv: one row per finished epoch of a stage."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.errors import StorageError
from toolkit.files.disk.tables import format_table, read_table
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import StageFolder

_FIRST, _LAST = ("epoch", "lr", "loss", "val_loss"), ("images", "seconds")


@dataclass(frozen=True)
class Epoch:
    """One row of history.csv; `scores` are the metrics on the validation images, the primary one first."""

    number: int
    learning_rate: float
    loss: float
    validation_loss: float
    scores: dict[str, float]
    images: int
    seconds: float

    @property
    def primary(self) -> float:
        """The primary metric's score."""
        return next(iter(self.scores.values()))

    def values(self) -> dict[str, float]:
        """The losses and scores that can be monitored, by name."""
        return {"loss": self.loss, "val_loss": self.validation_loss, **self.scores}


def read_history(folder: StageFolder) -> list[Epoch]:
    """The finished epochs of a stage; raises StorageError if the file is damaged."""
    if not folder.history.is_file():
        return []
    table = read_table(folder.history, None, str(folder.history), StorageError)
    epochs = []
    for row in table.rows:
        numbers = [float(cell or math.nan) for cell in row]
        scores = dict(zip(table.columns[len(_FIRST) : -len(_LAST)], numbers[len(_FIRST) : -len(_LAST)], strict=True))
        number, rate, loss, validation_loss = numbers[: len(_FIRST)]
        epochs.append(Epoch(int(number), rate, loss, validation_loss, scores, int(numbers[-2]), numbers[-1]))
    return epochs


def write_history(folder: StageFolder, history: Sequence[Epoch]) -> None:
    """Write history.csv with all epochs."""
    columns = (*_FIRST, *history[0].scores, *_LAST)
    rows = [
        (
            epoch.number,
            epoch.learning_rate,
            epoch.loss,
            epoch.validation_loss,
            *epoch.scores.values(),
            epoch.images,
            round(epoch.seconds, 2),
        )
        for epoch in history
    ]
    write_text(folder.history, format_table(columns, rows))
