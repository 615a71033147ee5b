"""Whether an earlier stage of an experiment ended better than the last one, whose weights predict."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from toolkit.config.models import Config
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.history import best_epoch, read_history
from toolkit.messages import score_text


@dataclass(frozen=True)
class BetterStage:
    """An earlier stage that ended better, by the mean over folds of its best validation score."""

    experiment: str
    stage: int
    score: float
    last: int
    last_score: float

    def describe(self) -> str:
        """What was found, and how to use the earlier stage."""
        part = f"{self.experiment}:stage{self.stage}"
        return (
            f"stage {self.stage} ended better on the validation images ({score_text(self.score)}) than stage "
            f"{self.last} ({score_text(self.last_score)}), whose weights predict. To use it: tk ensemble {part} --name "
            f"{self.experiment}-stage{self.stage}, or tk predict {part} FOLDER --out FOLDER"
        )


def better_stage(
    experiment: Experiment, config: Config, is_better: Callable[[float, float], bool]
) -> BetterStage | None:
    """The best of the earlier stages if it ended better than the last one; None otherwise.

    Stages that are validated on other images than the last one are left out, because their scores do not compare.

    Args:
        experiment: that was fitted.
        config: its configuration.
        is_better: whether one value of the primary metric is better than another.
    """
    last = len(config.stages) - 1
    found: dict[int, float] = {}
    for number, stage in enumerate(config.stages):
        if stage.validation_negatives == config.stages[last].validation_negatives:
            folders = [
                experiment.stage(fold, number, repeat)
                for fold in range(config.folds_count)
                for repeat in range(config.num_seeds)
                if experiment.stage(fold, last, repeat).is_complete()
            ]
            histories = [history for folder in folders if (history := read_history(folder))]
            if histories and len(histories) == len(folders):
                found[number] = statistics.fmean(best_epoch(history, is_better).primary for history in histories)
    best = last
    for number, score in found.items():
        if last in found and is_better(score, found[best]):
            best = number
    if best == last or score_text(found[best]) == score_text(found[last]):
        return None
    return BetterStage(experiment.name, best, found[best], last, found[last])
