import os
import sys
from pathlib import Path

import pytest

from toolkit.errors import ConfigError
from toolkit.files.plugin_loading import load_dotted, load_plugins, prepare_for_tensorflow


def test_a_plugins_file_runs_again_only_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "plugins.py"
    path.write_text("runs = []\nruns.append(1)\n")
    first = load_plugins(path)
    assert load_plugins(path) is first
    path.write_text("runs = [2]\n")
    assert load_plugins(path).runs == [2]


def test_a_change_within_a_second_that_keeps_the_size_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "plugins.py"
    for value in (1, 2):
        path.write_text(f"value = {value}\n")
        os.utime(path, (1_800_000_000, 1_800_000_000))
        assert load_plugins(path).value == value
    assert list(tmp_path.iterdir()) == [path]


def test_the_plugins_files_of_two_experiments_are_separate(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plugins.py").write_text(f"name = {name!r}\n")
    loaded = [load_plugins(tmp_path / name / "plugins.py") for name in ("a", "b")]
    assert [module.name for module in loaded] == ["a", "b"]


def test_environment_variables_are_set_before_the_file_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SM_FRAMEWORK", raising=False)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    (tmp_path / "plugins.py").write_text("import os\nseen = dict(os.environ)\n")
    assert load_plugins(tmp_path / "plugins.py").seen["SM_FRAMEWORK"] == "tf.keras"
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "0"  # the user's own choice
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    prepare_for_tensorflow()
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1"


def test_a_file_that_is_missing_or_raises_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no file .*plugins\.py"):
        load_plugins(tmp_path / "plugins.py")
    (tmp_path / "plugins.py").write_text("raise ValueError('boom')\n")
    with pytest.raises(ConfigError, match=r"plugins\.py raised an error: ValueError: boom"):
        load_plugins(tmp_path / "plugins.py")


def test_a_dotted_path_names_an_object() -> None:
    assert load_dotted("os.path.join") is os.path.join
    for name in ("os.path.nothing", "no_such_module.name"):
        with pytest.raises(ConfigError, match=f"{name} cannot be imported"):
            load_dotted(name)
