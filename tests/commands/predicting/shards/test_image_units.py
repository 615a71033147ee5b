"""Covers toolkit/commands/predicting/shards/image_units.py, unit_inputs.py and prediction_job.py."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.workers import Workers
from toolkit.commands.predicting.predict import PredictOptions, predict
from toolkit.commands.predicting.predict_result import PredictResult
from toolkit.commands.predicting.shards.unit_inputs import FilesGiven, find_files, inside
from toolkit.commands.session import Session
from toolkit.errors import ToolkitError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions import engine_checks
from toolkit.learning.engines.openvino_package import require_openvino
from toolkit.learning.predicting import shard_plan

pytestmark = pytest.mark.train

FORMATS = ("png", "npy", "mask", "rle")


@pytest.fixture
def images(fitted_competition: Workspace, tmp_path: Path) -> Path:
    """A copy of the twenty training images, 40×48; one of them is cut off."""
    folder = Path(shutil.copytree(fitted_competition.root / "data" / "train" / "images", tmp_path / "images"))
    (folder / "007.png").write_bytes((folder / "007.png").read_bytes()[:100])
    return folder


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_plan, "PIXELS_OF_SHARD", 1)


def run(
    workspace: Workspace, name: str, images: Path, out: Path, workers: Workers | None, **options: Any
) -> PredictResult:
    chosen = PredictOptions(formats=FORMATS, threshold=0.5, **options)
    result = predict(Session(workspace, cluster=workers), name, [images], out=out, options=chosen)
    left = [*workspace.experiments.glob("*/predictions/shards")]
    assert not left
    return result


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".predicting")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def told(result: PredictResult) -> dict[str, Any]:
    return {key: value for key, value in vars(result).items() if key not in ("out", "table", "seconds")}


WORKERS = {"plain": Workers(shuffled=True), "plain:fold0": Workers(lost=[0, 2]), "both": Workers()}


@pytest.mark.parametrize("name", WORKERS)
def test_files_are_those_of_one_machine_and_images_that_cannot_be_read_are_told(
    fitted_competition: Workspace, images: Path, tmp_path: Path, name: str
) -> None:
    options: dict[str, Any] = {} if name == "plain" else {"views": "hflip"}
    workers = WORKERS[name]
    one = run(fitted_competition, name, images, tmp_path / "one", None, **options)
    several = run(fitted_competition, name, images, tmp_path / "several", workers, **options)
    assert len(workers.ran) == 5
    assert content(tmp_path / "several") == content(tmp_path / "one")
    assert told(several) == told(one)
    assert [failed.file for failed in several.failed] == ["007.png"]


def test_what_is_finished_is_not_predicted_again(fitted_competition: Workspace, images: Path, tmp_path: Path) -> None:
    run(fitted_competition, "plain", images, tmp_path / "out", None)
    (tmp_path / "out" / "npy" / "003.npy").unlink()
    workers = Workers()
    result = run(fitted_competition, "plain", images, tmp_path / "out", workers)
    assert [unit.arguments["names"] for unit in workers.ran] == [["003", "007"]]
    assert (result.predicted, result.kept) == (1, 18)


def test_what_machines_finished_before_a_failure_is_kept(
    fitted_competition: Workspace, images: Path, tmp_path: Path
) -> None:
    class Failing(Workers):
        def run(self, *arguments: Any) -> None:
            super().run(arguments[0], arguments[1][:2], *arguments[2:])
            raise ToolkitError("the others have failed")

    with pytest.raises(ToolkitError, match="the others have failed"):
        predict(
            Session(fitted_competition, cluster=Failing()), "plain", [images], out=tmp_path / "out",
            options=PredictOptions(formats=("npy",)),
        )  # fmt: skip
    assert len(content(tmp_path / "out" / "npy")) == 7
    workers = Workers()
    predict(
        Session(fitted_competition, cluster=workers), "plain", [images], out=tmp_path / "out",
        options=PredictOptions(formats=("npy",)),
    )  # fmt: skip
    assert sum(len(unit.arguments["names"]) for unit in workers.ran) == 13
    assert len(content(tmp_path / "out" / "npy")) == 19


def test_units_need_no_other_files_than_they_list(
    fitted_competition: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With files whose names differ only in the extension, and images by which engines are compared."""
    require_openvino()  # a plain import would bring in what reports over the network
    workspace = Workspace(Path(shutil.copytree(fitted_competition.root, tmp_path / "work")), engine="openvino")
    monkeypatch.setattr(engine_checks, "MOST_CHANGED", 1.0)
    images = workspace.root / "data" / "train" / "images"
    shutil.copy(images / "003.png", images / "015.webp")
    workers = Workers(sent=images)
    run(workspace, "plain", images, tmp_path / "one", None)
    run(workspace, "plain", images, tmp_path / "several", workers)
    assert content(tmp_path / "several") == content(tmp_path / "one")
    assert len(workers.ran) == 6


def test_paths_inside_the_working_folder_are_relative_to_it() -> None:
    assert inside(Path("a/../b"), Path()) == "b"
    assert inside(Path("/w/b"), Path("/w")) == "b"
    assert inside(Path("/v/b"), Path("/w")) == "/v/b"


def test_files_are_named_as_seen_from_the_working_folder_of_the_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Units run there, wherever the command does."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    given = FilesGiven(({"a": Path("a.png")}, {"a": tmp_path / "work" / "b" / "a.png"}))
    plain = given.plain(["a", "a"], Experiment(tmp_path / "work" / "experiments" / "one"))
    assert plain == [{"a": str(tmp_path / "elsewhere" / "a.png")}, {"a": "b/a.png"}]
    found = find_files(Workspace(tmp_path / "work"), plain)
    assert list(found.folders) == [{"a": tmp_path / "elsewhere" / "a.png"}, {"a": tmp_path / "work" / "b" / "a.png"}]
    assert given.paths(["a", "a"]) == ("a.png", str(tmp_path / "work" / "b" / "a.png"))
