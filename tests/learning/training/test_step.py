"""Covers toolkit/learning/training/step.py, on one device and on several."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from toolkit.config.training.execution import PLAIN, Compilation
from toolkit.config.training.losses import parse_loss
from toolkit.config.training.networks import NetworkSpec
from toolkit.config.training.optimizers import parse_optimizer
from toolkit.core.masks.labels import IGNORE, Activation, planes
from toolkit.core.metrics.metric import case_of
from toolkit.errors import ToolkitError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.workspace import Workspace
from toolkit.learning import runtime
from toolkit.learning.losses.registry import build_loss
from toolkit.learning.networks import network as network_module
from toolkit.learning.networks.network import build_network
from toolkit.learning.optimizing.optimizers import build_optimizer
from toolkit.learning.runtime import strategy, tf, training_devices
from toolkit.learning.training.step import LossError, StepResults, StepSettings, Taken, TrainingStep

pytestmark = pytest.mark.train

STEP = StepSettings(0.1, 0, 0.0)

# A processor can only be divided into several devices before TensorFlow has computed anything. First the same steps
# on one device and on two, then whole runs on two, one of them interrupted after an epoch.
ON_TWO_DEVICES = """
import json
from toolkit.learning.runtime import configure, strategy, tf

processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
configure("float32")

import numpy as np
from pathlib import Path
from toolkit.commands.session import Session
from toolkit.commands.training.fit import fit
from toolkit.config.training.losses import parse_loss
from toolkit.config.training.networks import NetworkSpec
from toolkit.config.training.optimizers import parse_optimizer
from toolkit.errors import ConfigError
from toolkit.files.experiment.workspace import Workspace
from toolkit.learning.losses.registry import build_loss
from toolkit.learning.networks.network import build_network
from toolkit.learning.optimizing.optimizers import build_optimizer
from toolkit.learning.predicting.predictor import Predictor
from toolkit.learning.training.step import StepSettings, TrainingStep
from toolkit.messages import Silent

def steps(devices):
    options = {"depth": 1, "convolutions": 1, "start_filters": 4, "normalisation": "group"}
    spec = NetworkSpec(architecture="ModularUnet", options=options, shape=(32, 32, 3))
    with devices.scope():
        network = build_network(spec, 1)
        optimizer = build_optimizer(parse_optimizer({"SGD": {"momentum": 0.9, "global_clipnorm": 1.0}}), 0.1)
        optimizer.build(network.trainable_variables)
    loss = build_loss(parse_loss("binary_crossentropy+lovasz_loss"), "sigmoid")
    step = TrainingStep(network, optimizer, loss, None, devices, activation="sigmoid")
    random, losses, areas = np.random.default_rng(0), [], []
    for size in (8, 7, 3, 1, 5, 8):
        images = random.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8)
        batch = (images, (images[..., :1] > 128).astype(np.uint8))
        taken = step([batch], [StepSettings(0.1, 0, 0.0)])
        losses.append(float(taken.losses[0]))
        areas.append(taken.areas.numpy().tolist())
    probabilities = Predictor(network, "none", "sigmoid", at_once=4)(tf.constant(images)).tolist()
    count = devices.num_replicas_in_sync
    return {"devices": count, "losses": losses, "areas": areas, "probabilities": probabilities}

class Interrupted(Silent):
    def say(self, message):
        if "epoch" in message:
            raise KeyboardInterrupt

print(json.dumps([steps(tf.distribute.get_strategy()), steps(strategy())]))
workspace = Workspace(Path.cwd())
try:
    fit(Session(workspace), "broken", overrides=["batch=1"])
except ConfigError as error:
    print(error.message)
fit(Session(workspace), "straight")
try:
    fit(Session(workspace, Interrupted()), "broken")
except KeyboardInterrupt:
    fit(Session(workspace), "broken")
"""


@pytest.fixture(scope="module")
def said(shared_competition: Workspace, write_experiment: Callable[..., Experiment]) -> list[str]:
    """The output of a process on two devices: a line about its steps, and one about its runs."""
    text = "batch: 5\nweight_averaging: {ema: {decay: 0.9}, swa: {start: 0}}\nstages: [{epochs: 2, negatives: 0.5}]\n"
    for name in ("straight", "broken"):
        write_experiment(shared_competition, name, text)
    command = [sys.executable, "-c", ON_TWO_DEVICES]
    done = subprocess.run(
        command, cwd=shared_competition.root, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_two_devices_learn_what_one_learns(said: list[str]) -> None:
    one, two = json.loads(said[0])
    assert (one["devices"], two["devices"]) == (1, 2)
    assert one["losses"][-1] < one["losses"][0] - 0.05
    assert [len(batch) for batch in two["areas"]] == [8, 7, 3, 1, 5, 8]
    for first, second in zip(one["areas"], two["areas"], strict=True):  # predictions differ in the last digits
        np.testing.assert_allclose(second, first, atol=2)
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-4)
    np.testing.assert_allclose(two["probabilities"], one["probabilities"], atol=1e-4)


def test_a_run_on_two_devices_resumes_averages_and_predicts(
    said: list[str],
    shared_competition: Workspace,
    different_results: Callable[[Experiment, Experiment], list[str]],
) -> None:
    assert "--set batch=1: batch: a batch of 1 cannot be shared by 2 devices" in said[1]
    experiments = [shared_competition.find(name) for name in ("straight", "broken")]
    assert experiments[0].score.is_file()
    assert different_results(*experiments) == []


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("mixed", [False, True])
def test_a_step_counts_the_areas_of_what_it_predicted(activation: Activation, mixed: bool) -> None:
    """As the metrics count them, from the outputs before the step; a mixed pixel is of the class that it shows most."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, (5, 16, 16)).astype(np.uint8)
    labels[:, :3] = IGNORE
    targets: np.ndarray = np.stack([planes(one, 3, activation) for one in labels])
    if mixed:
        targets = np.where(targets == IGNORE, 255.0, 0.8 * targets + 0.1).astype(np.float32)
    spec = NetworkSpec(
        architecture="ModularUnet", options={"depth": 1, "start_filters": 4}, shape=(16, 16, 3), classes=3
    )
    network = build_network(spec, 1)
    optimizer = build_optimizer(parse_optimizer("SGD"), 0.1)
    optimizer.build(network.trainable_variables)
    loss = build_loss(parse_loss("dice_loss"), activation)
    step = TrainingStep(network, optimizer, loss, None, strategy(), activation=activation)
    images = random.integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    logits = network.outputs(tf.constant(images), training=True).logits.numpy()
    taken = step([(images, targets)], [STEP])
    found = np.eye(3, dtype=np.bool_)[logits.argmax(axis=-1)] if activation == "softmax" else logits > 0
    expected = [case_of(one, truth, activation).areas for one, truth in zip(found, labels, strict=True)]
    assert taken.areas.numpy().tolist() == np.stack(expected).tolist()


def built_step(options: dict[str, Any], compilation: Compilation) -> TrainingStep:
    """A step of a small network with dropout, the same network every time."""
    shape = {"depth": 1, "convolutions": 1, "start_filters": 4, "dropout": 0.2, **options}
    network = build_network(NetworkSpec(architecture="ModularUnet", options=shape, shape=(16, 16, 3)), 1)
    optimizer = build_optimizer(parse_optimizer("Adam"), 0.1)
    optimizer.build(network.trainable_variables)
    loss = build_loss(parse_loss("binary_crossentropy"), "sigmoid")
    return TrainingStep(network, optimizer, loss, None, strategy(), activation="sigmoid", compilation=compilation)


def some_batches(*sizes: int) -> list[tuple[Any, Any]]:
    random = np.random.default_rng(3)
    images = [random.integers(0, 256, (size, 16, 16, 3), dtype=np.uint8) for size in sizes]
    return [(one, (one[..., :1] > 128).astype(np.uint8)) for one in images]


def losses_and_areas(step: TrainingStep, batches: list[tuple[Any, Any]], per_call: int) -> tuple[Any, Any]:
    settings = [StepSettings(0.01 / (k + 1), 7 * k, k / len(batches)) for k in range(len(batches))]
    starts = range(0, len(batches), per_call)
    taken = [step(batches[start : start + per_call], settings[start : start + per_call]) for start in starts]
    return [np.concatenate([np.asarray(part) for part in parts]) for parts in (
        [one.losses for one in taken], [one.areas for one in taken]
    )]  # fmt: skip


@pytest.mark.parametrize("per_call", [2, 5])
def test_several_steps_in_a_call_are_the_same_steps(per_call: int) -> None:
    """Each with its own batch, learning rate and dropout; the last call may have fewer."""
    batches = some_batches(4, 4, 4, 4, 4)
    one = losses_and_areas(built_step({}, PLAIN), batches, 1)
    several = losses_and_areas(built_step({}, Compilation("off", per_call)), batches, per_call)
    np.testing.assert_allclose(several[0], one[0], rtol=1e-4)
    np.testing.assert_allclose(several[1], one[1], atol=2)
    assert len(set(one[0].tolist())) == 5


@pytest.fixture
def as_on_a_gpu() -> Iterator[None]:
    """Operations need not be deterministic: otherwise XLA refuses the gradient of pooling."""
    config = importlib.import_module("tensorflow.python.framework.config")
    before = config.is_op_determinism_enabled()
    config.disable_op_determinism()
    yield
    if before:
        config.enable_op_determinism()


@pytest.mark.parametrize(("xla", "upsampling"), [("on", "transpose"), ("auto", "nearest")])
def test_xla_changes_no_result(xla: Any, upsampling: str, as_on_a_gpu: None) -> None:
    """Except for the masks of dropout: XLA draws other ones from the same seed."""
    batches = some_batches(4, 4, 3)
    plain = losses_and_areas(built_step({"upsampling": upsampling, "dropout": 0.0}, PLAIN), batches, 1)
    compiled = losses_and_areas(built_step({"upsampling": upsampling, "dropout": 0.0}, Compilation(xla)), batches, 1)
    np.testing.assert_allclose(compiled[0], plain[0], rtol=1e-4)
    np.testing.assert_allclose(compiled[1], plain[1], atol=2)


def test_without_xla_a_network_trains_that_xla_cannot_compile(
    monkeypatch: pytest.MonkeyPatch, as_on_a_gpu: None
) -> None:
    """On a processor XLA has no gradient of nearest-neighbour upsampling; `auto` tries it where there is a GPU."""
    batches = some_batches(4, 4)
    plain = losses_and_areas(built_step({"upsampling": "nearest"}, PLAIN), batches, 1)
    refused = built_step({"upsampling": "nearest"}, Compilation("on"))
    with pytest.raises(ToolkitError, match="xla: off"):
        losses_and_areas(refused, batches, 1)
    monkeypatch.setattr(network_module, "with_fast_layers", lambda model: model)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["one"])
    automatic = built_step({"upsampling": "nearest"}, Compilation("auto"))
    found = losses_and_areas(automatic, batches, 1)
    np.testing.assert_array_equal(found[0], plain[0])


def test_results_are_read_in_order_and_the_culprit_is_named() -> None:
    def taken(*losses: float) -> Taken:
        return Taken(tf.constant(losses), tf.ones((2 * len(losses), 1, 4), tf.int64))

    positions = [np.array([0, 1]), np.array([2, 3]), np.array([4, 5])]
    results = StepResults(2)
    assert np.isnan(results.mean_loss)
    results.add(positions[:1], taken(1.0))
    assert np.isnan(results.mean_loss)
    results.add(positions[1:2], taken(3.0))
    assert results.mean_loss == 2.0
    results.add(positions[2:], taken(np.nan))
    with pytest.raises(LossError) as caught:
        results.read()
    assert caught.value.positions.tolist() == [4, 5]
    assert results.areas.shape == (4, 1, 4)


def test_a_single_processor_uses_tensorflows_default_strategy() -> None:
    assert strategy() is tf.distribute.get_strategy()
    assert not isinstance(strategy(), tf.distribute.MirroredStrategy)


def test_several_gpus_share_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = {"GPU": ["/device:GPU:0", "/device:GPU:1"], "CPU": ["/device:CPU:0"]}
    config: Any = SimpleNamespace(
        list_logical_devices=lambda kind: [SimpleNamespace(name=name) for name in devices[kind]]
    )
    distribute = SimpleNamespace(MirroredStrategy=lambda names: names, get_strategy=lambda: "one device")
    monkeypatch.setattr(runtime, "tf", SimpleNamespace(config=config, distribute=distribute))
    assert strategy() == devices["GPU"] == training_devices()
    devices["GPU"].pop()
    assert strategy() == "one device"
