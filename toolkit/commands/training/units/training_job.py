"""All that training an experiment needs to know, found and checked before TensorFlow is imported."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from toolkit.commands.training.folds.fold_plan import plan_folds
from toolkit.commands.training.pseudo_labels import PseudoLabels, find_pseudo_labels
from toolkit.config.loading import Loaded
from toolkit.config.models import Config
from toolkit.files.datasets.dataset import Dataset, find_dataset
from toolkit.files.datasets.training_pool import Pool
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import FoldTable
from toolkit.messages import Progress, phase


@dataclass(frozen=True)
class TrainingJob:
    """An experiment with its configuration, data and folds, and the settings that config.yaml does not have."""

    experiment: Experiment
    loaded: Loaded[Config]
    dataset: Dataset
    table: FoldTable
    settings: Mapping[str, Any] = field(default_factory=dict)
    pseudo: PseudoLabels = field(default_factory=PseudoLabels)

    def pool(self) -> Pool:
        """All images that training draws from, pseudo-labelled ones included."""
        return replace(self.dataset.pool(self.table.folds, self.table.group_numbers), pseudo=self.pseudo.pools)


def find_job(
    experiment: Experiment, loaded: Loaded[Config], progress: Progress, *, restart: bool = False
) -> TrainingJob:
    """Find and check the data, and the folds, which are drawn if there are none or to restart.

    Raises as `find_dataset`, `plan_folds` and `find_pseudo_labels`.
    """
    with loaded.naming_places(), phase(progress, "checks of the data"):
        dataset = find_dataset(loaded.config, progress, experiment.cache)
    table = plan_folds(experiment, loaded.config, dataset, progress, restart=restart)
    with phase(progress, "checks of the data"):
        pseudo = find_pseudo_labels(experiment, loaded, dataset, table.folds, progress)
    return TrainingJob(experiment, loaded, dataset, table, pseudo=pseudo)
