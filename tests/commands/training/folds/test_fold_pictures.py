"""Covers toolkit/commands/training/folds/fold_pictures.py and toolkit/commands/scoring/curves.py."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolkit.commands.scoring import curves
from toolkit.commands.scoring.curves import write_curves
from toolkit.commands.session import Session
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.commands.training.folds import fold_pictures
from toolkit.config.loading import load_config
from toolkit.core.metrics.confusion import worst_first
from toolkit.errors import OutOfTimeError, TrainingError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.history import Epoch, write_history
from toolkit.files.experiment.trained import read_predicted_folds
from toolkit.files.experiment.workspace import Workspace
from toolkit.learning.predicting.predictor import ViewsPredictor
from toolkit.messages import Silent
from toolkit.report.plots.curve_lines import TrainedFold

pytestmark = pytest.mark.tf


@pytest.fixture(autouse=True, scope="module")
def blank_figures() -> None:
    """The figures of these tests are drawn."""


WriteExperiment = Callable[..., Experiment]


class Talk(Silent):
    """Remembers every line, and which pictures there were when it was said."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self.lines: list[tuple[str, bool, list[int]]] = []

    def say(self, message: str) -> None:
        drawn = [fold for fold in range(3) if self._experiment.overlays_of(fold).is_file()]
        self.lines.append((message, self._experiment.curves.is_file(), drawn))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is drawn in curves.png, each time; the file is empty."""
    found: list[dict[str, Any]] = []

    def draw(path: Path, title: str, trained: list[TrainedFold], **others: Any) -> None:
        path.write_bytes(b"")
        found.append({"title": title, "trained": trained, **others})

    monkeypatch.setattr(curves, "learning_curves", draw)
    return found


@pytest.mark.train
def test_each_fold_is_drawn_when_it_is_finished_and_predicted_only_once(
    tiny_competition: Workspace,
    write_experiment: WriteExperiment,
    shown: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    experiment = write_experiment(tiny_competition, "exp", "num_seeds: 2\nstages: [{epochs: 1}, {epochs: 1}]\n")
    predicted = []
    monkeypatch.setattr(
        fold_pictures,
        "write_overlays",
        lambda *given, fold: experiment.overlays_of(fold).write_bytes(b"") or rows.append((fold, given[3])),
    )
    rows: list[Any] = []
    predict = ViewsPredictor.__call__
    monkeypatch.setattr(ViewsPredictor, "__call__", lambda self, *given: predicted.append(1) or predict(self, *given))
    talk = Talk(experiment)
    result = fit(Session(tiny_competition, talk), "exp")
    finished = [line for line in talk.lines if "is finished" in line[0]]
    assert [line[1:] for line in finished] == [(True, [0]), (True, [0, 1])]
    (first, _), (second, _) = rows
    assert (first, second) == (0, 1)
    for (fold, scores), score, (text, *_) in zip(rows, result.folds, finished, strict=True):
        assert scores.all == score
        assert set(scores.folds) == {fold}
        assert f"{scores.metric} {score:.4f}" in text
        assert text.endswith(str(experiment.overlays_of(fold)))
        assert len(worst_first(scores.by_metric[scores.metric], scores.scored.wrong, "max")) == len(scores.ids)
    assert [len(one["trained"]) for one in shown] == [2, 4]
    assert [path.name for path in experiment.predictions("oof").parent.iterdir() if path.name.startswith("oof")] == [
        "oof"
    ]
    assert result.next_steps()[-4] == f"curves: {experiment.curves}"
    times = len(predicted)
    fit(Session(tiny_competition), "exp")
    assert (len(predicted), len(shown)) == (times, 2)


@pytest.mark.train
def test_a_run_that_stops_early_leaves_curves_and_the_pictures_of_finished_folds(
    tiny_competition: Workspace, write_experiment: WriteExperiment, shown: list[dict[str, Any]]
) -> None:
    experiment = write_experiment(tiny_competition, "exp", "stages: [{epochs: 1}, {epochs: 2}]\n")
    part = fit(Session(tiny_competition), "exp", options=FitOptions(stages=[0]))
    assert (part.finished, part.next_steps()[0]) == (False, f"curves: {experiment.curves}")
    assert not experiment.overlays_of(0).exists()  # its last stage is missing
    with pytest.raises(OutOfTimeError):
        fit(Session(tiny_competition), "exp", options=FitOptions(max_seconds=0))
    assert [len(stage) for stage in shown[-1]["trained"][0].stages] == [1, 1]
    fit(Session(tiny_competition), "exp", options=FitOptions(folds=[1]))
    assert experiment.overlays_of(1).is_file()
    assert not experiment.overlays_of(0).exists()
    assert read_predicted_folds(experiment).folds_count == 1  # a part of the folds is a result
    fit(Session(tiny_competition), "exp")
    assert experiment.overlays_of(0).is_file()


@pytest.mark.train
def test_training_that_fails_leaves_curves(
    tiny_competition: Workspace, write_experiment: WriteExperiment, shown: list[dict[str, Any]]
) -> None:
    experiment = write_experiment(tiny_competition, "exp", "schedule: explode\nstages: [{epochs: 3}]\n")
    experiment.plugins.write_text("def explode(moment, lr):\n    return 1e30 if moment.epoch else lr\n")
    with pytest.raises(TrainingError):
        fit(Session(tiny_competition), "exp")
    assert len(shown[-1]["trained"][0].stages[0]) == 1


def test_curves_show_what_histories_hold(
    tiny_competition: Workspace, write_experiment: WriteExperiment, shown: list[dict[str, Any]]
) -> None:
    lines = "data: {masks: ../../data/maps}\nclasses: [sky, road, car]\nprimary_metric: dice\nmetrics: [miou, iou]\n"
    lines += "loss: dice_loss\nbenchmark_class: car\nstages: [{epochs: 3}, {epochs: 1}]\n"
    experiment = write_experiment(tiny_competition, "exp", lines)
    config = load_config(experiment.config).config
    write_curves(experiment, config, lambda a, b: a > b)
    assert shown == []  # nothing is trained yet
    for fold, scores in ((0, (0.1, 0.4, 0.4)), (1, (0.3,))):
        stage = experiment.stage(fold, 0)
        stage.folder.mkdir(parents=True)
        write_history(stage, [Epoch(k, 1e-3, 0.1, 0.2, {"dice[car]": one}, 7, 1.0) for k, one in enumerate(scores)])
    write_curves(experiment, config, lambda a, b: a > b)
    (found,) = shown
    assert [(one.title, one.fold, list(one.best)) for one in found["trained"]] == [
        ("fold 0", 0, [1]),
        ("fold 1", 1, [0]),
    ]
    assert found["metrics"] == ["dice[car]", "dice", "miou", "iou", "global_precision", "global_recall"]
    assert found["class_metrics"] == ["miou", "global_precision", "global_recall"]
    assert (found["classes"], found["activation"]) == (("sky", "road", "car"), "softmax")
