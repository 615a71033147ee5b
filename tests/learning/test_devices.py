import json
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from toolkit.files.experiment import Experiment, Workspace
from toolkit.learning import runtime
from toolkit.learning.runtime import strategy, tf, training_devices

pytestmark = pytest.mark.train

# A processor can only be cut into several devices before TensorFlow has computed anything.
ON_DEVICES = """
import json, sys
from toolkit.learning.runtime import configure, strategy, tf

count = int(sys.argv[1])
processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * count)
configure("float32")

import numpy as np
from toolkit.config.losses import parse_loss
from toolkit.config.networks import NetworkSpec
from toolkit.config.optimizers import parse_optimizer
from toolkit.learning.losses import build_loss
from toolkit.learning.networks import build_network
from toolkit.learning.optimizers import build_optimizer
from toolkit.learning.prediction import Predictor
from toolkit.learning.steps import TrainingStep

def steps():
    options = {"depth": 1, "convolutions": 1, "start_filters": 4, "normalisation": "group"}
    spec = NetworkSpec(architecture="ModularUnet", options=options, shape=(32, 32, 3))
    devices = strategy()
    with devices.scope():
        network = build_network(spec, 1)
        optimizer = build_optimizer(parse_optimizer({"SGD": {"momentum": 0.9, "global_clipnorm": 1.0}}), 0.1)
        optimizer.build(network.trainable_variables)
    loss = build_loss(parse_loss("binary_crossentropy+lovasz_loss"), "sigmoid")
    step = TrainingStep(network, optimizer, loss, None, devices)
    random, losses = np.random.default_rng(0), []
    for size in (8, 7, 3, 1, 5, 8):
        images = random.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8)
        losses.append(step(images, (images[..., :1] > 128).astype(np.uint8), 0.0))
    return losses, Predictor(network, "none", "sigmoid")(tf.constant(images)).tolist()

losses, probabilities = steps()
print(json.dumps({"devices": strategy().num_replicas_in_sync, "losses": losses, "probabilities": probabilities}))
"""

# Whole runs, one of them interrupted after an epoch.
RUNS = (
    ON_DEVICES.split("import numpy", maxsplit=1)[0]
    + """
from pathlib import Path
from toolkit.commands.fit import fit
from toolkit.errors import ConfigError
from toolkit.files.experiment import Workspace
from toolkit.messages import Silent

class Interrupted(Silent):
    def say(self, message):
        if "epoch" in message:
            raise KeyboardInterrupt

workspace = Workspace(Path.cwd())
try:
    fit(workspace, "broken", overrides=["batch=1"], progress=Silent())
except ConfigError as error:
    print(error.message)
fit(workspace, "straight", progress=Silent())
try:
    fit(workspace, "broken", progress=Interrupted())
except KeyboardInterrupt:
    fit(workspace, "broken", progress=Silent())
"""
)


def run(script: str, devices: int, workspace: Workspace) -> str:
    command = [sys.executable, "-c", script, str(devices)]
    done = subprocess.run(command, cwd=workspace.root, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_devices_learn_what_one_learns(tiny_competition: Workspace) -> None:
    one, two = (json.loads(run(ON_DEVICES, devices, tiny_competition)) for devices in (1, 2))
    assert (one["devices"], two["devices"]) == (1, 2)
    assert one["losses"][-1] < one["losses"][0] - 0.05
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-4)
    np.testing.assert_allclose(two["probabilities"], one["probabilities"], atol=1e-4)


def test_a_run_on_two_devices_resumes_averages_and_predicts(
    tiny_competition: Workspace, different_results: Callable[[Experiment, Experiment], list[str]]
) -> None:
    text = "extends: ../plain/config.yaml\nbatch: 5\nweight_averaging: {ema: {decay: 0.9}, swa: {start: 0}}\n"
    text += "stages: [{epochs: 2, negatives: 0.5}]\n"
    experiments = [tiny_competition.place(name) for name in ("straight", "broken")]
    for experiment in experiments:
        experiment.folder.mkdir()
        experiment.config.write_text(text)
    said = run(RUNS, 2, tiny_competition)
    assert "--set batch=1: batch: 2 devices cannot share a batch of 1" in said
    assert experiments[0].score.is_file()
    assert different_results(*experiments) == []


def test_a_single_processor_takes_tensorflows_own_strategy() -> None:
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
