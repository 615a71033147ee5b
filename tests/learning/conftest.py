from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.config.settings import Stage
from toolkit.core.arrays import Integers
from toolkit.files.datasets import find_dataset
from toolkit.files.experiment import Workspace
from toolkit.learning.fitting import plan_training
from toolkit.learning.plugins import Own
from toolkit.learning.training_data import TrainingData
from toolkit.messages import Silent


@dataclass(frozen=True)
class Lesson:
    """An experiment read and its data found, as training has them; images belong to folds 0, 1, 0, 1, …"""

    config: Config
    stages: list[Stage]
    data: TrainingData
    folds: Integers


@pytest.fixture
def lesson(tiny_competition: Workspace) -> Callable[..., Lesson]:
    """What trains the experiment `plain` with overrides; nothing is computed yet."""

    def lesson(*overrides: str, name: str = "plain", workspace: Workspace = tiny_competition) -> Lesson:
        loaded = load_config(workspace.find(name).config, overrides)
        plan = plan_training(loaded, Own(workspace.find(name).config))
        dataset = find_dataset(loaded.config, Silent())
        folds = np.arange(len(dataset.index.ids)) % 2
        data = TrainingData(
            dataset.pool(folds),
            plan.reader,
            plan.augmentations,
            plan.mixings,
            plan.metrics,
            loaded.config.stored_probability,
            loaded.config.seed,
            plan.own,
        )
        return Lesson(loaded.config, list(plan.stages), data, folds)

    return lesson
