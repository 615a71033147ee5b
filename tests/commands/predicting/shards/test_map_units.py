import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.workers import Workers
from toolkit.cli import app
from toolkit.commands.comparing import evaluate_images as evaluating
from toolkit.commands.comparing.evaluate_images import ImagesOptions, evaluate_images
from toolkit.commands.comparing.evaluate_result import ImagesResult
from toolkit.commands.predicting.forecaster import Forecaster
from toolkit.commands.session import Session
from toolkit.commands.training.fit import fit
from toolkit.core.recipe.recipe import ClassRecipe, Emptiness, Recipe
from toolkit.errors import DataError, ToolkitError
from toolkit.files.data.sources import Images
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.tuned import TunedRecipe, write_tuned
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions import engine_checks
from toolkit.files.predictions.store import ProbabilityStore, store_digest
from toolkit.learning.engines.openvino_package import require_openvino
from toolkit.learning.predicting import shard_plan

pytestmark = pytest.mark.train


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four images for each unit: five units for the twenty training images, 40×48."""
    monkeypatch.setattr(shard_plan, "PIXELS_OF_SHARD", 1)


def run(workspace: Workspace, name: str, out: Path, workers: Workers | None, *folders: Path) -> ImagesResult:
    """Evaluate images, by default the training images, and check that no shards are left."""
    result = evaluated(workspace, name, out, workers, *folders)
    assert not [*workspace.experiments.glob("*/predictions/shards")]
    return result


def evaluated(workspace: Workspace, name: str, out: Path, workers: Workers | None, *folders: Path) -> ImagesResult:
    options = ImagesOptions(workspace.root / "data" / "train.csv", threshold=0.5, out=out)
    images = folders or [images_of(workspace)]
    return evaluate_images(Session(workspace, cluster=workers), name, images, options=options)


def images_of(workspace: Workspace) -> Path:
    return workspace.root / "data" / "train" / "images"


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".predicting")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def assert_same(workspace: Workspace, name: str, tmp_path: Path, workers: Workers, *folders: Path) -> ImagesResult:
    """All files and figures with workers are those without."""
    one = run(workspace, name, tmp_path / "one", None, *folders)
    several = run(workspace, name, tmp_path / "several", workers, *folders)
    assert len(content(tmp_path / "one")) > 20
    assert content(tmp_path / "several") == content(tmp_path / "one")
    assert several.evaluation == one.evaluation
    return several


WORKERS = {"plain": Workers(shuffled=True), "plain:fold1": Workers(dying=True), "both": Workers(lost=[0, 3])}


@pytest.mark.parametrize("name", WORKERS)
def test_files_are_those_of_one_machine_in_any_order_whatever_dies_or_is_lost(
    fitted_competition: Workspace, tmp_path: Path, name: str
) -> None:
    assert_same(fitted_competition, name, tmp_path, WORKERS[name])
    assert len(WORKERS[name].ran) == 5


LINES = {
    "scored size": "data: {competition: {extends: tgs-salt, output_size: [20, 24], label_size: [40, 48]}}\n",
    "half precision": "stored_probability: float16\n",
    "channels": "data: {images: [../../data/train/images, ../../data/other], test: null, value_range: [0, 200]}\n"
    "shape: [32, 32, 2]\n",
}


@pytest.mark.parametrize("name", LINES)
def test_scored_sizes_types_and_channels_are_kept(
    tiny_competition: Workspace, tmp_path: Path, write_experiment: Callable[..., Experiment], name: str
) -> None:
    data = tiny_competition.root / "data"
    shutil.copytree(data / "train" / "images", data / "other")
    write_experiment(tiny_competition, "one", LINES[name])
    fit(Session(tiny_competition), "one")
    folders = [images_of(tiny_competition), *([data / "other"] if name == "channels" else [])]
    workers = Workers(shuffled=True)
    assert_same(tiny_competition, "one", tmp_path, workers, *folders)
    assert len(workers.ran) == 5


def test_the_presence_head_is_used(
    tiny_competition: Workspace, tmp_path: Path, write_experiment: Callable[..., Experiment]
) -> None:
    experiment = write_experiment(tiny_competition, "headed", "presence_head: true\n")
    fit(Session(tiny_competition), "headed")
    store = ProbabilityStore(experiment.predictions("oof"))
    middle = float(np.median([store.presence(image_id) for image_id in store.ids]))
    recipe = Recipe((ClassRecipe(threshold=0.01, emptiness=Emptiness("head", middle)),))
    digest = store_digest(store.folder)
    write_tuned(experiment, TunedRecipe("dice", recipe, recipe, recipe, 0.5, 0.7, 0.6, (0.5, 0.7), 0.1, 0.1, digest))
    found = []
    for out, workers in (("one", None), ("several", Workers(lost=[2]))):
        options = ImagesOptions(tiny_competition.root / "data" / "train.csv", out=tmp_path / out)
        session = Session(tiny_competition, cluster=workers)
        found.append(evaluate_images(session, "headed", [images_of(tiny_competition)], options=options).evaluation)
    assert content(tmp_path / "several") == content(tmp_path / "one")
    assert found[1] == found[0]
    assert "head" in found[0].recipe_text


@pytest.mark.parametrize("agrees", [True, False])
def test_the_engine_is_the_same_everywhere_and_chosen_by_images_that_each_unit_has(
    fitted_competition: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agrees: bool
) -> None:
    require_openvino()  # a plain import would bring in what reports over the network
    copy = Path(shutil.copytree(fitted_competition.root, tmp_path / "work"))
    workspace = Workspace(copy, engine="openvino")
    monkeypatch.setattr(engine_checks, "MOST_CHANGED", 1.0 if agrees else -1.0)
    workers = Workers(sent=images_of(workspace), lost=[4])
    found = assert_same(workspace, "plain", tmp_path, workers)
    assert found.evaluation.engine == ("openvino" if agrees else "tensorflow")


def test_this_machine_predicts_only_what_others_did_not(
    fitted_competition: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    own = Forecaster.forecasts

    def forecasts(self: Forecaster, images: Images, ids: list[str], name: str) -> Any:
        asked.append(list(ids))
        return own(self, images, ids, name)

    monkeypatch.setattr(Forecaster, "forecasts", forecasts)
    run(fitted_competition, "plain", tmp_path / "out", Workers(lost=[1]))
    *units, here = asked
    assert [len(ids) for ids in units] == [4, 4, 4, 4]
    assert here == ["004", "005", "006", "007"]


def test_each_unit_names_the_files_of_its_images_and_no_labels(fitted_competition: Workspace, tmp_path: Path) -> None:
    workers = Workers()
    run(fitted_competition, "plain", tmp_path / "out", workers)
    folder = images_of(fitted_competition)
    compared = [f"{number:03d}" for number in range(8)]
    for number, unit in enumerate(workers.ran):
        own = [f"{4 * number + one:03d}" for one in range(4)]
        assert unit.arguments["names"] == own
        assert sorted(unit.files) == [str(folder / f"{image_id}.png") for image_id in sorted({*own, *compared})]
        assert set(unit.arguments["files"][0].values()) == {
            f"data/train/images/{Path(path).name}" for path in unit.files
        }


def test_what_machines_finished_before_a_failure_is_found_again(fitted_competition: Workspace, tmp_path: Path) -> None:
    class Failing(Workers):
        def run(self, *arguments: Any) -> None:
            super().run(arguments[0], arguments[1][:2], *arguments[2:])
            raise ToolkitError("the others have failed")

    run(fitted_competition, "plain", tmp_path / "one", None)
    with pytest.raises(ToolkitError, match="the others have failed"):
        run(fitted_competition, "plain", tmp_path / "several", Failing())
    workers = Workers()
    run(fitted_competition, "plain", tmp_path / "several", workers)
    assert content(tmp_path / "several") == content(tmp_path / "one")
    assert sum(len(unit.arguments["names"]) for unit in workers.ran) == 12


def test_maps_of_other_pixels_are_not_taken(tiny_competition: Workspace, tmp_path: Path) -> None:
    class Failing(Workers):
        def run(self, *arguments: Any) -> None:
            super().run(*arguments)
            raise ToolkitError("the last one has failed")

    fit(Session(tiny_competition), "plain")
    with pytest.raises(ToolkitError, match="the last one"):
        run(tiny_competition, "plain", tmp_path / "several", Failing())
    folder = images_of(tiny_competition)
    shutil.copy(folder / "001.png", folder / "000.png")
    workers = Workers()
    evaluated(tiny_competition, "plain", tmp_path / "one", workers)
    assert sum(len(unit.arguments["names"]) for unit in workers.ran) == 20


def test_an_image_that_cannot_be_predicted_is_told_as_on_one_machine(
    fitted_competition: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose file breaks after it was checked."""
    images = Path(shutil.copytree(images_of(fitted_competition), tmp_path / "images"))
    workspace = Workspace(Path(shutil.copytree(fitted_competition.root, tmp_path / "work")))
    whole = (images / "005.png").read_bytes()
    check = evaluating._check

    def checked(*arguments: Any) -> Any:
        index = check(*arguments)
        (images / "005.png").write_bytes(whole[:100])
        return index

    monkeypatch.setattr(evaluating, "_check", checked)
    messages = []
    for workers in (None, Workers()):
        (images / "005.png").write_bytes(whole)
        with pytest.raises(DataError) as error:
            run(workspace, "plain", tmp_path / "out", workers, images)
        messages.append(error.value.message)
    assert messages[0] == messages[1]
    assert "005.png" in messages[0]


def test_on_and_files_need_images(fitted_competition: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fitted_competition.root)
    for words in (["--on", "ray"], ["--files", "sent"], ["--on", "nowhere", "--files", "sent"]):
        found = CliRunner().invoke(app, ["evaluate", "plain", *words])
        assert (found.exit_code, "Add --images FOLDER." in found.stderr) == (3, True)
    lone = CliRunner().invoke(app, ["evaluate", "plain", "--images", "data/train/images", "--files", "sent"])
    assert (lone.exit_code, "needs --on" in lone.stderr) == (3, True)
