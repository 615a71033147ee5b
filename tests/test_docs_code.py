"""Runs the code of docs/python.md and exporting.md, and commands of predicting.md, comparing.md and submitting.md."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from toolkit import Experiment, export
from toolkit.cli import app
from toolkit.core.masks.rle import decode
from toolkit.files.experiment.workspace import Workspace
from toolkit.learning.predicting.exporting.registry import EXPORT_FORMATS

pytestmark = pytest.mark.train

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def workspace(fitted_competition: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A copy of a fitted competition, with the experiment and folder names of the pages; it is the working folder."""
    root = Path(shutil.copytree(fitted_competition.root, tmp_path / "work"))
    experiments = root / "experiments"
    for name, other in (("plain", "exp042"), ("other", "exp045"), ("both", "exp042+exp045")):
        shutil.copytree(experiments / name, experiments / other)
    config = experiments / "exp042+exp045" / "config.yaml"
    config.write_text(config.read_text().replace("plain", "exp042").replace("other", "exp045"))
    (root / "photos").mkdir()
    for name, image in (("a", "020"), ("b", "021")):
        shutil.copy(root / "data" / "test" / "images" / f"{image}.png", root / "photos" / f"{name}.png")
    (root / "validation" / "masks").mkdir(parents=True)
    shutil.copytree(root / "data" / "test" / "images", root / "validation" / "images")
    shutil.copy(root / "data" / "solution.csv", root / "validation.csv")
    for image_id, runs in (row.split(",") for row in (root / "validation.csv").read_text().splitlines()[1:]):
        mask = decode(runs, size=(40, 48)).astype(np.uint8)
        cv2.imwrite(str(root / "validation" / "masks" / f"{image_id}.png"), mask)
    monkeypatch.chdir(root)
    return Workspace(root)


def test_the_code_for_python_runs(workspace: Workspace) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), re.DOTALL)
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "python.md", "exec"), namespace)
    assert (workspace.root / "baseline_submission.csv").read_text().startswith("image,rle_mask\na,")
    assert (workspace.root / "submissions" / "exp042.csv").is_file()


def test_the_commands_for_predicting_run(workspace: Workspace) -> None:
    commands = re.findall(r"^    tk (predict .*)$", (DOCS / "predicting.md").read_text(), re.MULTILINE)
    assert len(commands) == 5
    for command in (command for command in commands if "infrared" not in command):  # needs two-channel images
        found = CliRunner().invoke(app, shlex.split(command))
        assert found.exit_code == 0, found.output
    assert (workspace.root / "masks" / "overlay" / "b.png").is_file()


def test_the_commands_for_scoring_masks_run(workspace: Workspace) -> None:
    page = (DOCS / "submitting.md").read_text()
    commands = re.findall(r"^    tk ((?:predict|score) .*validation.*)$", page, re.MULTILINE)
    assert len(commands) == 3
    for command in ("submit exp042 --threshold 0.5", *commands):
        found = CliRunner().invoke(app, shlex.split(command))
        assert found.exit_code == 0, found.output


def test_the_commands_for_evaluating_run(workspace: Workspace) -> None:
    commands = re.findall(r"^    tk (evaluate .* --images .*)$", (DOCS / "comparing.md").read_text(), re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        found = CliRunner().invoke(app, shlex.split(command))
        assert found.exit_code == 0, found.output
    assert (workspace.root / "evaluations" / "exp042-validation-images" / "overlay" / "020.png").is_file()
    assert (workspace.root / "validated" / "evaluation.json").is_file()


def test_the_examples_for_exported_networks_predict_what_the_toolkit_predicts(workspace: Workspace) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "exporting.md").read_text(), re.DOTALL)
    assert len(blocks) == len(EXPORT_FORMATS)
    expected = Experiment("experiments/exp042").predict("photos/a.png", folds=[0])[..., 0]
    for kind, block in zip(EXPORT_FORMATS, blocks, strict=True):
        export("exp042", kind, fold=0)
        namespace: dict[str, Any] = {}
        exec(compile(block, "exporting.md", "exec"), namespace)
        assert len([line for line in block.splitlines() if line]) <= 10
        np.testing.assert_allclose(namespace["probability"], expected, atol=0.01)
        assert namespace["mask"].shape == (40, 48)
