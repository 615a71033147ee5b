"""history.csv: one row per finished epoch of a stage."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from toolkit.errors import StorageError
from toolkit.files.disk.tables import format_table, read_table
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import StageFolder

_FIRST, _LAST = ("epoch", "lr", "loss", "val_loss"), ("images", "seconds", "memory")
_TRAINING = "train_"


@dataclass(frozen=True)
class Epoch:
    """One row of history.csv.

    `scores` are those of the validation images, the primary metric first, and `training` those of the training batches,
    which earlier versions did not record. An epoch that was not validated has no scores; its `validation_loss` is NaN.
    `memory` is the most that training has taken up to then, in megabytes; 0 in files of earlier versions.
    """

    number: int
    learning_rate: float
    loss: float
    validation_loss: float
    scores: dict[str, float]
    images: int
    seconds: float
    training: dict[str, float] = field(default_factory=dict)
    memory: float = 0.0

    @property
    def is_validated(self) -> bool:
        """Whether the epoch has a validation loss and scores."""
        return bool(self.scores)

    @property
    def primary(self) -> float:
        """The primary metric's score; NaN without validation."""
        return next(iter(self.scores.values()), math.nan)

    def values(self) -> dict[str, float]:
        """The losses and scores by the names of their columns, without those that the epoch does not have."""
        training = {f"{_TRAINING}{name}": score for name, score in self.training.items()}
        validation = {"val_loss": self.validation_loss, **self.scores} if self.is_validated else {}
        return {"loss": self.loss, **validation, **training}


NOT_VALIDATED: tuple[float, dict[str, float]] = (math.nan, {})
"""The validation loss and the scores of an epoch that was not validated."""


def is_better_epoch(epoch: Epoch, other: Epoch, is_better: Callable[[float, float], bool]) -> bool:
    """Whether an epoch is better than an earlier one; of equal primary scores the lower validation loss decides.

    `is_better` compares two scores.
    """
    if is_better(epoch.primary, other.primary) or is_better(other.primary, epoch.primary):
        return is_better(epoch.primary, other.primary)
    return epoch.validation_loss < other.validation_loss


def best_epoch(history: Sequence[Epoch], is_better: Callable[[float, float], bool]) -> Epoch:
    """The validated epoch that is better than all others, the first of several, see `is_better_epoch`."""
    best, *others = [epoch for epoch in history if epoch.is_validated] or history
    for epoch in others:
        best = epoch if is_better_epoch(epoch, best, is_better) else best
    return best


def with_labels(epoch: Epoch, labels: Sequence[str]) -> Epoch:
    """The epoch with these names of its first scores, if it has any."""
    if not epoch.scores:
        return epoch
    others = list(epoch.scores)[len(labels) :]
    return replace(epoch, scores=dict(zip((*labels, *others), epoch.scores.values(), strict=True)))


def read_history(folder: StageFolder) -> list[Epoch]:
    """The finished epochs of a stage; raises StorageError if the file is damaged."""
    if not folder.history.is_file():
        return []
    table = read_table(folder.history, None, str(folder.history), StorageError)
    epochs = []
    last = len(_LAST) - (_LAST[-1] not in table.columns)
    for row in table.rows:
        numbers = [float(cell or math.nan) for cell in row]
        found = dict(zip(table.columns[len(_FIRST) : -last], numbers[len(_FIRST) : -last], strict=True))
        scores = {name: score for name, score in found.items() if not name.startswith(_TRAINING)}
        training = {name.removeprefix(_TRAINING): found[name] for name in found if name not in scores}
        number, rate, loss, validation_loss = numbers[: len(_FIRST)]
        is_validated = not all(map(math.isnan, (validation_loss, *scores.values())))
        validated = (validation_loss, scores) if is_validated else NOT_VALIDATED
        images, seconds, *memory = numbers[-last:]
        epochs.append(Epoch(int(number), rate, loss, *validated, int(images), seconds, training, *memory))
    return epochs


def write_history(folder: StageFolder, history: Sequence[Epoch]) -> None:
    """Write history.csv with all epochs; what an epoch does not have is an empty cell."""
    described = next((epoch for epoch in reversed(history) if epoch.is_validated), history[-1])
    losses_and_scores = list(dict.fromkeys((*_FIRST[2:], *described.values())))
    columns = (*_FIRST[:2], *losses_and_scores, *_LAST)
    rows = []
    for epoch in history:
        values = epoch.values()
        found = (values.get(name, math.nan) for name in losses_and_scores)
        spent = round(epoch.seconds, 2), round(epoch.memory)
        rows.append((epoch.number, epoch.learning_rate, *found, epoch.images, *spent))
    write_text(folder.history, format_table(columns, rows))
