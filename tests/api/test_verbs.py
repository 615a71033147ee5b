"""Covers toolkit/api/verbs.py, named.py and outside.py."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.main import get_command

import toolkit
from toolkit import Experiment
from toolkit.api import verbs
from toolkit.cli import app
from toolkit.errors import ConfigError, DataError, MissingFileError, NotReadyError
from toolkit.files.experiment.workspace import Workspace

METHODS = {"fit": "fit", "tune": "tune", "submit": "submit", "predict": "predict_to"}
RENAMED = {"min_area": "minimum_area", "fold": "folds", "paths": "path"}
CLUSTER = {"on", "files"}
"""Options of a cluster; from Python it is an argument of Experiment, or of the function."""
VERBS = {"import": "import_config", "report": "write_report"}
"""Commands whose names are words of Python, or rooms of the package."""
SHOWN = {"as_json", "markdown", "verbose"}
"""Options that say how a result is printed; from Python it is a value."""


def commands(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for part, inner in command.commands.items():
        yield from commands(inner, f"{name}_{part}".lstrip("_").replace("-", "_"))


@pytest.mark.parametrize(("name", "command"), list(commands(get_command(app))))
def test_every_verb_has_its_python_form_with_the_same_arguments(name: str, command: Any) -> None:
    form = getattr(Experiment, METHODS[name]) if name in METHODS else getattr(toolkit, VERBS.get(name, name))
    there = inspect.signature(form).parameters
    given = {parameter.name for parameter in command.params if parameter.name not in SHOWN}
    if given >= CLUSTER:
        given -= CLUSTER
        assert "cluster" in {**there, **inspect.signature(Experiment).parameters}
    if name in METHODS:  # an Experiment has one engine for all its predictions
        given -= {"experiment", "engine"} & {"experiment", *inspect.signature(Experiment).parameters}
    if name == "submit":  # it has another result
        given -= {"oof"}
        assert callable(Experiment.submit_oof)
        of_images = {"images", "sample", "out"}  # other images have another result
        given -= of_images
        assert {*of_images, "minutes", "engine"} <= inspect.signature(toolkit.submit_images).parameters.keys()
    if name == "evaluate":  # other images have another result
        given -= {"images", "masks", "out", "engine"}
        assert {"images", "masks", "out"} <= inspect.signature(Experiment.evaluate).parameters.keys()
    wanted = {RENAMED.get(one, one) if name in METHODS else one for one in given if one is not None}
    assert wanted <= there.keys()
    for parameter in command.params:
        known = there.get(str(parameter.name))
        if known is not None and name not in METHODS and not parameter.required:
            assert (known.default or None) == (parameter.default or None), parameter.name


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_first_steps(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = verbs.simulate("salt", "salt", count=12, test_count=2, size=32)
    assert made.simulation.size == (32, 32)
    assert verbs.init("salt", name="first").training_images == 12
    second = verbs.new("second", extends="first", overrides=["seed=3"])
    assert (second.training_images, second.config) == (12, "experiments/second/config.yaml")
    third = verbs.new("third", images=root / "salt/train/images", masks="salt/train.csv", competition="tgs-salt")
    assert third.next_steps() == ["next: check experiments/third/config.yaml, then tk fit third"]
    assert [one.name for one in verbs.ls().experiments] == ["first", "second", "third"]
    assert verbs.config_show("second")["seed"] == 3
    assert verbs.config_show(Experiment("experiments/first"), overrides=["seed=4"])["seed"] == 4
    assert "properties" in verbs.config_schema()
    assert verbs.data("first").exit_code == 0
    assert verbs.lb().submissions == []
    assert verbs.check("salt/sample_submission.csv", sample="salt/sample_submission.csv").rows == 2
    solution = "salt/solution.csv"
    assert verbs.score(solution, solution, images="salt/test/images", metric="dice").score == 1
    with pytest.raises(MissingFileError, match="there is no experiment 'fourth'"):
        verbs.data("fourth")
    with pytest.raises(NotReadyError):
        verbs.evaluate("first")
    with pytest.raises(ConfigError, match="there is nothing to compare first with"):
        verbs.compare(["first"])
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""


def test_an_experiment_without_files_starts_from_a_dataset(root: Path) -> None:
    images, masks = np.zeros((6, 8, 9), np.uint8), np.ones((6, 8, 9), np.bool_)
    made = verbs.new("cells", (images, masks), overrides=["folds_count=3"])
    assert (made.training_images, made.test_images) == (6, 0)
    assert made.next_steps() == [
        "next: check experiments/cells/config.yaml, then Experiment('experiments/cells').fit(dataset)"
    ]
    text = (root / "experiments/cells/config.yaml").read_text()
    assert "folds_count: 3" in text
    assert "# Images and masks: the dataset that Experiment(path).fit(dataset) is given in Python\n" in text
    assert "source:" not in text
    given = Experiment("experiments/cells", (images, masks))
    assert any("6 images" in one.message for one in verbs.data(given).findings)
    with pytest.raises(ConfigError, match="required key data is missing"):
        verbs.data("cells")
    with pytest.raises(DataError, match="there are 6 images and 5 masks"):
        verbs.new("others", (images, masks[:5]))


@pytest.mark.train
def test_what_is_fitted_is_compared_and_joined(fitted_competition: Workspace, root: Path) -> None:
    plain, other = (Experiment(fitted_competition.experiments / name) for name in ("plain", "other"))
    compared = verbs.compare([plain, other], csv="table.csv")
    assert [one.name for one in compared.experiments] == ["plain", "other"]
    assert (root / "table.csv").is_file()
    with pytest.raises(ConfigError, match=r"^mean: "):
        verbs.ensemble([plain, other], mean="middle")
