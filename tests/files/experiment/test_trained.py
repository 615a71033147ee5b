from pathlib import Path

import numpy as np
import pytest

from toolkit.core.folds.assignment import HOLDOUT, TRAIN
from toolkit.files.disk.json_files import write_json
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import FoldTable, write_folds
from toolkit.files.experiment.history import Epoch, write_history
from toolkit.files.experiment.trained import read_predicted_folds, tell_untrained, trained_folds, untrained_folds
from toolkit.files.predictions.store import ProbabilityWriter
from toolkit.messages import Silent

IDS = tuple("abcdefgh")
FOLDS = np.array([0, 1, 2, 3, 3, TRAIN, HOLDOUT, 2])
CONFIG = {"folds_count": 4, "num_seeds": 1, "stages": [{}, {}]}


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """Folds 1 and 3 of four are trained: two stages of two epochs, each of which took 45 seconds."""
    found = Experiment(tmp_path / "exp")
    for fold in (1, 3):
        for number in (0, 1):
            stage = found.stage(fold, number)
            stage.folder.mkdir(parents=True)
            stage.best_weights.write_bytes(b"")
            write_json(stage.state, {"complete": True})
            write_history(stage, [Epoch(epoch, 0.1, 0.5, 0.5, {"dice": 0.5}, 4, 45.0) for epoch in (0, 1)])
    found.stage(2, 0).folder.mkdir(parents=True)
    write_folds(found.folds, IDS, FOLDS)
    return found


def test_a_fold_is_trained_when_its_last_stage_is_finished(experiment: Experiment) -> None:
    assert trained_folds(experiment, folds=4, stages=2, seeds=1) == [1, 3]
    assert trained_folds(experiment, folds=4, stages=3, seeds=1) == []
    assert trained_folds(experiment, folds=4, stages=2, seeds=2) == []


def test_what_is_missing_and_what_it_costs(experiment: Experiment) -> None:
    found = untrained_folds(experiment, CONFIG)
    assert found is not None
    assert (found.untrained, found.trained, found.seconds) == ((0, 2), (1, 3), 360)
    text = found.describe()
    assert text.startswith("folds 0, 2 of exp are not trained: ")
    assert "2 of 4 folds predict new images. To train them, in some 6 min 00 s: tk fit exp" in text
    assert untrained_folds(experiment, CONFIG | {"stages": [{}]}) == found.__class__("exp", (0, 2), (1, 3), 180)
    assert untrained_folds(Experiment(experiment.folder.parent / "new"), CONFIG) is None


def test_it_is_said_once_and_only_where_something_is_missing(experiment: Experiment) -> None:
    class Heard(Silent):
        lines: list[str] = []  # noqa: RUF012

        def say(self, text: str) -> None:
            self.lines.append(text)

    tell_untrained(experiment, CONFIG | {"folds_count": 2}, Heard(), "score")
    tell_untrained(experiment, CONFIG, Heard(), "prediction")
    assert Heard.lines == [
        "fold 0 of exp is not trained: only the images that fold 1 holds out are scored",
        "folds 0, 2 of exp are not trained: 2 of 4 folds predict",
    ]
    tell_untrained(Experiment(experiment.folder.parent / "new"), CONFIG, Heard(), "score")
    assert len(Heard.lines) == 2


def test_only_folds_with_predictions_hold_images_out(experiment: Experiment) -> None:
    assert read_predicted_folds(experiment, IDS).folds.tolist() == FOLDS.tolist()
    with ProbabilityWriter(experiment.predictions("oof"), "uint8", {}) as writer:
        for image_id in "bde":
            writer.append(image_id, np.zeros((2, 3, 1), np.float32))
    table = read_predicted_folds(experiment, IDS)
    assert table.folds.tolist() == [TRAIN, 1, TRAIN, 3, 3, TRAIN, HOLDOUT, TRAIN]
    assert table.out_of_fold.ids == tuple("bde")
    assert table.holdout.ids == ("g",)
    assert table.folds_count == 2
    assert table.parts("a test").tolist() == [0, 1, 1]


def test_a_single_fold_with_predictions_is_divided_into_parts() -> None:
    table = FoldTable(IDS, np.array([0, 1, 1, 1, 1, 1, 1, 2])).predicted("bcdefg")
    assert table.folds_count == 1
    assert set(table.parts("a test").tolist()) == {0, 1, 2, 3, 4}
