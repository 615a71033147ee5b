import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolkit.commands.comparing.compare import compare
from toolkit.commands.inspecting.ls import list_experiments
from toolkit.commands.session import Session
from toolkit.commands.submitting.lb import leaderboard
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.config.loading import load_config
from toolkit.config.stage_values import dotted_names
from toolkit.errors import ChangedError, ConfigError
from toolkit.files.code.own_modules import forget_own_modules
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.experiment.fitted import find_fitted
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.history import read_history
from toolkit.files.experiment.members import Member
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.learning.plugins import Plugins
from toolkit.learning.training.plan import plan_training
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
    """An experiment all of whose parts are the user's own, in plugins.py or in a package beside it."""
    experiment = write_experiment(shared_competition, "own", CONFIG, extends="tiny")
    experiment.plugins.write_text(PLUGINS)
    package = experiment.folder / "further"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text(FURTHER)
    return experiment


def test_a_fit_with_plugins_of_every_kind(shared_competition: Workspace, plugged: Experiment) -> None:
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
    file = plugged.folder / "further" / "plugin.py"
    file.write_text(FURTHER + "# changed\n")
    with pytest.raises(ChangedError, match=r"(?m)the module further\.plugin$"):
        fit(Session(shared_competition), "own")
    with pytest.raises(ChangedError, match=r"the module further\.plugin has changed since own was fitted"):
        find_fitted(Member(plugged))
    file.write_text(FURTHER)
    assert find_fitted(Member(plugged)).count == 2
    plugged.plugins.write_text(PLUGINS + "# changed\n")
    with pytest.raises(ChangedError, match=r"plugins\.py"):
        fit(Session(shared_competition), "own")
    plugged.plugins.write_text(PLUGINS)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("loss=hinje", "hinje"),
        ("optimizer={slow: {shares: 1}}", "slow could not be created: .*shares"),
        ("callbacks={Watching: {}}", "Watching could not be created: .*stop_after"),
        ("loss=further.plugin.rigde", "further.plugin.rigde cannot be imported: .*plugin.py defines no 'rigde'"),
        ("loss=further.plugins.ridge", "further.plugins.ridge cannot be imported: there is no module"),
        ("optimizer=darker", "optimizer darker could not be created"),
    ],
)
def test_errors_of_plugins_are_found_before_training(
    shared_competition: Workspace, plugged: Experiment, override: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        fit(Session(shared_competition), "own", overrides=[override])


def test_the_error_of_code_that_fails_names_its_file(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = write_experiment(tiny_competition, "failing", "loss: mine\n")
    experiment.plugins.write_text("def mine(target, prediction):\n    return 0\n\n\nmissing()\n")
    with pytest.raises(ConfigError, match=r"plugins\.py:5 raised an error: NameError: name 'missing'"):
        fit(Session(tiny_competition), "failing")
    assert not experiment.has_training()
    (tiny_competition.root / "broken_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tiny_competition.root))
    with pytest.raises(ConfigError, match=r"broken_module\.py:1 raised an error: ZeroDivisionError"):
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


OWN = """\
import numpy as np
import tensorflow as tf


def loss(target, prediction, power=2.0):
    return tf.reduce_mean(tf.abs(prediction - target) ** power)


class Loss(tf.keras.losses.Loss):
    wants = "logits"

    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale

    def call(self, target, logits):
        return self.scale * tf.nn.relu(1 - logits * (2 * target - 1))


def metric(prediction, truth, valid, power=1):
    return float((prediction == truth)[valid].mean()) ** power


class Metric(tf.keras.metrics.MeanAbsoluteError):
    wants = "probabilities"
    direction = "min"


def net(shape, classes, backbone, encoder_weights, width=2):
    inputs = tf.keras.Input(shape)
    return tf.keras.Model(inputs, tf.keras.layers.Conv2D(classes, width, padding="same")(inputs))


class Source:
    def __init__(self, count=4):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        mask = np.zeros((32, 32), np.uint8)
        mask[index : 9 + index] = 1
        return f"s{index}", 9 * index + 100 * mask, mask


class Callback:
    def __init__(self, patience=1): ...

    def epoch_end(self, values, epoch): ...


def optimizer(learning_rate, share=1.0):
    return tf.keras.optimizers.SGD(learning_rate * share)


def schedule(moment, lr, by=0.5):
    return lr * by**moment.epoch


def augment(image, labels, generator, width=4):
    image[:, :width] = 0
    return image, labels


WRONG = 3
"""

KINDS = {
    "loss": "loss: binary_crossentropy + MODULE.loss(power=1)",
    "loss of a class": "loss: {MODULE.Loss: {scale: 2}}",
    "metric": "primary_metric: {MODULE.metric: {power: 2}}",
    "metric of a class": "metrics: [MODULE.Metric]",
    "architecture": "architecture: MODULE.net\narchitecture_options: {width: 3}",
    "source": "data: {source: {MODULE.Source: {count: 6}}}",
    "callback": "callbacks: {MODULE.Callback: {patience: 3}}",
    "optimizer": "optimizer: {MODULE.optimizer: {share: 0.5}}",
    "schedule": "schedule: {MODULE.schedule: {by: 0.1}}",
    "augmentation": "augmentation: {MODULE.augment: {width: 2}}",
}
KEYS = {kind: lines.partition(":")[0] for kind, lines in KINDS.items()} | {"source": "data.source"}
PLAIN = """\
architecture: ModularUnet
architecture_options: {depth: 1, convolutions: 1, start_filters: 4}
backbone: null
shape: [32, 32, 3]
stages: [{epochs: 1}]
"""


def plan(config: Path) -> None:
    """Everything that a fit builds before it trains."""
    loaded = load_config(config)
    with loaded.naming_places():
        find_labelled(loaded.config)
    plan_training(loaded, Plugins(config))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a configuration that names one kind of own code, in a module beside it or in the working folder."""
    (tmp_path / "working").mkdir()
    monkeypatch.chdir(tmp_path / "working")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))

    def own(kind: str, place: str = "beside", *, plugins: bool = False, code: str = OWN, called: str = "") -> Path:
        folder = tmp_path / "experiments" / "own"
        folder.mkdir(parents=True)
        module = f"own_{kind.replace(' ', '_')}"
        (folder if place == "beside" else Path.cwd()).joinpath(f"{module}.py").write_text(code)
        if plugins:
            (folder / "plugins.py").write_text("def unused(): ...\n")
        lines = KINDS[kind].replace("MODULE", module)
        if called:
            lines = re.sub(rf"{module}\.\w+", called.replace("MODULE", module), lines)
        data = "" if kind == "source" else "data: {source: data_of.Source}\n"
        (folder / "data_of.py").write_text(OWN)
        names = {line.partition(":")[0] for line in lines.splitlines()}
        rest = "".join(line + "\n" for line in PLAIN.splitlines() if line.partition(":")[0] not in names)
        (folder / "config.yaml").write_text(f"{lines}\n{data}{rest}")
        return folder / "config.yaml"

    return own


@pytest.mark.parametrize("plugins", [False, True], ids=["without plugins.py", "with plugins.py"])
@pytest.mark.parametrize("place", ["beside", "working folder"])
@pytest.mark.parametrize("kind", KINDS)
def test_own_code_of_every_kind_is_found_by_its_dotted_path(
    own: Callable[..., Path], kind: str, place: str, plugins: bool
) -> None:
    config = own(kind, place, plugins=plugins)
    plan(config)
    names = {f"own_{kind.replace(' ', '_')}.{name}" for name in re.findall(r"MODULE\.(\w+)", KINDS[kind])}
    assert names <= dotted_names(load_config(config).config)


@pytest.mark.parametrize(
    ("called", "code", "words"),
    [
        ("no_module.f", OWN, "no_module.f cannot be imported: there is no module 'no_module'"),
        ("MODULE.nothing", OWN, r"own_\w+\.py defines no 'nothing'"),
        ("MODULE.WRONG", OWN, r"own_\w+\.WRONG is 3 of type int, expected a function or a class"),
        ("MODULE.f", "x = 1\nx / 0\n", r"own_\w+\.py:2 raised an error: ZeroDivisionError"),
        ("MODULE.f", "x = (\n", r"own_\w+\.py:1: '\(' was never closed"),
    ],
    ids=["no module", "no attribute", "wrong kind", "raises", "no Python"],
)
@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_of_own_code_is_reported_with_file_line_and_key(
    own: Callable[..., Path], kind: str, called: str, code: str, words: str
) -> None:
    config = own(kind, code=code, called=called)
    with pytest.raises(ConfigError, match=rf"^{config}:1: {KEYS[kind]}\S*: (character 1: )?.*{words}"):
        plan(config)


def test_commands_that_only_read_never_run_own_code(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    """Own losses and callbacks; a metric of one's own is run by what computes it."""
    lines = "loss: own_noting.loss\noptimizer: own_noting.optimizer\n"
    experiment = write_experiment(tiny_competition, "noting", lines)
    note = experiment.folder / "note.txt"
    code = f"with open({str(note)!r}, 'a') as file:\n    file.write('run ')\n"
    (experiment.folder / "own_noting.py").write_text(OWN + code)
    (experiment.folder / "plugins.py").write_text(code + "def unused(): ...\n")
    session = Session(tiny_competition)
    fit(session, "noting")
    assert note.read_text() == "run "
    fit(session, "plain")
    forget_own_modules()
    list_experiments(session)
    compare(session, ["plain", "noting"])
    compare(session, ["noting", "plain"])
    leaderboard(session)
    assert note.read_text() == "run "


BRANCHING = """\
import tensorflow as tf


def branching_loss(target, prediction):
    if tf.reduce_mean(prediction) > 2.0:
        return tf.reduce_mean(prediction)
    return tf.reduce_mean(tf.square(tf.cast(target, tf.float32) - prediction))


class Halving(tf.keras.layers.Layer):
    def call(self, inputs):
        if tf.reduce_max(inputs) > 1e6:
            return inputs / 2
        return inputs * 1.0


def branching_network(shape, classes, **_):
    image = tf.keras.Input(shape)
    return tf.keras.Model(image, Halving()(tf.keras.layers.Conv2D(classes, 1)(image / 255)))
"""


def test_own_code_may_branch_on_tensors(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    """In a loss beside a network of the toolkit, and in a network beside a loss of the toolkit."""
    for name, line in (("loss", "loss: branching_loss"), ("net", "architecture: branching_network")):
        options = "" if name == "loss" else "architecture_options: !replace {}\n"
        experiment = write_experiment(tiny_competition, name, f"{line}\n{options}")
        (experiment.folder / "plugins.py").write_text(BRANCHING)
        assert fit(Session(tiny_competition), name, options=FitOptions(folds=[0])).folds[0] is not None
