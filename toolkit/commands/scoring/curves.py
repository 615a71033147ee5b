"""curves.png of an experiment: the losses, scores and learning rate of every epoch."""

from collections.abc import Callable

from toolkit.config.models import Config
from toolkit.core.metrics.registry import ALWAYS_RECORDED
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.history import best_epoch, read_history
from toolkit.report.plots.curve_lines import TrainedFold
from toolkit.report.plots.learning_curves import learning_curves


def write_curves(experiment: Experiment, config: Config, is_better: Callable[[float, float], bool]) -> None:
    """Draw curves.png from the histories of all folds and stages; nothing if no epoch is finished.

    Args:
        experiment: the experiment.
        config: its configuration.
        is_better: whether one value of the primary metric is better than another.

    Raises:
        StorageError: a history is damaged.
    """
    trained = trained_of(
        experiment, config.folds_count, len(config.stages), seeds=config.num_seeds, is_better=is_better
    )
    if not trained:
        return
    always = [spec.label for spec in ALWAYS_RECORDED]
    labels = [config.primary_label, *(spec.label for spec in config.metric_specs), *always]
    learning_curves(
        experiment.curves,
        f"{experiment.name}: learning curves",
        trained,
        metrics=list(dict.fromkeys(labels)),
        class_metrics=always,
        classes=config.task_classes.names,
        activation=config.activation,
    )


def trained_of(
    experiment: Experiment, folds: int, stages: int, *, seeds: int, is_better: Callable[[float, float], bool]
) -> list[TrainedFold]:
    """The finished epochs of all folds, seeds and stages of which there are any.

    Raises:
        StorageError: a history is damaged.
    """
    trained = []
    for fold in range(folds):
        for repeat in range(seeds):
            folders = [experiment.stage(fold, stage, repeat) for stage in range(stages)]
            histories = [history for folder in folders if (history := read_history(folder))]
            if histories:
                best = [best_epoch(history, is_better).number for history in histories]
                trained.append(TrainedFold(fold, f"fold {fold}", histories, best))
    return trained
