"""Ending a trial early: its curve, read from the histories of its epochs, is compared with those of finished trials."""

from collections.abc import Callable

from toolkit.commands.training.trials.study_file import Study
from toolkit.config.models import Config
from toolkit.core.metrics.metric import Direction
from toolkit.core.metrics.uncertainty.trial_choice import Behind, Curve, Point, behind
from toolkit.errors import counted
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.history import read_history
from toolkit.messages import score_text


class PrunedError(Exception):
    """The trial has fallen behind; the text says where, and what it is worse than."""


def curve_of(experiment: Experiment, config: Config, direction: Direction) -> Curve:
    """The best validation scores so far, at each finished epoch of each fold: the mean over the folds that were begun.

    A stage that stopped early counts as one with all its epochs. Everything comes from files, so that a trial that was
    interrupted has the curve of one that was not.
    """
    better = max if direction == "max" else min
    total = config.num_seeds * sum(stage.epochs for stage in config.stages)
    found: dict[Point, float] = {}
    finished: list[float] = []
    for fold in range(config.folds_count):
        best: float | None = None
        before = 0
        for repeat in range(config.num_seeds):
            for number, stage in enumerate(config.stages):
                folder = experiment.stage(fold, number, repeat)
                history = read_history(folder)
                done = 0
                for epoch in history:
                    done = epoch.number + 1
                    if epoch.is_validated and epoch.primary == epoch.primary:  # NaN is not
                        best = epoch.primary if best is None else better(best, epoch.primary)
                    if best is not None:
                        means = [*finished, best]
                        found[_point(fold, before + done, total)] = sum(means) / len(means)
                before += stage.epochs
                if best is not None and folder.is_complete() and done < stage.epochs:
                    found[_point(fold, before, total)] = sum([*finished, best]) / (len(finished) + 1)
        if best is None:
            break
        finished.append(best)
    return found


def _point(fold: int, epochs: int, total: int) -> Point:
    return Point(fold, max(1, epochs * 100 // total))


def watching(
    experiment: Experiment, config: Config, study: Study, number: int, direction: Direction
) -> Callable[[], None]:
    """A function that records what the curve of a trial has gained, and ends the trial when it has fallen behind.

    It is called after each epoch, and before the first one of a trial that was interrupted.
    """

    def look() -> None:
        trials = study.trials()
        known = trials[number].curve
        others = [trial.curve for trial in trials if trial.state == "finished"]
        curve = curve_of(experiment, config, direction)
        for at in sorted(curve.keys() - known.keys()):
            study.report(number, at, curve[at])
            is_last = at == Point(config.folds_count - 1, 100)
            found = None if is_last else behind(curve, at, others, direction)
            if found is not None:
                raise PrunedError(_told(at, curve[at], found))

    return look


def _told(at: Point, value: float, found: Behind) -> str:
    others = f"the median of {counted(found.trials, 'finished trial')} there"
    where = f"fold {at.fold}, {at.percent} % of its epochs"
    return f"{where}: {score_text(value)} is worse than {score_text(found.median)}, {others}"
