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
    trained = []
    for fold in range(config.folds_count):
        for repeat in range(config.num_seeds):
            folders = [experiment.stage(fold, stage, repeat) for stage in range(len(config.stages))]
            stages = [history for folder in folders if (history := read_history(folder))]
            if stages:
                best = [best_epoch(history, is_better).number for history in stages]
                trained.append(TrainedFold(fold, f"fold {fold}", stages, best))
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
