import colorsys
import os
import sys
from pathlib import Path

import pytest

from toolkit.errors import ConfigError
from toolkit.files.code.plugin_loading import load_dotted, load_plugins, prepare_for_tensorflow


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


def test_tensorflow_starts_as_many_threads_as_the_container_has_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.files.code.plugin_loading.usable_cores", lambda: 3)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    prepare_for_tensorflow()
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "3"
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    prepare_for_tensorflow()
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "1"  # the user's own choice


def test_a_file_that_is_missing_or_raises_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no file .*plugins\.py"):
        load_plugins(tmp_path / "plugins.py")
    (tmp_path / "plugins.py").write_text("raise ValueError('boom')\n")
    with pytest.raises(ConfigError, match=r"plugins\.py:1 raised an error: ValueError: boom"):
        load_plugins(tmp_path / "plugins.py")


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a configuration; another one is the working folder."""
    for name in ("experiment", "working"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "working")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    return tmp_path / "experiment"


def test_a_dotted_path_names_an_installed_object(tmp_path: Path) -> None:
    assert load_dotted("os.path.join", tmp_path) is os.path.join


def test_modules_lie_beside_the_configuration_or_in_the_working_folder(beside: Path) -> None:
    (beside / "own_beside.py").write_text("import own_helper\ndef f(): return own_helper.value\n")
    (Path.cwd() / "own_helper.py").write_text("value = 3\n")
    (Path.cwd() / "own_package").mkdir()
    (Path.cwd() / "own_package" / "inner.py").write_text("class C: ...\n")
    assert load_dotted("own_beside.f", beside)() == 3
    assert load_dotted("own_package.inner.C", beside).__name__ == "C"
    assert not list(beside.parent.rglob("*.pyc"))


def test_plugins_import_modules_beside_them_and_run_again_when_those_change(beside: Path) -> None:
    (beside / "plugins.py").write_text("from own_constant import value\ndef f(): return value\n")
    for value in (1, 2):
        (beside / "own_constant.py").write_text(f"value = {value}\n")
        assert load_plugins(beside / "plugins.py").f() == value


def test_a_module_runs_again_only_when_it_changes(beside: Path) -> None:
    path = beside / "own_counted.py"
    path.write_text("runs = []\nruns.append(1)\ndef f(): return len(runs)\n")
    assert load_dotted("own_counted.f", beside) is load_dotted("own_counted.f", beside)
    path.write_text("def f(): return 'changed'\n")
    assert load_dotted("own_counted.f", beside)() == "changed"


def test_modules_of_the_same_name_beside_two_configurations_are_told_apart(beside: Path) -> None:
    other = beside.parent / "other"
    other.mkdir()
    for folder in (beside, other):
        (folder / "own_twice.py").write_text(f"def f(): return {folder.name!r}\n")
    found = [load_dotted("own_twice.f", folder) for folder in (beside, other, beside)]
    assert [f() for f in found] == ["experiment", "other", "experiment"]


def test_a_file_never_hides_a_module_of_python_or_a_package(beside: Path) -> None:
    (beside / "colorsys.py").write_text("raise ValueError\ndef mine(): ...\n")
    assert load_dotted("colorsys.rgb_to_hsv", beside) is colorsys.rgb_to_hsv
    with pytest.raises(ConfigError, match=r"defines no 'mine'.*\n.*experiment/colorsys\.py is not used.*rename"):
        load_dotted("colorsys.mine", beside)


def test_a_module_that_is_nowhere_is_reported_with_the_places_and_the_nearest(beside: Path) -> None:
    (beside / "own_losses.py").write_text("")
    with pytest.raises(ConfigError) as caught:
        load_dotted("own_loses.huber", beside)
    message = caught.value.message
    assert message.startswith("own_loses.huber cannot be imported: there is no module 'own_loses' beside the configur")
    assert str(beside) in message
    assert str(Path.cwd()) in message
    assert "did you mean 'own_losses'?" in message
    for name in ("os.path.inner.f", "no_such_module.name"):
        with pytest.raises(ConfigError, match=rf"{name} cannot be imported: there is no module"):
            load_dotted(name, beside)


def test_code_in_folders_without_init_is_loaded_or_the_file_that_is_missing_is_named(beside: Path) -> None:
    inner = beside / "own_space" / "deep" / "mine.py"
    inner.parent.mkdir(parents=True)
    inner.write_text("def huber(): ...\n")
    with pytest.raises(ConfigError) as caught:
        load_dotted("own_space.deep.mine.huber", beside)
    assert f"{beside / 'own_space'} holds no Python file itself" in caught.value.advice
    assert "__init__.py" in caught.value.advice
    (beside / "own_space" / "other.py").write_text("")
    assert load_dotted("own_space.deep.mine.huber", beside).__name__ == "huber"


def test_a_name_that_a_module_lacks_is_reported_with_the_nearest(beside: Path) -> None:
    (beside / "own_names.py").write_text("from math import floor\nLIMIT = 3\ndef huber(): ...\ndef _hidden(): ...\n")
    with pytest.raises(ConfigError) as caught:
        load_dotted("own_names.hubber", beside)
    file = beside / "own_names.py"
    text = f"{file} defines no 'hubber': 'hubber' is not valid; did you mean 'huber'? choose from huber"
    assert caught.value.message == f"own_names.hubber cannot be imported: {text}"
    with pytest.raises(ConfigError, match=r"own_names\.LIMIT is 3 of type int, expected a function or a class"):
        load_dotted("own_names.LIMIT", beside)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("x = 1\n1 / 0\n", r"own_broken\.py:2 raised an error: ZeroDivisionError: division by zero"),
        ("\n\ndef f(:\n", r"own_broken\.py:3: invalid syntax"),
        ("import no_such_package\n", r"own_broken\.py:1 raised an error: ModuleNotFoundError: .*no_such_package"),
        ("import sys\nsys.exit()\n", r"own_broken\.py:2 raised an error: SystemExit"),
        ("def g():\n    raise OSError('no disk')\n\ng()\n", r"own_broken\.py:2 raised an error: OSError: no disk"),
    ],
)
def test_code_that_fails_is_reported_with_its_line(beside: Path, code: str, words: str) -> None:
    (beside / "own_broken.py").write_text(code)
    with pytest.raises(ConfigError, match=words):
        load_dotted("own_broken.f", beside)


def test_the_log_of_tensorflow_is_held_back_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    lines = (
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
        "I0000 00:00:1796029197.015196    9521 port.cc:153] oneDNN custom operations are on.",
        "2026-11-30 08:00:00.123456: I tensorflow/core/platform/cpu_feature_guard.cc:210] This binary is optimized",
        "a warning of the user",
    )
    code = "import os\n" + "".join(f"os.write(2, {line.encode()!r} + bytes([10]))\n" for line in lines)
    (tmp_path / "plugins.py").write_text(code + "print('said')\n")
    load_plugins(tmp_path / "plugins.py")
    shown = capfd.readouterr()
    assert (shown.err, shown.out) == ("a warning of the user\n", "said\n")
