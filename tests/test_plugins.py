import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolkit.commands.session import Session
from toolkit.commands.training.fit import fit
from toolkit.errors import ChangedError, ConfigError
from toolkit.files.experiment.folder import Experiment, Workspace
from toolkit.files.experiment.history import read_history
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.learning.plugins import Plugins
from toolkit.messages import Silent

pytestmark = pytest.mark.train

PLUGINS = """\
from pathlib import Path

import numpy as np
import tensorflow as tf


def _note(text):
    with Path(__file__).with_name("notes.txt").open("a") as file:
        file.write(text + "\\n")


def squares(target, prediction, scale=1.0):
    _note(f"squares {scale} {prediction.shape.rank}")
    return scale * tf.reduce_mean(tf.square(target - prediction))


def hinge(target, prediction):
    _note("hinge")
    return tf.reduce_mean(tf.nn.relu(1 - prediction * (2 * target - 1)))


hinge.wants = "logits"


def agreement(prediction, truth, valid, power=1):
    return float((prediction == truth)[valid].mean()) ** power


def slow(learning_rate, share=1.0):
    _note(f"slow {share}")
    return tf.keras.optimizers.SGD(learning_rate * share)


class Watching:
    def __init__(self, stop_after):
        self.stop_after, self.seen = stop_after, 0

    def epoch_end(self, values, epoch):
        self.seen += 1
        _note(f"epoch {epoch} {sorted(values)}")
        return "seen enough" if self.seen == self.stop_after else None

    def state(self):
        return {"seen": self.seen}

    def restore(self, state):
        self.seen = state["seen"]


def falling(moment, lr, by=0.5):
    return lr * by**moment.epoch


def tiny_net(shape, classes, backbone, encoder_weights, filters=2):
    inputs = tf.keras.Input(shape)
    hidden = tf.keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(inputs / 255.0)
    return tf.keras.Model(inputs, tf.keras.layers.Conv2D(classes, 1)(hidden))


def darker(image, labels, generator, most=0.5):
    _note("darker")
    return (image * (1 - most * generator.random())).astype(image.dtype), labels
"""

CONFIG = """\
architecture: tiny_net
architecture_options: {filters: 3}
loss: binary_crossentropy + 0.5*squares(scale=2.0) + 0.1*hinge + further.plugin.ridge
optimizer: {slow: {share: 0.25}}
schedule: {falling: {by: 0.1}}
callbacks: {Watching: {stop_after: 2}}
augmentation: {darker: {most: 0.2}}
primary_metric: {agreement: {power: 2}}
metrics: [further.plugin.bias]
lr: 0.4
stages: [{epochs: 3}]
"""

FURTHER = """\
import tensorflow as tf


def ridge(target, prediction):
    return 0.0 * tf.reduce_sum(prediction)


def bias(prediction, truth, valid):
    return float(prediction.mean() - truth.mean())


bias.direction = "min"
"""


class Talk(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture(scope="module")
def plugged(shared_competition: Workspace, write_experiment: Callable[..., Experiment]) -> Experiment:
    """An experiment all of whose parts are the user's own, in plugins.py or in a package."""
    experiment = write_experiment(shared_competition, "own", CONFIG, extends="tiny")
    experiment.plugins.write_text(PLUGINS)
    package = shared_competition.root / "packages" / "further"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text(FURTHER)
    return experiment


@pytest.fixture
def importable(shared_competition: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(shared_competition.root / "packages"))


def test_a_fit_with_plugins_of_every_kind(shared_competition: Workspace, plugged: Experiment, importable: None) -> None:
    progress = Talk()
    result = fit(Session(shared_competition, progress), "own")
    names = "Watching, agreement, darker, falling, hinge, slow, squares, tiny_net"
    assert progress.said.count(f"running {plugged.plugins}, which defines {names}") == 1
    assert result.metric == "agreement(power=2)"
    assert any("stopped after epoch 2: seen enough" in line for line in progress.said)
    notes = set((plugged.folder / "notes.txt").read_text().splitlines())
    measured = ["global_precision", "global_recall", "miou"]
    own = ["agreement(power=2)", "further.plugin.bias"]
    watched = sorted([*own, *measured, *(f"train_{name}" for name in measured), "loss", "val_loss"])
    assert {"squares 2.0 4", "hinge", "slow 0.25", "darker", f"epoch 0 {watched}", f"epoch 1 {watched}"} <= notes
    for fold in (0, 1):
        history = read_history(plugged.stage(fold, 0))
        assert [epoch.learning_rate for epoch in history] == pytest.approx([0.4, 0.04])
        assert max(epoch.primary for epoch in history) == pytest.approx(result.folds[fold], abs=1e-9)
    maps = [stored.astype(float) for _, stored in ProbabilityStore(plugged.predictions("oof"))]
    assert np.std([values.mean() for values in maps]) > 0
    plugged.plugins.write_text(PLUGINS + "# changed\n")
    with pytest.raises(ChangedError, match=r"plugins\.py"):
        fit(Session(shared_competition), "own")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("loss=hinje", "hinje"),
        ("optimizer={slow: {shares: 1}}", "slow could not be created: .*shares"),
        ("callbacks={Watching: {}}", "Watching could not be created: .*stop_after"),
        ("loss=further.plugin.rigde", "further.plugin.rigde cannot be imported: .*has no attribute"),
        ("loss=further.plugins.ridge", "further.plugins.ridge cannot be imported: No module"),
        ("optimizer=darker", "optimizer darker could not be created"),
    ],
)
def test_errors_of_plugins_are_found_before_training(
    shared_competition: Workspace, plugged: Experiment, importable: None, override: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        fit(Session(shared_competition), "own", overrides=[override])


def test_the_error_of_code_that_fails_names_its_file(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = write_experiment(tiny_competition, "failing", "loss: mine\n")
    experiment.plugins.write_text("def mine(target, prediction):\n    return 0\n\n\nmissing()\n")
    with pytest.raises(ConfigError, match=r"plugins\.py raised an error: NameError: name 'missing'"):
        fit(Session(tiny_competition), "failing")
    assert not experiment.has_training()
    (tiny_competition.root / "broken_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tiny_competition.root))
    with pytest.raises(ConfigError, match="broken_module raised an error: ZeroDivisionError"):
        Plugins(experiment.config)["broken_module.mine"]
    experiment.plugins.write_text("def mine(target, prediction)\n")
    with pytest.raises(ConfigError, match=r"plugins\.py:1: expected ':'"):
        fit(Session(tiny_competition), "failing")


def test_names_are_known_without_running_code(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    experiment = write_experiment(tiny_competition, "failing")
    assert list(Plugins(experiment.config)) == []
    experiment.plugins.write_text("def b(): ...\nclass A: ...\ndef _hidden(): ...\nc = 1\nraise ValueError\n")
    plugins = Plugins(experiment.config)
    assert list(plugins) == ["A", "b"]
    assert len(plugins) == 2
    assert "b" in plugins
    assert "package.thing" in plugins
    assert "_hidden" not in plugins
    with pytest.raises(KeyError):
        plugins["c"]
    with pytest.raises(ConfigError, match="ValueError"):
        plugins["b"]


def test_plugins_get_tensorflow_as_the_toolkit_sets_it_up(tmp_path: Path) -> None:
    (tmp_path / "plugins.py").write_text(
        "import tensorflow as tf\n\ndef version():\n    return tf.keras.Model.__module__\n"
    )
    code = (
        f"from pathlib import Path; from toolkit.learning.plugins import Plugins\n"
        f"assert Plugins(Path({str(tmp_path / 'config.yaml')!r}))['version']().startswith('tf_keras.')\n"
        "import toolkit.learning.networks.network\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


@pytest.mark.parametrize(("chosen", "expected"), [(None, "1"), ("0", "0")])
def test_onednn_is_on_unless_the_user_has_switched_it_off(
    monkeypatch: pytest.MonkeyPatch, chosen: str | None, expected: str
) -> None:
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if chosen is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", chosen)
    code = (
        "import os, toolkit.learning.runtime\n"
        "from tensorflow.python.util import _pywrap_util_port\n"
        "print(os.environ['TF_ENABLE_ONEDNN_OPTS'], int(_pywrap_util_port.IsMklEnabled()))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, timeout=600, capture_output=True, text=True)
    assert found.stdout.split() == [expected, expected]
