"""Covers toolkit/commands/predicting/predict.py, predict_result.py, forecaster.py and one_file_formats.py, and
toolkit/learning/predicting/new_images.py.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.ensembling.member_predictions import predict_member
from toolkit.commands.predicting import forecaster as predicting
from toolkit.commands.predicting.formats import FORMATS
from toolkit.commands.predicting.predict import PredictOptions, predict
from toolkit.commands.predicting.predict_result import Failed, PredictResult
from toolkit.commands.session import Session
from toolkit.commands.training.fit import fit
from toolkit.core.masks.rle import decode
from toolkit.core.recipe.postprocess import masks_of
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.errors import ChangedError, ConfigError, DataError, NotReadyError, OutOfTimeError, ToolkitError
from toolkit.files.datasets.images_to_predict import ArrayImages
from toolkit.files.experiment.members import find_member
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.output_folder import PredictionFolder
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.messages import Silent

pytestmark = pytest.mark.train


@pytest.fixture
def images(fitted_competition: Workspace, tmp_path: Path) -> Path:
    """A copy of the six test images, 40×48."""
    return Path(shutil.copytree(fitted_competition.root / "data" / "test" / "images", tmp_path / "images"))


def run(workspace: Workspace, name: str, path: Path, out: Path, *formats: str, **options: Any) -> PredictResult:
    session = Session(workspace, options.pop("progress", Silent()))
    return predict(session, name, [path], out=out, options=PredictOptions(formats or ("png",), **options))


def read(path: Path) -> np.ndarray:
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return np.asarray(found)


def arrays(out: Path) -> np.ndarray:
    return np.stack([np.load(path) for path in sorted((out / "npy").glob("*.npy"))])


@pytest.mark.parametrize(("name", "views"), [("plain", None), ("both", None), ("plain:fold1", "hflip")])
def test_maps_equal_the_test_predictions(
    fitted_competition: Workspace, images: Path, tmp_path: Path, name: str, views: str | None
) -> None:
    run(fitted_competition, name, images, tmp_path / "out", views=views)
    member = find_member(fitted_competition, name)
    store = ProbabilityStore(predict_member(member, "test", views or "none", Silent()))
    assert len(store.ids) == 6
    for image_id, stored in store:
        assert np.array_equal(read(tmp_path / "out" / "png" / f"{image_id}.png"), stored[..., 0])


def test_the_mean_of_single_folds_is_the_prediction_of_all(
    fitted_competition: Workspace, images: Path, tmp_path: Path
) -> None:
    found = {}
    for folds in (None, [0], [1], [1, 0]):
        out = tmp_path / f"{folds}"
        result = run(fitted_competition, "plain", images, out, "npy", folds=folds)
        assert result.networks == (2 if folds is None else len(folds))
        found[str(folds)] = arrays(out)
    assert not np.array_equal(found["[0]"], found["[1]"])
    for both in ("None", "[1, 0]"):
        np.testing.assert_allclose(found[both], (found["[0]"] + found["[1]"]) / 2, atol=1e-6)


def test_a_damaged_image_does_not_stop_the_others(fitted_competition: Workspace, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    whole = (images / "022.png").read_bytes()
    (images / "022.png").write_bytes(whole[:200])
    (images / "notes.txt").touch()
    (images / "none.png").touch()
    result = run(fitted_competition, "plain", images, out, "png", "mask")
    assert (result.images, result.predicted, result.kept, result.exit_code) == (7, 5, 0, 5)
    assert [one.file for one in result.failed] == ["022.png", "none.png"]
    assert result.left_out == ["notes.txt"]
    assert len(list((out / "png").iterdir())) == len(list((out / "mask").iterdir())) == 5
    table = pd.read_csv(out / "predictions.csv", dtype=str, keep_default_na=False)
    assert "truncated" in table.set_index("file").failure["022.png"]
    assert list(table[table.failure == ""].id) == ["020", "021", "023", "024", "025"]
    (images / "022.png").write_bytes(whole)
    (images / "none.png").unlink()
    repaired = run(fitted_competition, "plain", images, out, "png", "mask")
    assert (repaired.predicted, repaired.kept, repaired.exit_code) == (1, 5, 0)


def test_the_files_of_an_image_damaged_later_are_removed(
    fitted_competition: Workspace, images: Path, tmp_path: Path
) -> None:
    run(fitted_competition, "plain", images, tmp_path / "out")
    (images / "022.png").write_bytes(b"no image")
    assert run(fitted_competition, "plain", images, tmp_path / "out").failed
    assert not (tmp_path / "out" / "png" / "022.png").exists()


def test_an_interrupted_run_resumes(
    fitted_competition: Workspace, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, replacing = tmp_path / "out", PredictionFolder.replacing

    def interrupted(folder: PredictionFolder, path: str, key: str) -> AbstractContextManager[BinaryIO]:
        if path == "npy/023.npy":
            raise KeyboardInterrupt
        return replacing(folder, path, key)

    monkeypatch.setattr(PredictionFolder, "replacing", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(fitted_competition, "plain", images, out, "png", "npy")
    monkeypatch.undo()
    made = {path: path.stat().st_mtime_ns for path in out.rglob("*.npy")}
    result = run(fitted_competition, "plain", images, out, "png", "npy")
    assert (result.predicted, result.kept) == (3, 3)
    assert made.items() <= {path: path.stat().st_mtime_ns for path in out.rglob("*.npy")}.items()
    run(fitted_competition, "plain", images, tmp_path / "whole", "png", "npy")
    assert np.array_equal(arrays(out), arrays(tmp_path / "whole"))


def test_what_is_predicted_when_the_minutes_are_over_is_kept(
    fitted_competition: Workspace, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, now = tmp_path / "out", [0.0]
    replacing = PredictionFolder.replacing

    def slow(folder: PredictionFolder, path: str, key: str) -> AbstractContextManager[BinaryIO]:
        now[0] += 60
        return replacing(folder, path, key)

    for name in ("_CHUNK_IN_TIME", "_GROUP"):
        monkeypatch.setattr(predicting, name, 2)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(PredictionFolder, "replacing", slow)
    with pytest.raises(OutOfTimeError, match="used up: 2 of 6 images are predicted; rle would lack the others") as told:
        run(fitted_competition, "plain", images, out, "rle", minutes=2, threshold=0.5)
    assert str(out) in told.value.advice
    assert not (out / "masks.csv").exists()
    assert len(list((out / "mask").iterdir())) == len(pd.read_csv(out / "predictions.csv")) == 2
    result = run(fitted_competition, "plain", images, out, "rle", minutes=60, threshold=0.5)
    assert (result.predicted, result.kept) == (4, 2)
    with pytest.raises(ConfigError, match="--out names a file"):
        run(fitted_competition, "plain", images / "020.png", tmp_path / "one.png", minutes=2)
    run(fitted_competition, "plain", images, tmp_path / "whole", "rle", threshold=0.5)
    for name in ("masks.csv", "predictions.csv"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_only_stale_files_are_predicted_again(
    fitted_competition: Workspace, images: Path, tmp_path: Path, told: Any
) -> None:
    out = tmp_path / "out"
    run(fitted_competition, "plain", images, out, "png", "mask", threshold=0.5)
    maps = {path: path.stat().st_mtime_ns for path in (out / "png").iterdir()}
    result = run(fitted_competition, "plain", images, out, "png", "mask", threshold=0.4, progress=told)
    assert result.predicted == 6
    assert {path: path.stat().st_mtime_ns for path in (out / "png").iterdir()} == maps
    assert any("6 images are predicted again" in line for line in told.lines)
    assert run(fitted_competition, "plain", images, out, "png").kept == 6
    assert run(fitted_competition, "other", images, out, "png").predicted == 6
    cv2.imwrite(str(images / "020.png"), read(images / "021.png"))
    assert run(fitted_competition, "other", images, out, "png").predicted == 1


def test_foreign_files_are_never_replaced(fitted_competition: Workspace, images: Path, tmp_path: Path) -> None:
    mine = tmp_path / "out" / "png" / "020.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"precious")
    with pytest.raises(ChangedError, match="did not write and does not overwrite"):
        run(fitted_competition, "plain", images, tmp_path / "out")
    assert mine.read_bytes() == b"precious"
    with pytest.raises(DataError, match="is the folder of the images"):
        run(fitted_competition, "plain", images, images)


def test_masks_follow_the_recipe(fitted_competition: Workspace, images: Path, tmp_path: Path, told: Any) -> None:
    out = tmp_path / "out"
    untuned = run(fitted_competition, "plain", images, out, "png", "mask", "overlay", "rle", progress=told)
    assert untuned.recipe == "threshold 0.500"
    assert any("no tuned recipe" in line for line in told.lines)
    result = run(fitted_competition, "plain", images, out, "png", "mask", "rle", threshold=0.3)
    runs = pd.read_csv(out / "masks.csv", dtype=str, keep_default_na=False).set_index("id").rle_mask
    assert result.recipe == "threshold 0.300"
    for path in sorted((out / "png").iterdir()):
        expected = masks_of(read(path)[..., None], "sigmoid", Recipe((ClassRecipe(threshold=0.3),)))[..., 0]
        assert np.array_equal(read(out / "mask" / path.name), expected.astype(np.uint8) * 255)
        assert np.array_equal(decode(runs[path.stem], (40, 48)), expected)
    with pytest.raises(ConfigError, match="require a format with masks"):
        run(fitted_competition, "plain", images, out, "png", threshold=0.3)


def test_all_maps_in_one_array(fitted_competition: Workspace, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(fitted_competition, "plain", images, out, "maps")
    assert np.array_equal(np.load(out / "predictions_maps.npy"), arrays(out))
    cv2.imwrite(str(images / "odd.png"), np.zeros((7, 9), np.uint8))
    with pytest.raises(DataError, match=r"2 sizes, 40×48 \(6\), 7×9 \(1\)"):
        run(fitted_competition, "plain", images, out, "maps")
    assert run(fitted_competition, "plain", images, out, "npy").predicted == 1
    with pytest.raises(DataError) as error:
        run(fitted_competition, "plain", images, out, "maps, overlay")
    assert error.value.advice.endswith("--format npy,overlay")
    (images / "odd.png").write_bytes(b"no image")
    (images / "021.png").write_bytes(b"no image")
    (images / "021b.png").write_bytes(b"no image")
    run(fitted_competition, "plain", images, out, "maps")
    found, table = np.load(out / "predictions_maps.npy"), pd.read_csv(out / "predictions.csv")
    assert len(found) == len(table) == 8
    assert np.isnan(found).all(axis=(1, 2, 3)).tolist() == table.failure.notna().tolist()
    assert np.array_equal(found[0], np.load(out / "npy" / "020.npy"))
    for path in images.iterdir():
        path.write_bytes(b"no image")
    assert len(run(fitted_competition, "plain", images, out, "maps").failed) == 8
    assert not (out / "predictions_maps.npy").exists()


def test_the_columns_of_the_table_matter_only_to_the_table(
    fitted_competition: Workspace, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> None:
        raise DataError("data.sample_submission is damaged")

    monkeypatch.setattr("toolkit.commands.predicting.predict.columns_of_runs", damaged)
    assert run(fitted_competition, "plain", images, tmp_path / "png").predicted == 6
    with pytest.raises(DataError, match="sample_submission is damaged"):
        run(fitted_competition, "plain", images, tmp_path / "rle", "rle")
    with pytest.raises(ConfigError, match=r"--columns names the columns of masks\.csv") as error:
        run(fitted_competition, "plain", images, tmp_path / "png", columns=("x",))
    assert error.value.advice == "Add --format rle."


def test_one_image_becomes_one_file(fitted_competition: Workspace, images: Path, tmp_path: Path) -> None:
    run(fitted_competition, "plain", images, tmp_path / "all", "mask", "png", "npz", threshold=0.5)
    session, one = Session(fitted_competition), [images / "020.png"]
    for name, formats in (("m.png", ("mask",)), ("p.png", None), ("p.npz", None)):
        options = PredictOptions(formats, threshold=0.5 if formats else None)
        result = predict(session, "plain", one, out=tmp_path / "single" / name, options=options)
        assert (result.out, result.table) == (str(tmp_path / "single" / name), "")
        assert result.next_steps() == [f"{formats[0] if formats else name[2:]}: {result.out}"]
    table = predict(session, "plain", one, out=tmp_path / "table.csv")
    assert table.next_steps() == [f"rle: {tmp_path / 'table.csv'}"]
    assert sorted(path.name for path in (tmp_path / "single").iterdir()) == ["m.png", "p.npz", "p.png"]
    for name, other in (("m.png", "mask/020.png"), ("p.png", "png/020.png"), ("p.npz", "npz/020.npz")):
        assert (tmp_path / "single" / name).read_bytes() == (tmp_path / "all" / other).read_bytes()
    one[0].write_bytes(b"no image")
    with pytest.raises(DataError, match=r"020\.png"):
        predict(session, "plain", one, out=tmp_path / "q.png")
    assert not (tmp_path / "q.png").exists()


def test_several_files_for_one_image_are_refused_before_it_is_predicted(
    fitted_competition: Workspace, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late(*_: object) -> None:
        raise AssertionError("the image is predicted")

    monkeypatch.setattr(predicting.Forecaster, "forecasts", too_late)
    monkeypatch.setitem(FORMATS, "png", replace(FORMATS["png"], paths=lambda *_: ["png/a/1.png", "png/b/1.png"]))
    with pytest.raises(ConfigError, match="the format png has 2, one for each class: png/a, png/b"):
        predict(Session(fitted_competition), "plain", [images / "020.png"], out=tmp_path / "one.png")


def test_nothing_is_written_into_an_experiment(fitted_competition: Workspace, images: Path, tmp_path: Path) -> None:
    folder = fitted_competition.find("plain").folder
    for out in (folder, folder / "predicted", folder / "one.png"):
        with pytest.raises(ConfigError, match="is inside the experiment plain"):
            run(fitted_competition, "plain", images, out)
    assert not (folder / "predicted").exists()


def test_numbers_that_the_networks_do_not_take_are_explained(
    fitted_competition: Workspace, images: Path, tmp_path: Path
) -> None:
    np.save(images / "float.npy", np.linspace(14.5, 200, 40 * 48, dtype=np.float32).reshape(40, 48))
    (failed,) = run(fitted_competition, "plain", images, tmp_path / "out").failed
    assert "pixels of type float32, from 14.5 to 200, but plain was fitted without data.value_range" in failed.reason
    assert "Add to data" not in failed.reason


def test_one_file_and_subfolders(fitted_competition: Workspace, images: Path, tmp_path: Path) -> None:
    assert run(fitted_competition, "plain", images / "020.png", tmp_path / "one").images == 1
    (images / "x").mkdir()
    shutil.copy(images / "021.png", images / "x" / "020.png")
    result = run(fitted_competition, "plain", images, tmp_path / "all", recursive=True)
    assert result.images == 7
    assert np.array_equal(read(tmp_path / "all" / "png" / "x" / "020.png"), read(tmp_path / "all" / "png" / "021.png"))


def test_predictions_do_not_depend_on_the_chunks(
    fitted_competition: Workspace, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (images / "023.png").write_bytes(b"no image")
    for name, value in (("_CHUNK_IMAGES", 256), ("_CHUNK_IMAGES", 2), ("_LARGE", 1)):
        monkeypatch.setattr(predicting, name, value)
        result = run(fitted_competition, "both", images, tmp_path / f"{name}{value}", "npy")
        assert [one.file for one in result.failed] == ["023.png"]
    whole = arrays(tmp_path / "_CHUNK_IMAGES256")
    assert np.array_equal(whole, arrays(tmp_path / "_CHUNK_IMAGES2"))
    assert np.array_equal(whole, arrays(tmp_path / "_LARGE1"))


def test_large_images_are_taken_as_many_at_once_as_networks_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicting, "_CHUNK_BYTES", 1)
    images = ArrayImages({str(number): np.zeros((3, 4, 3), np.uint8) for number in range(10, 20)})
    chunks = [chunk.ids for chunk in predicting._chunks(images, images.ids, 1, 256)]
    assert [len(ids) for ids in chunks] == [4, 4, 2]
    assert tuple(image_id for ids in chunks for image_id in ids) == images.ids


WRONG: list[tuple[tuple[str, dict[str, Any]], type[ToolkitError], str]] = [
    (("plain", {"folds": [2]}), ConfigError, "--folds: plain: there is no fold 2; choose from 0 to 1"),
    (("plain", {"folds": []}), ConfigError, "--folds: no fold is given"),
    (("plain:fold0", {"folds": [1]}), ConfigError, "already names a fold"),
    (("plain", {"stage": 1}), ConfigError, "--stage: plain: there is no stage 1; there is only 0"),
    (("plain", {"views": "flip"}), ConfigError, "--views: 'flip' is not valid; did you mean 'vflip'"),
    (("both", {"folds": [0]}), ConfigError, "is an ensemble"),
    (("tiny", {}), NotReadyError, "has not been fitted yet"),
]


@pytest.mark.parametrize(("asked", "error", "message"), WRONG)
def test_invalid_options_are_refused_before_anything_is_written(
    fitted_competition: Workspace,
    tmp_path: Path,
    asked: tuple[str, dict[str, Any]],
    error: type[ToolkitError],
    message: str,
) -> None:
    name, options = asked
    with pytest.raises(error, match=message):
        run(fitted_competition, name, tmp_path, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_untrained_folds_are_reported(fitted_competition: Workspace, images: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(fitted_competition.root, tmp_path / "copy"))
    shutil.rmtree(root / "data")  # the experiment alone is enough
    workspace = Workspace(root)
    shutil.rmtree(root / "experiments" / "plain" / "fold1")
    with pytest.raises(NotReadyError, match="stage 0 of fold 1 is not trained yet") as told:
        run(workspace, "plain", images, tmp_path / "out", folds=[0, 1])
    assert "--folds 0" in told.value.advice
    trained = run(workspace, "plain", images, tmp_path / "out")
    assert (trained.predicted, trained.networks) == (6, 1)
    assert run(workspace, "plain", images, tmp_path / "out", folds=[0]).kept == 6


@pytest.fixture
def there(fitted_competition: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.chdir(fitted_competition.root)
    return fitted_competition


def test_the_command_line_predicts(there: Workspace, images: Path, tmp_path: Path) -> None:
    words = ["predict", "plain", str(images), "--out", str(tmp_path / "out"), "--format", "png,mask", "--format", "npz"]
    found = CliRunner().invoke(app, [*words, "--threshold", "0.4", "--views", "flips", "--folds", "0"])
    assert found.exit_code == 0, found.output
    assert "6" in found.stdout
    assert len(list((tmp_path / "out" / "npz").iterdir())) == 6
    (images / "020.png").write_bytes(b"no image")
    assert CliRunner().invoke(app, ["predict", "plain", str(images), "--out", str(tmp_path / "o")]).exit_code == 5


def test_tables_list_failures() -> None:
    failed = [Failed(f"{number}.png", "is truncated") for number in range(25)]
    result = PredictResult("exp042", 28, 3, 0, failed, [], ["png"], 2, "flips", None, "out", "out/predictions.csv", 1.0)
    _, table = result.tables()
    assert table.rows[19] == ("19.png", "is truncated")
    assert len(table.rows) == 20
    assert (result.exit_code, replace(result, failed=[]).exit_code) == (5, 0)
    assert "overlay" in replace(result, failed=[]).next_steps()[-1]
    assert replace(result, failed=[], asked=True).next_steps() == ["png: out", "table: out/predictions.csv"]


def test_large_images_are_predicted_by_tiles(
    fitted_competition: Workspace, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(shutil.copytree(fitted_competition.root, tmp_path / "copy"))
    folder = root / "experiments" / "tiled"
    folder.mkdir()
    (folder / "config.yaml").write_text("extends: ../plain/config.yaml\npatches: {per_image: 2}\n")
    fit(Session(Workspace(root)), "tiled")
    store = ProbabilityStore(folder / "predictions" / "test")
    for name in ("small", "large"):
        run(Workspace(root), "tiled", images, tmp_path / name)
        for image_id, stored in store:
            assert np.array_equal(read(tmp_path / name / "png" / f"{image_id}.png"), stored[..., 0])
        monkeypatch.setattr(predicting, "_LARGE", 1)
