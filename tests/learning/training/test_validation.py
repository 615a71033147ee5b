from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from toolkit.commands.session import Session
from toolkit.commands.training.fit import fit
from toolkit.commands.training.fit_result import FitResult
from toolkit.core.metrics.scorer import Scorer
from toolkit.core.recipe.probabilities import to_stored
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.history import read_history
from toolkit.files.experiment.workspace import Workspace
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.reading.batches import validation_batches
from toolkit.learning.runtime import tf
from toolkit.learning.training.epoch_data import Run
from toolkit.learning.training.validation import Validation
from toolkit.messages import Silent

pytestmark = pytest.mark.train

OVERRIDES = ["stages=[{epochs: 3, batch: 4}]"]


@pytest.fixture(scope="module")
def fitted(shared_competition: Workspace) -> FitResult:
    return fit(Session(shared_competition), "plain", overrides=OVERRIDES)


@pytest.fixture
def experiment(fitted: FitResult, shared_competition: Workspace) -> Experiment:
    return shared_competition.find(fitted.experiment)


def network_of(config: Any, experiment: Experiment, fold: int) -> Network:
    network = build_network(config.network_spec(), 0)
    network.load_weights(experiment.stage(fold, 0).best_weights)
    return network


def test_the_best_epochs_metric_is_the_folds_out_of_fold_score(fitted: FitResult, experiment: Experiment) -> None:
    for fold, score in enumerate(fitted.folds):
        history = read_history(experiment.stage(fold, 0))
        assert max(epoch.scores["salt_map"] for epoch in history) == pytest.approx(score, abs=1e-9)
        assert list(history[0].scores) == ["salt_map", "dice", "miou", "global_precision", "global_recall"]


def test_the_validation_loss_is_the_mean_over_the_images_held_out(
    lesson: Callable[..., Any], experiment: Experiment, shared_competition: Workspace
) -> None:
    found = lesson(*OVERRIDES, workspace=shared_competition)
    rows = [line.split(",") for line in experiment.folds.read_text().splitlines()[1:]]
    held_out = [sample for sample, (_, fold) in zip(found.data.pool.samples, rows, strict=True) if fold == "1"]
    network = network_of(found.config, experiment, 1)
    ((_, _, images, targets),) = validation_batches(found.data.reader, held_out, 20)
    assert len(images) == 10  # three batches of the run, one of them smaller
    logits = network.outputs(images, training=False).logits.numpy().astype(float)
    target = targets.numpy()
    by_hand = np.mean(np.logaddexp(0, np.where(target == 1, -logits, logits)))
    best = max(read_history(experiment.stage(1, 0)), key=lambda epoch: epoch.primary)
    assert best.validation_loss == pytest.approx(by_hand, rel=1e-5)


class Known:
    """A predictor that gives 0.25 for the first image of a batch and 0.75 for the others."""

    def with_outputs(self, images: Any) -> tuple[np.ndarray, Any]:
        probability = np.full((*images.shape[:3], 1), 0.75, np.float32)
        probability[0] = 0.25
        return probability, None


@pytest.mark.parametrize(("batch", "loss"), [(10, 10.0), (4, (4 * 4 + 4 * 4 + 2 * 2) / 10)])
def test_batches_count_by_their_images(lesson: Callable[..., Any], batch: int, loss: float) -> None:
    found = lesson(f"stages=[{{epochs: 1, batch: {batch}}}]")
    progresses = set()

    def size_of(targets: Any, outputs: Any, progress: Any) -> Any:
        progresses.add(float(progress))
        return tf.cast(len(targets), tf.float32)

    validation = Validation(Known(), size_of, found.stages[0], found.data, Run(0, 0, 0))
    assert len(validation) == 10
    with Silent().task("", 1) as task:
        value, scores = validation.run("here", task, keep_examples=False)
    assert value == pytest.approx(loss)
    assert progresses == {1.0}
    scorer = Scorer(found.data.plan.recorded, "sigmoid")
    for number, position in enumerate(range(0, 20, 2)):
        sample = found.data.pool.samples[position]
        known = np.full((40, 48, 1), 0.25 if number % batch == 0 else 0.75, np.float32)
        scorer.add(to_stored(known, "uint8"), sample.labels(), None)
    assert scores == scorer.scores()
    assert validation.examples == []


def test_examples_are_kept_where_they_are_asked_for(lesson: Callable[..., Any]) -> None:
    found = lesson("stages=[{epochs: 1, batch: 4}]")
    validation = Validation(Known(), lambda *_: 0.0, found.stages[0], found.data, Run(0, 0, 0))
    with Silent().task("", 1) as task:
        validation.run("here", task, keep_examples=True)
    assert len(validation.examples) == 10
    example = validation.examples[1]
    assert example.image.shape == (32, 32, 3)
    assert example.planes.shape == example.probability.shape == (32, 32, 1)
    assert (example.probability == 0.75).all()


@pytest.mark.parametrize("rule", ["real", "none", "0.5"])
def test_the_share_of_validation_negatives_can_be_configured(lesson: Callable[..., Any], rule: str) -> None:
    found = lesson(f"stages=[{{epochs: 1, validation_negatives: {rule}}}]")
    held_out = found.data.pool.has_foreground[::2]
    positives = int(held_out.sum())
    assert 0 < positives < 10
    expected = {"real": 10, "none": positives, "0.5": positives + min(10 - positives, round(positives / 2))}[rule]
    validation = Validation(Known(), None, found.stages[0], found.data, Run(0, 0, 0))
    assert len(validation) == len(validation.positions) == expected
    assert set(validation.positions) <= set(found.data.pool.validation_positions(0))
    assert found.data.pool.has_foreground[validation.positions].sum() == positives


def test_metrics_do_not_depend_on_the_batch_size(lesson: Callable[..., Any]) -> None:
    class Noise:
        """Predicts noise that depends on the image alone."""

        def with_outputs(self, images: Any) -> tuple[np.ndarray, Any]:
            seeds = [int(np.asarray(image, np.int64).sum()) for image in images]
            maps = [np.random.default_rng(seed).random((*images.shape[1:3], 1), np.float32) for seed in seeds]
            return np.stack(maps), None

    def scores(batch: int) -> dict[str, float]:
        metrics = (
            "[Precision, {MeanIoU: {num_classes: 2}}, mse, {F1Score: {threshold: 0.5}}, PrecisionAtRecall(recall=0.5)]"
        )
        found = lesson("primary_metric=AUC", f"metrics={metrics}", f"stages=[{{epochs: 1, batch: {batch}}}]")
        validation = Validation(Noise(), lambda *_: 0.0, found.stages[0], found.data, Run(0, 0, 0))  # type: ignore[arg-type]
        with Silent().task("", 0) as task:
            return validation.run("", task, False)[1]

    first = scores(10)
    assert 0.3 < first["AUC"] < 0.7
    assert scores(3) == first == scores(1)
