"""Losses, metrics and optimizers of Keras by name, from the configuration to scores."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from toolkit.commands.comparing.compare import compare
from toolkit.commands.comparing.evaluate import evaluate
from toolkit.commands.ensembling.ensemble import ensemble
from toolkit.commands.session import Session
from toolkit.commands.training.fit import FitResult, fit
from toolkit.commands.tuning.tune import tune
from toolkit.config.loading import load_config
from toolkit.core.metrics.uncertainty.bootstrap import bootstrap, paired, score_of_others
from toolkit.errors import ConfigError
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.history import read_history
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.learning.runtime import tf
from toolkit.messages import Silent

pytestmark = pytest.mark.train

CONFIG = """\
loss: {name: BinaryCrossentropy, from_logits: true}
optimizer: {name: SGD, momentum: 0.9, nesterov: true}
primary_metric: {AUC: {num_thresholds: 50}}
metrics: [dice, Precision, {name: MeanIoU, num_classes: 2}, mse, {F1Score: {threshold: 0.5}}]
callbacks: [{name: EarlyStopping, monitor: mse, patience: 5}]
stages: [{epochs: 2, batch: 4}]
"""
LABELS = ["AUC(num_thresholds=50)", "dice", "Precision", "MeanIoU(num_classes=2)", "mse", "F1Score(threshold=0.5)"]


class Talk(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture(scope="module")
def fitted(shared_competition: Workspace, write_experiment: Callable[..., Experiment]) -> FitResult:
    write_experiment(shared_competition, "keras", CONFIG)
    return fit(Session(shared_competition), "keras")


def test_metrics_are_reported_every_epoch_and_out_of_fold(fitted: FitResult, shared_competition: Workspace) -> None:
    experiment = shared_competition.find("keras")
    assert fitted.metric == LABELS[0]
    assert fitted.constant is None
    for fold, score in enumerate(fitted.folds):
        history = read_history(experiment.stage(fold, 0))
        assert [list(epoch.scores)[: len(LABELS)] for epoch in history] == [LABELS, LABELS]
        assert max(epoch.scores[LABELS[0]] for epoch in history) == pytest.approx(score, abs=1e-6)
    store, data = ProbabilityStore(experiment.predictions("oof")), find_labelled(load_config(experiment.config).config)
    probability = np.concatenate([store.read(image_id).ravel() for image_id in store.ids]) / np.float32(255)
    truth = np.concatenate([data.read_labels(image_id).ravel() for image_id in store.ids])
    expected = tf.keras.metrics.AUC(num_thresholds=50)
    expected.update_state(truth, probability)
    assert fitted.all == pytest.approx(float(expected.result()), abs=1e-5)
    table = experiment.image_scores.read_text().splitlines()
    assert len(table) == len(store.ids) + 1
    assert all(label in table[0] for label in LABELS)


def test_later_commands_understand_them(
    fitted: FitResult,
    shared_competition: Workspace,
    write_experiment: Callable[..., Experiment],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for default in (bootstrap, score_of_others, paired):  # a thousand draws take 2 s each
        monkeypatch.setitem(default.__kwdefaults__, "draws", 50)
    talk = Talk()
    session = Session(shared_competition, talk)
    write_experiment(shared_competition, "again", "seed: 1\n", extends="keras")
    fit(session, "again")
    result = tune(session, "keras")
    assert result.metric == "dice"
    assert f"{LABELS[0]} compares probabilities, which no recipe changes: tuning by dice instead" in talk.said
    tuned = tune(session, "keras", metric="MeanIoU(num_classes=2)")
    assert tuned.metric == "MeanIoU(num_classes=2)"
    rows = {row.name: row for row in compare(session, ["keras", "again"]).experiments}
    assert rows["keras"].all == pytest.approx(fitted.all, abs=1e-9)
    assert evaluate(session, "keras").evaluation.score == pytest.approx(fitted.all, abs=1e-9)
    both = ensemble(session, ["keras", "again"], name="both", weights="search")
    assert both.metric == LABELS[0]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "loss=BinaryCrosentropy",
            "loss: character 1: loss 'BinaryCrosentropy' is not valid; did you mean 'BinaryCross",
        ),
        ("loss={Huber: {dleta: 1}}", "loss.Huber: key 'dleta' is not valid; did you mean 'delta'?"),
        ("loss={name: Huber, dleta: 1}", "loss: key 'dleta' is not valid; did you mean 'delta'?"),
        ("loss=CategoricalCrossentropy", "received activation: sigmoid; use BinaryCrossentropy"),
        ("metrics=[Precisoin]", "metrics.0: 'Precisoin' is not valid; did you mean 'precision'?"),
        ("metrics=[MeanIoU]", "num_classes is missing"),
        (
            "metrics=[{name: MeanIoU, num_classes: 3}]",
            "num_classes must be 2 (background and foreground, with sigmoid)",
        ),
        ("primary_metric={AUC: {curve: ROCK}}", "primary_metric.AUC.curve: 'ROCK' is not valid; did you mean 'ROC'?"),
        ("optimizer={name: SGD, momentun: 0.9}", "optimizer: key 'momentun' is not valid; did you mean 'momentum'?"),
    ],
)
def test_wrong_names_and_arguments_are_refused_without_tensorflow(
    tiny_competition: Workspace, override: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tiny_competition.find("plain").config, [override])
    assert words in caught.value.message


def test_what_only_keras_knows_is_refused_before_training(tiny_competition: Workspace) -> None:
    with pytest.raises(ConfigError, match=r"metrics\.0: the metric AUC\(.*\) failed: "):
        fit(Session(tiny_competition), "plain", overrides=["metrics=[{AUC: {multi_label: true, num_labels: 3}}]"])
    assert not tiny_competition.find("plain").has_training()


def test_score_json_holds_them(fitted: FitResult, shared_competition: Workspace) -> None:
    score = json.loads(shared_competition.find("keras").score.read_text())
    assert score["metric"] == LABELS[0]
