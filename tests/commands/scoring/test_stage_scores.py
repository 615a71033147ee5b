import operator
from pathlib import Path

import pytest

from toolkit.commands.scoring.stage_scores import better_stage
from toolkit.config.models import Config
from toolkit.files.disk.json_files import write_json
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.history import Epoch, write_history


def config_of(*negatives: str) -> Config:
    stages = tuple({"epochs": 2, "validation_negatives": one} for one in negatives)
    return Config.model_validate({"data": {"images": "i", "masks": "m"}, "folds_count": 2, "stages": stages})


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """Two folds; the best epochs of three stages are 0.6, 0.9, 0.3 and 0.7, 0.8, 0.5."""
    experiment = Experiment(tmp_path / "exp")
    for fold, scores in enumerate(((0.6, 0.9, 0.3), (0.7, 0.8, 0.5))):
        for number, score in enumerate(scores):
            stage = experiment.stage(fold, number)
            epochs = [Epoch(place, 0.1, 1.0, 1.0, {"dice": one}, 9, 1.0) for place, one in enumerate((0.1, score))]
            write_history(stage, epochs)
            write_json(stage.state, {"complete": True})
            stage.best_weights.touch()
    return experiment


def test_the_best_earlier_stage_is_named(experiment: Experiment) -> None:
    found = better_stage(experiment, config_of("real", "real", "real"), operator.gt)
    assert found is not None
    assert (found.stage, found.last) == (1, 2)
    assert (found.score, found.last_score) == (pytest.approx(0.85), pytest.approx(0.4))
    assert "tk ensemble exp:stage1 --name exp-stage1" in found.describe()
    assert found.describe().endswith("tk predict exp:stage1 FOLDER --out FOLDER")


def test_stages_that_are_validated_on_other_images_are_not_compared(experiment: Experiment) -> None:
    found = better_stage(experiment, config_of("real", "none", "real"), operator.gt)
    assert found is not None
    assert found.stage == 0
    assert better_stage(experiment, config_of("none", "none", "real"), operator.gt) is None


def test_nothing_is_found_where_the_last_stage_is_the_best(experiment: Experiment) -> None:
    assert better_stage(experiment, config_of("real", "real"), operator.gt) is None
    assert better_stage(experiment, config_of("real"), operator.gt) is None
    assert better_stage(Experiment(experiment.folder.parent / "new"), config_of("real", "real"), operator.gt) is None
