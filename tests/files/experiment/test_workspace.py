import os
from pathlib import Path

import pytest

from toolkit.errors import ConfigError, MissingFileError
from toolkit.files.disk.json_files import write_json
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Silent


class Listening(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Experiments exp042 and b with a config.yaml, c with a config.json; a folder and a file that are none of them."""
    for name in ("exp042/config.yaml", "b/config.yaml", "c/config.json", "notes/ideas.txt", "README.md"):
        path = tmp_path / "experiments" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return Workspace(tmp_path)


def finish(experiment: Experiment, at: int) -> None:
    write_json(experiment.score, {})
    os.utime(experiment.score, (at, at))


@pytest.mark.parametrize(
    "given",
    [
        "exp042",
        "exp042/",
        "experiments/exp042",
        "experiments/exp042/",
        "./experiments/exp042",
        "experiments/b/../exp042",
        "experiments/exp042/config.yaml",
        "{root}/experiments/exp042",
        "{root}/experiments/exp042/config.yaml",
    ],
)
@pytest.mark.parametrize("root", ["", "{root}"], ids=["from here", "from elsewhere"])
def test_a_name_and_all_its_paths_are_interchangeable(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, given: str, root: str
) -> None:
    monkeypatch.chdir("/" if root else workspace.root)
    here = Workspace(Path(root.format(root=workspace.root)))
    found = here.find(given.format(root=workspace.root))
    assert found == here.find("exp042")
    assert found.folder == here.experiments / "exp042"
    assert found.name == "exp042"
    assert found.config.samefile(workspace.root / "experiments" / "exp042" / "config.yaml")


@pytest.mark.parametrize("given", [".", "config.yaml", "../exp042"])
def test_an_experiment_has_its_name_inside_its_own_folder_too(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.chdir(workspace.experiments / "exp042")
    assert Workspace(Path()).find(given).name == "exp042"


def test_an_experiment_may_be_elsewhere(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.yaml").write_text("{}")
    assert workspace.find("old").folder == tmp_path / "old"


@pytest.mark.parametrize("given", ["exp043", "notes", "experiments", "experiments/exp042/folds.csv", "", "README.md"])
def test_an_unknown_experiment_is_reported_with_the_existing_ones(workspace: Workspace, given: str) -> None:
    with pytest.raises(MissingFileError, match="existing experiments: b, c, exp042") as told:
        workspace.find(given)
    assert repr(given) in told.value.message


def test_without_experiments_an_unknown_one_is_reported(tmp_path: Path) -> None:
    assert Workspace(tmp_path).all() == []
    with pytest.raises(MissingFileError, match="existing experiments: none") as told:
        Workspace(tmp_path).find("exp042")
    assert "tk new exp042" in told.value.advice


def test_experiments_are_the_folders_with_a_configuration_by_name(workspace: Workspace) -> None:
    assert [experiment.name for experiment in workspace.all()] == ["b", "c", "exp042"]


def test_a_json_configuration_is_used_unless_there_is_yaml(workspace: Workspace) -> None:
    experiment = workspace.find("c")
    assert experiment.config.name == "config.json"
    assert workspace.find("experiments/c/config.json") == experiment
    (experiment.folder / "config.yaml").write_text("{}")
    assert experiment.config.name == "config.yaml"


@pytest.mark.parametrize("name", ["exp043", "exp042+b", "unet_0.5", "7", "notes", "x/", "experiments/x", "y" * 200])
def test_a_new_experiment_is_in_experiments(workspace: Workspace, name: str) -> None:
    experiment = workspace.new(name)
    assert experiment.folder.parent == workspace.experiments
    assert experiment.name == Path(name).name


@pytest.mark.parametrize(
    "name",
    [
        *("..", "../x", "experiments/../../x", "sub/x", "experiments/sub/x", "/x", "{root}/x"),
        *(".", "", ".x", "-x", "+x", "a b", "é", "a\nb", "a:b", "y" * 201),
    ],
)
def test_a_name_that_escapes_the_folder_or_is_not_valid_is_refused(workspace: Workspace, name: str) -> None:
    name = name.format(root=workspace.root)
    for place in (workspace.new, workspace.place):
        with pytest.raises(ConfigError, match="is not valid as the name of an experiment") as told:
            place(name)
        assert repr(name) in told.value.message


def test_an_absolute_path_to_the_folder_of_experiments_is_a_name(workspace: Workspace) -> None:
    assert workspace.new(str(workspace.experiments / "x")) == workspace.new("x")


@pytest.mark.parametrize("name", ["exp042", "c", "experiments/b"])
def test_an_existing_experiment_is_not_replaced(workspace: Workspace, name: str) -> None:
    with pytest.raises(ConfigError, match="already exists") as told:
        workspace.new(name)
    assert "config." in told.value.advice
    assert workspace.place(name) == workspace.find(name)


def test_the_last_finished_is_the_one_whose_score_is_newest(workspace: Workspace) -> None:
    first, second, _ = workspace.all()
    finish(first, at=2_000)
    finish(second, at=1_000)
    assert workspace.last_finished() == first
    finish(second, at=3_000)
    progress = Listening()
    assert workspace.find_or_last(None, progress) == second
    assert progress.said == ["using c, the most recently finished experiment"]
    assert workspace.find_or_last("exp042", progress).name == "exp042"


def test_without_a_finished_experiment_the_next_command_is_reported(workspace: Workspace) -> None:
    with pytest.raises(MissingFileError, match=r"no experiment in .* is finished") as told:
        workspace.last_finished()
    assert "tk fit" in told.value.advice


@pytest.mark.parametrize("folder", ["", "sub/"])
def test_a_file_of_another_system_names_the_command_that_translates_it(workspace: Workspace, folder: str) -> None:
    path = workspace.root / folder / "pics.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text("architecture: Unet\nstages: [{epochs: 1}]\n")
    with pytest.raises(ConfigError) as raised:
        workspace.find(f"{folder}pics.yaml")
    assert "tk import" in raised.value.advice


def test_a_module_and_a_missing_file_are_told_apart(workspace: Workspace) -> None:
    (workspace.root / "configs").mkdir()
    (workspace.root / "configs" / "config.py").write_text("def get_model(): ...\nbatch_size = 1\n")
    for name in ("configs.config", "configs/config.py"):
        with pytest.raises(ConfigError) as raised:
            workspace.find(name)
        assert "section patch_generator" in raised.value.advice
    with pytest.raises(MissingFileError, match="there is no file"):
        workspace.find("nothing.yaml")


def test_a_free_name_is_the_given_one_or_has_a_number(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert workspace.free_name("salt") == "salt"
    for taken in ("salt", "salt2"):
        (tmp_path / "experiments" / taken).mkdir(parents=True)
        (tmp_path / "experiments" / taken / "config.yaml").write_text("{}\n")
    assert workspace.free_name("salt") == "salt3"


@pytest.mark.parametrize("name", [".", "..", "/", "a.b"])
def test_a_folder_without_a_configuration_is_no_experiment(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingFileError, match="there is no experiment"):
        Workspace(tmp_path / "deep" / "inside").find(name)
