"""Covers toolkit/commands/training/settings.py."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolkit.commands.inspecting.config import show_config
from toolkit.commands.session import Session
from toolkit.commands.training.settings import load_as_run, load_for_training, save_settings
from toolkit.config.loading import load_config, plain_config
from toolkit.errors import ConfigError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import Resolved, read_resolved, settings_as_run, write_resolved
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Silent

CONFIG = """\
# weak on purpose
data: {images: ../../images, masks: ../../masks}
folds_count: 5   # as the others do
stages: [{epochs: 9}]
"""


class Heard(Silent):
    """Remembers what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., Experiment]:
    """Makes an experiment as if `tk fit` had begun to train it with these overrides."""

    def trained(*overrides: str, text: str = CONFIG) -> Experiment:
        experiment = Experiment(tmp_path / "experiments" / "exp")
        experiment.folder.mkdir(parents=True, exist_ok=True)
        experiment.config.write_text(text)
        loaded, settings = load_for_training(session(tmp_path), experiment, overrides, restart=False, save=False)
        plain = plain_config(loaded.config, experiment.folder)
        write_resolved(experiment, Resolved(plain, {}, "float32", {}, settings))
        experiment.stage(0, 0).last.mkdir(parents=True, exist_ok=True)
        (experiment.stage(0, 0).last / "state.json").write_text("{}")
        assert experiment.has_training()
        return experiment

    return trained


def session(root: Path, heard: Heard | None = None) -> Session:
    return Session(Workspace(root), heard or Silent())


def test_later_commands_use_what_was_set_for_the_training_and_say_so(
    trained: Callable[..., Experiment], tmp_path: Path
) -> None:
    experiment = trained("folds_count=2", "stages.0.epochs=1")
    heard = Heard()
    config = load_as_run(session(tmp_path, heard), experiment, ["seed=7"]).config
    assert (config.folds_count, config.stages[0].epochs, config.seed) == (2, 1, 7)
    (line,) = heard.lines
    assert "trained with folds_count=2, stages.0.epochs=1" in line
    assert "tk fit exp --save" in line
    assert "tk fit exp --restart" in line
    assert show_config(session(tmp_path), "exp")["folds_count"] == 2
    assert load_as_run(session(tmp_path), experiment, ["folds_count=3"]).config.folds_count == 3


def test_nothing_is_said_where_the_file_says_the_same(trained: Callable[..., Experiment], tmp_path: Path) -> None:
    experiment = trained("folds_count=2")
    experiment.config.write_text(CONFIG.replace("folds_count: 5", "folds_count: 2"))
    heard = Heard()
    assert load_as_run(session(tmp_path, heard), experiment).config.folds_count == 2
    assert not heard.lines


def test_a_second_training_goes_on_with_them_and_a_restart_does_not(
    trained: Callable[..., Experiment], tmp_path: Path
) -> None:
    experiment = trained("folds_count=2", "seed=3")
    loaded, settings = load_for_training(session(tmp_path), experiment, ["seed=4"], restart=False, save=False)
    assert (loaded.config.folds_count, loaded.config.seed, settings) == (2, 4, {"folds_count": 2, "seed": 4})
    loaded, settings = load_for_training(session(tmp_path), experiment, ["seed=4"], restart=True, save=False)
    assert (loaded.config.folds_count, loaded.config.seed, settings) == (5, 4, {"seed": 4})


def test_without_training_there_are_none(trained: Callable[..., Experiment], tmp_path: Path) -> None:
    experiment = trained("folds_count=2")
    experiment.forget_results()
    assert settings_as_run(experiment) == {}
    assert load_as_run(session(tmp_path), experiment).config.folds_count == 5


def test_paths_are_kept_relative_to_the_experiment(
    trained: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = trained("data.test=pictures", "data.images=other")
    assert read_resolved(experiment).settings == {"data.test": "../../pictures", "data.images": "../../other"}
    monkeypatch.chdir(tmp_path.parent)
    assert load_as_run(session(tmp_path), experiment).config.data.images == tmp_path / "other"


@pytest.mark.parametrize(
    "overrides",
    [
        ("folds_count=2",),
        ("stages.0.epochs=3", "lr=1e-2"),
        ("architecture=FPN", "architecture_options={pyramid_dropout: 0.1}"),
        ("augmentation={HorizontalFlip: 0.5}", "data.mask_values=[1]"),
    ],
)
def test_saved_settings_are_the_configuration_and_comments_stay(
    trained: Callable[..., Experiment], tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    experiment = trained(*overrides)
    wanted, settings = load_for_training(session(tmp_path), experiment, (), restart=False, save=True)
    heard = Heard()
    save_settings(experiment, wanted, settings, heard)
    assert load_config(experiment.config).config == wanted.config == load_as_run(session(tmp_path), experiment).config
    text = experiment.config.read_text()
    assert text.startswith("# weak on purpose\n")
    assert "# as the others do" in text
    assert f"into {experiment.config}" in heard.lines[0]


def test_inherited_lists_and_mappings_are_written_whole(trained: Callable[..., Experiment], tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    options = "architecture_options: {decoder_use_batchnorm: false}\n"
    (tmp_path / "experiments" / "base.yaml").write_text(CONFIG.replace("../../", "../") + options)
    experiment = trained(
        "stages.0.epochs=2", "architecture_options={}", text="extends: ../base.yaml\nlr: 1e-2 # high\n"
    )
    wanted, settings = load_for_training(session(tmp_path), experiment, (), restart=False, save=True)
    save_settings(experiment, wanted, settings, Silent())
    assert load_config(experiment.config).config == wanted.config
    assert wanted.config.architecture_options == {}
    assert "lr: 1e-2 # high" in experiment.config.read_text()
    assert "architecture_options: !replace {}" in experiment.config.read_text()


def test_nothing_to_save_is_said_and_a_file_that_cannot_say_it_is_left(
    trained: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = trained()
    heard = Heard()
    wanted, settings = load_for_training(session(tmp_path), experiment, (), restart=False, save=True)
    save_settings(experiment, wanted, settings, heard)
    assert "nothing to save" in heard.lines[0]
    before = experiment.config.read_text()
    broken: Any = lambda text, tree: text  # noqa: E731
    monkeypatch.setattr("toolkit.commands.training.settings.edited", broken)
    wanted, settings = load_for_training(session(tmp_path), experiment, ["lr=0.5"], restart=False, save=True)
    with pytest.raises(ConfigError, match=r"cannot be changed to say lr=0\.5"):
        save_settings(experiment, wanted, settings, Silent())
    assert experiment.config.read_text() == before
