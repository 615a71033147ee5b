import re
from pathlib import Path
from typing import Any

import pytest

from toolkit.config.training.losses import parse_loss
from toolkit.core.metrics.registry import MetricSpec, PluginMetric, build_metric
from toolkit.errors import ConfigError
from toolkit.files.experiment.folder import Experiment
from toolkit.learning.losses.registry import build_loss
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.plugins import Plugins, called, check_call, create
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.tf

CODE = """\
from dataclasses import dataclass

RUNS = []
RUNS.append(1)

def double(value):
    return 2 * value

@dataclass
class Point:
    x: int = 0

def runs():
    return len(RUNS)

def _hidden(): ...
"""


def plugins_of(folder: Path, code: str = CODE) -> Plugins:
    (folder / "plugins.py").write_text(code)
    return Plugins(folder / "config.yaml")


def test_names_come_from_plugins_or_by_a_dotted_path(tmp_path: Path) -> None:
    found = plugins_of(tmp_path)
    assert list(found) == ["Point", "double", "runs"]
    assert found["double"](3) == 6
    assert found["Point"]().x == 0
    assert found["math.sqrt"](9) == 3
    assert "double" in found
    assert "math.sqrt" in found
    assert "_hidden" not in found
    with pytest.raises(KeyError):
        found["_hidden"]


def test_the_file_is_run_once_and_only_when_something_is_asked_for(tmp_path: Path) -> None:
    found = plugins_of(tmp_path, "raise ValueError('boom')\ndef f(): ...\n")
    assert list(found) == ["f"]
    with pytest.raises(ConfigError, match=r"plugins\.py:1 raised an error: ValueError: boom"):
        found["f"]
    found = plugins_of(tmp_path)
    assert [found["runs"]() for _ in range(2)] == [1, 1]


def test_the_files_of_two_experiments_are_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first = plugins_of(tmp_path / "a", "def f(): return 'a'\n")
    second = plugins_of(tmp_path / "b", "def f(): return 'b'\n")
    assert (first["f"](), second["f"]()) == ("a", "b")


def test_without_a_file_there_are_dotted_paths(tmp_path: Path) -> None:
    found = Plugins(tmp_path / "config.yaml")
    assert len(found) == 0
    assert found["math.floor"](1.5) == 1


def test_a_metric_and_a_loss_are_found_by_a_dotted_path_without_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dotted_plugins.py").write_text(
        "def share(prediction, truth, valid): return 0.25\n"
        "def flat(target, prediction): return 0.5 + 0.0 * prediction[0, 0, 0, 0]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins = Plugins(tmp_path / "config.yaml")
    metric = build_metric(MetricSpec("dotted_plugins.share"), 1, "sigmoid", plugins)
    assert isinstance(metric, PluginMetric)
    assert metric.call(None, None, None) == 0.25  # type: ignore[arg-type]
    loss = build_loss(parse_loss("dotted_plugins.flat", plugins), "sigmoid", plugins=plugins)
    target = tf.zeros((1, 4, 4, 1), tf.uint8)
    assert float(loss(target, Outputs(tf.zeros((1, 4, 4, 1))), tf.constant(0.0))) == 0.5


def test_an_ensemble_has_the_plugins_of_the_first_experiment_in_it(tmp_path: Path) -> None:
    rest = "weights: [1, 1]\nprimary_metric: dice\n"
    for name, members in (
        ("single", ""),
        ("pair", "members: [single, other]\n"),
        ("both", "members: [pair, single]\n"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(members + rest if members else "seed: 1\n")
    (tmp_path / "single" / "plugins.py").write_text(CODE)
    assert list(Plugins.of(Experiment(tmp_path / "both"))) == ["Point", "double", "runs"]
    plugins = Plugins.of(Experiment(tmp_path / "pair"))
    (tmp_path / "single" / "config.yaml").unlink()
    assert "math.sqrt" in plugins  # no member is read for it


@pytest.mark.parametrize("name", ["no_such_module.f", "math.no_such_function"])
def test_a_dotted_path_that_leads_nowhere_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=name.replace(".", r"\.")):
        Plugins(tmp_path / "config.yaml")[name]


def three(first: Any, second: Any, third: int = 3) -> None: ...


@pytest.mark.parametrize("arguments", [{}, {"third": 1}])
def test_a_function_that_accepts_its_arguments_passes(arguments: dict[str, Any]) -> None:
    check_call("three", three, ("a", "b"), arguments)
    check_call("max", max, ("a", "b"), arguments)  # has no signature


@pytest.mark.parametrize(
    ("parameters", "arguments", "given"),
    [
        (("a", "b"), {"thrid": 1}, r"\(a, b, thrid=1\): got an unexpected keyword argument 'thrid'"),
        (("a",), {}, r"\(a\): missing a required argument: 'second'"),
        (("a", "b", "c", "d"), {}, r"\(a, b, c, d\): too many positional arguments"),
        (("a", "b"), {"first": 1}, r"\(a, b, first=1\): multiple values for argument 'first'"),
    ],
)
def test_the_error_of_other_arguments_shows_signature_and_call(
    parameters: tuple[str, ...], arguments: dict[str, Any], given: str
) -> None:
    with pytest.raises(ValueError, match=rf"three\(first.* cannot be called with {given}"):
        check_call("three", three, parameters, arguments)


def failing(*values: Any, **arguments: Any) -> None:
    raise OSError("no disk")


def test_errors_of_functions_that_are_called_have_file_and_line() -> None:
    place = f"{__file__}:{failing.__code__.co_firstlineno + 1}: OSError: no disk"
    with pytest.raises(ConfigError, match=re.escape(f"the schedule mine failed: {place}")):
        called("the schedule mine", failing, 1, lr=2)
    with pytest.raises(ValueError, match=re.escape(f"the callback mine could not be created: {place}")):
        create("callback", "mine", {"mine": failing}, {"patience": 3})
    assert called("the schedule mine", max, 1, 2) == 2


def test_errors_of_the_toolkit_pass_through() -> None:
    def refuse() -> None:
        raise ConfigError("told already")

    with pytest.raises(ConfigError, match="told already"):
        called("the schedule mine", refuse)
    with pytest.raises(ConfigError, match="told already"):
        create("callback", "mine", {"mine": refuse}, {})
