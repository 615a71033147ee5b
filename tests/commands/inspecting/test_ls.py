import json
from dataclasses import replace
from pathlib import Path

from toolkit.commands.inspecting.ls import ListedExperiment, list_experiments
from toolkit.commands.session import Session
from toolkit.config.loading import load_config, plain_config
from toolkit.files.disk.json_files import write_json
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import Resolved, write_resolved
from toolkit.files.experiment.workspace import Workspace

CONFIG = "data: {images: images, masks: masks}\nfolds_count: 2\nstages: [{epochs: 1}]\n"


def write(workspace: Workspace, name: str, config: str = CONFIG) -> Experiment:
    experiment = Experiment(workspace.experiments / name)
    write_text(experiment.config, config)
    return experiment


def finish(experiment: Experiment, score: float) -> None:
    write_json(experiment.score, {"metric": "dice", "folds": [], "all": score})


def test_the_list_shows_the_state_of_each_experiment(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    tuned = write(workspace, "a")
    finish(tuned, 0.5)
    write_json(tuned.tuned, {"tuned": 0.75, "nested": 0.625})
    begun = write(workspace, "begun")
    config = plain_config(load_config(begun.config).config, begun.folder)
    write_resolved(begun, Resolved(config, {}, "float32", {}))
    for fold, complete in ((0, True), (1, False)):
        stage = begun.stage(fold, 0)
        write_json(stage.state, {"complete": complete})
        stage.best_weights.write_text("weights")
    finish(write(workspace, "both", "members: [a, begun]\nweights: [1, 1]\nprimary_metric: dice\n"), 0.25)
    write(workspace, "new")
    write(workspace, "wrong", "members: 3\n")
    result = list_experiments(Session(workspace))
    assert result.experiments[0].finished == tuned.score.stat().st_mtime
    assert [replace(one, finished=None) for one in result.experiments[:-1]] == [
        ListedExperiment("a", "experiment", "finished", "dice", 0.5, 0.75, 0.625),
        ListedExperiment("begun", "experiment", "1 of 2 folds trained"),
        ListedExperiment("both", "ensemble of 2", "finished", "dice", 0.25),
        ListedExperiment("new", "experiment", "new"),
    ]
    assert result.experiments[-1].state.startswith("broken: ")
    (table,) = result.tables()
    assert table.rows[0] == ("a", "experiment", "finished", "dice", "0.5000", "0.7500", "0.6250")
    assert table.rows[1][-3:] == ("", "", "")
    assert result.next_steps() == []


def test_without_experiments_the_next_command_makes_one(tmp_path: Path) -> None:
    assert list_experiments(Session(Workspace(tmp_path))).next_steps()[0].startswith("next: tk new NAME")


def test_verbose_also_shows_what_constant_masks_score(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    experiment = workspace.experiments / "a"
    experiment.mkdir(parents=True)
    (experiment / "config.yaml").write_text(CONFIG)
    constant = {"empty": 0.39, "best": 0.41, "masks": "all salt", "gain": 0.1, "standard_error": 0.01}
    (experiment / "score.json").write_text(
        json.dumps({"metric": "dice", "folds": [], "all": 0.5, "constant": constant})
    )
    (table,) = list_experiments(Session(workspace), verbose=True).tables()
    assert table.columns[-2:] == ("empty", "constant")
    assert table.rows[0][-2:] == ("0.3900", "0.4100")
    (brief,) = list_experiments(Session(workspace)).tables()
    assert brief.columns[-1] == "nested"
