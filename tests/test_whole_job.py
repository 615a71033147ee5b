import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.starting import demo
from toolkit.commands.starting.choices import backbone_choice
from toolkit.config.loading import load_config
from toolkit.core.masks.rle import decode
from toolkit.core.recipe.postprocess import masks_of, recipe_from_plain
from toolkit.files.experiment.tuned import read_tuned
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.files.submissions.layout import read_submission
from toolkit.learning.networks.network import build_network
from toolkit.learning.trials import lr_range_test as lr_find
from toolkit.messages import Silent

pytestmark = pytest.mark.train


@pytest.fixture(autouse=True, scope="module")
def blank_figures() -> None:
    """The figures of these tests are drawn."""


README = Path(__file__).parents[1] / "README.md"

# What makes the README's experiments small enough for a test; their commands stay as they are written.
SMALL = {
    "backbone: resnet34": "backbone: vgg16",
    "encoder_weights: imagenet": "encoder_weights: null",
    "shape: [64, 64, 3]": "shape: [32, 32, 3]",
    "folds_count: 5": "folds_count: 2",
    "epochs: 10": "epochs: 1",
}


def readme_commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("tk ")]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, f"{arguments}: {result.output}{result.exception!r}"
    return result.stdout


def test_the_commands_of_the_readme_run(tiny_competition: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_competition.root)
    monkeypatch.setattr(backbone_choice, "has_gpu", lambda: True)  # the suggested backbone depends on the machine
    # Its 120 steps take long, and have tests of their own.
    monkeypatch.setattr(
        lr_find, "loss_by_learning_rate", lambda _, __, ___, test, **____: list(1 / (1 + 1e3 * test.rates))
    )
    old = "backbone: resnet18\nclasses: 1\nactivation: sigmoid\nshape: [32, 32, 3]\nbatch: 4\nstages: [{epochs: 1}]\n"
    Path("old.yaml").write_text(old)
    for command in readme_commands():
        run(*command[1:])
        if command[:2] == ["tk", "init"]:
            config = tiny_competition.find("exp042").config
            text = config.read_text()
            for large, small in SMALL.items():
                assert large in text
                text = text.replace(large, small)
            config.write_text(text)
        if command[:3] == ["tk", "new", "exp045"]:
            with tiny_competition.find("exp045").config.open("a") as file:
                file.write("stages: [{epochs: 1}]\n")
    check_predictions(tiny_competition)
    check_submission(tiny_competition)
    check_ensembles_of_ensembles(tiny_competition)


def check_predictions(workspace: Workspace) -> None:
    plain, other, both = (workspace.find(name) for name in ("exp042", "exp045", "exp042+exp045"))
    for split, count in (("oof", 20), ("test", 6)):
        assert len(ProbabilityStore(plain.predictions(split)).ids) == count
        stores = [ProbabilityStore(member.predictions(split, "flips")) for member in (plain, other)]
        blend = ProbabilityStore(both.predictions(split))
        for image_id, stored in blend:
            assert stored.shape == (40, 48, 1)
            mean = np.mean([store.read(image_id).astype(float) for store in stores], axis=0)
            assert np.abs(stored - mean).max() <= 1
    score = json.loads(both.score.read_text())
    assert set(score) == {"metric", "folds", "all", "metrics", "constant", "optimism", "rules"}
    assert read_tuned(both, 1, "sigmoid").untuned is not None
    assert score["all"] == pytest.approx(json.loads(both.tuned.read_text())["untuned"])
    assert all(path.is_file() for path in (plain.overlays, both.overlays, plain.image_scores))
    assert list(plain.stage(0, 0).tensorboard.glob("events*"))


def check_submission(workspace: Workspace) -> None:
    path = workspace.submissions / "exp042+exp045.csv"
    assert path.read_text().startswith("id,rle_mask\n025,")
    recipe = json.loads(workspace.find("exp042+exp045").tuned.read_text())["test_recipe"]
    provenance = json.loads(path.with_suffix(".json").read_text())
    assert provenance["recipe"] == recipe
    assert provenance["members"] == ["exp042", "exp045"]
    store = ProbabilityStore(workspace.find("exp042+exp045").predictions("test"))
    for image_id, (row,) in read_submission(path).by_image.items():
        expected = masks_of(store.read(image_id), "sigmoid", recipe_from_plain(recipe))[..., 0]
        assert np.array_equal(decode(row.text, (40, 48)), expected)
    scored = run(
        "score",
        str(path),
        "--solution",
        "data/solution.csv",
        "--images",
        "data/test/images",
        "--metric",
        "dice",
        "--json",
    )
    assert 0 <= json.loads(scored)["score"] <= 1


def check_ensembles_of_ensembles(workspace: Workspace) -> None:
    run("ensemble", "exp042", "exp045", "--weights", "0.75,0.25", "--name", "averaged")
    run("ensemble", "averaged", "exp042", "--views", "flips", "--name", "nested")
    inner = ProbabilityStore(workspace.find("averaged").predictions("oof", "flips"))
    views = [ProbabilityStore(workspace.find(name).predictions("oof", "flips")) for name in ("exp042", "exp045")]
    image_id = inner.ids[0]
    expected = 0.75 * views[0].read(image_id).astype(float) + 0.25 * views[1].read(image_id)
    assert np.abs(inner.read(image_id) - expected).max() <= 1
    run("tune", "nested")
    run("submit", "nested")
    listed = {entry["name"]: entry for entry in json.loads(run("ls", "--json"))["experiments"]}
    assert listed["nested"]["kind"] == "ensemble of 2"
    assert listed["nested"]["nested"] is not None
    assert listed["tiny"]["state"] == "new"


def test_the_demo_does_the_whole_job(
    tiny_competition: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smallest = (
        "architecture=ModularUnet", "architecture_options={depth: 1, start_filters: 4}", "backbone=null",
        "shape=[32, 32, 3]",
    )  # fmt: skip
    assert demo._encoder(Silent()) == demo._PRETRAINED
    for encoder in (demo._PRETRAINED, demo._FROM_SCRATCH):
        for _, settings in demo._EXPERIMENTS:
            spec = load_config(tiny_competition.find("tiny").config, [*settings, *encoder]).config.network_spec()
            build_network(spec.model_copy(update={"shape": (64, 64, 3)}), 0)
    monkeypatch.setattr(demo, "_EXPERIMENTS", [(name, (*smallest, *rest[1:])) for name, rest in demo._EXPERIMENTS])
    monkeypatch.setattr(demo, "_encoder", lambda _: ())
    monkeypatch.setattr(demo, "_TRAINING_IMAGES", 24)
    monkeypatch.setattr(demo, "_TEST_IMAGES", 8)
    monkeypatch.setattr(demo, "_SETTINGS", [*demo._SETTINGS, "stages=[{epochs: 1}]"])
    result = json.loads(run("demo", str(tmp_path / "demo"), "--json"))
    assert [row["experiment"] for row in result["rows"]] == [
        "unet",
        "dice",
        "unet-hflip",
        "dice-hflip",
        "unet+dice",
        "unet+dice",
    ]
    assert all(0 <= row["hidden"] <= 1 for row in result["rows"])
    assert 0 <= result["interval"][0] <= result["interval"][1] <= 1
    assert Path(result["submission"]).read_text().count("\n") == 9
    assert all(Path(path).is_file() for path in result["overlays"])
    again = json.loads(run("demo", str(tmp_path / "demo"), "--json"))
    assert again == result
