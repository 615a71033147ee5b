from pathlib import Path

import pytest

from toolkit.config.loading import load_config
from toolkit.config.yaml.plugin_names import names_defined_beside, names_of_kind
from toolkit.errors import ConfigError

CODE = '''\
"""A loss and a callback."""
from collections.abc import Sequence
import a_module_that_nobody_has

LIMIT = 3

raise RuntimeError("this is not to be run")


def my_loss(target, prediction):
    def inner(): ...


class MyCallback:
    def method(self): ...


def _of_my_own(): ...


async def waiting(): ...


if LIMIT:
    def perhaps(): ...
'''
CONFIG = "data: {images: a, masks: b}\nstages: [{epochs: 1}]\n"


def test_functions_and_classes_are_found_without_running_anything(tmp_path: Path) -> None:
    (tmp_path / "plugins.py").write_text(CODE)
    assert names_defined_beside(tmp_path / "config.yaml") == {"my_loss", "MyCallback"}


def test_without_plugins_nothing_is_defined(tmp_path: Path) -> None:
    assert names_defined_beside(tmp_path / "config.yaml") == frozenset()


@pytest.mark.parametrize(
    ("code", "line", "words"),
    [
        ("import os\n\ndef f(:\n    pass\n", 3, "invalid syntax"),
        ("def f():\n    return (1,\n", 2, "never closed"),
        ("x = 1\n  y = 2\n", 2, "unexpected indent"),
        ("x = '\0'\n", 1, "null bytes"),
    ],
)
def test_invalid_python_is_reported_with_its_line(tmp_path: Path, code: str, line: int, words: str) -> None:
    (tmp_path / "plugins.py").write_text(code)
    with pytest.raises(ConfigError) as caught:
        names_defined_beside(tmp_path / "config.yaml")
    assert caught.value.message.startswith(f"{tmp_path / 'plugins.py'}:{line}: ")
    assert words in caught.value.message


def test_a_file_that_is_not_text_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "plugins.py").write_bytes(b"x = '\xff'\n")
    with pytest.raises(ConfigError, match=r"plugins\.py:1: .*utf-8"):
        names_defined_beside(tmp_path / "config.yaml")


@pytest.mark.parametrize(
    "line",
    [
        "loss: binary_crossentropy + 0.5*my_loss(gamma=2)",
        "optimizer: {my_loss: {anything: goes}}",
        "schedule: my_loss",
        "callbacks: {MyCallback: {anything: goes}}",
        "metrics: [dice, {my_loss: {anything: goes}}]",
        "primary_metric: my_loss",
        "augmentation: [my_loss, {HorizontalFlip: 0.5}]",
        "transforms: {my_loss: {anything: goes}}",
        "architecture: MyCallback\narchitecture_options: {anything: goes}\nbackbone: null\nshape: [33, 7, 2]",
    ],
)
def test_names_of_plugins_are_valid_in_the_configuration(tmp_path: Path, line: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG + line + "\n")
    if not line.startswith("transforms"):  # only what trains knows the names of albumentations
        with pytest.raises(ConfigError, match="is not valid"):
            load_config(path)
    (tmp_path / "plugins.py").write_text(CODE)
    load_config(path)


def test_a_misspelt_plugin_is_reported_with_the_right_name(tmp_path: Path) -> None:
    (tmp_path / "plugins.py").write_text(CODE)
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG + "loss: my_los\ncallbacks: {MyCalback: {}}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert f"{path}:3: loss: character 1: loss 'my_los' is not valid; did you mean 'my_loss'?" in caught.value.message
    assert f"{path}:4: callbacks: 'MyCalback' is not valid; did you mean 'MyCallback'?" in caught.value.message


KINDS = """
from tf_keras.callbacks import Callback

def get_model(shape, classes): ...
def my_loss(y_true, y_pred): ...
def noise(image, labels, generator): ...
def other(a, b): ...
class Mine(Callback): ...
"""


def test_kinds_are_read_from_first_parameters(tmp_path: Path) -> None:
    (tmp_path / "plugins.py").write_text(KINDS)
    names = names_defined_beside(tmp_path / "config.yaml")
    assert names_of_kind("loss", names) == ["my_loss", "other"]
    assert names_of_kind("architecture", names) == ["get_model", "other"]
    assert names_of_kind("callback", names) == ["Mine", "other"]
    assert names_of_kind("loss", frozenset({"b", "a"})) == ["a", "b"]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("loss: get_model", "get_model of plugins.py is no loss: by its first parameter it is an architecture"),
        ("architecture: my_loss", "my_loss of plugins.py is no architecture"),
    ],
)
def test_a_function_of_another_kind_is_refused(tmp_path: Path, key: str, told: str) -> None:
    (tmp_path / "plugins.py").write_text(KINDS)
    (tmp_path / "config.yaml").write_text(f"{CONFIG}{key}\n")
    with pytest.raises(ConfigError, match=told):
        load_config(tmp_path / "config.yaml")
    (tmp_path / "config.yaml").write_text(f"{CONFIG}loss: my_los\n")
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "config.yaml")
    assert "my_loss" in raised.value.message
    assert "get_model" not in raised.value.message
