"""Volumes from the configuration to the submission: folds, training, resuming, predictions and pictures.

Covers toolkit/commands/training/folds/divided_neighbours.py.
"""

import csv
import shutil
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tests.commands.conftest import Told
from tests.workers import Workers
from toolkit import Experiment as Trained
from toolkit.commands.inspecting.data import examine_data
from toolkit.commands.inspecting.preview import preview
from toolkit.commands.predicting.forecaster import Forecast, Forecaster
from toolkit.commands.predicting.predict import PredictOptions, predict
from toolkit.commands.predicting.pseudo import PseudoOptions, pseudo
from toolkit.commands.session import Session
from toolkit.commands.submitting.submit import SubmitOptions, submit
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.errors import ConfigError, FoldsError, OutOfTimeError
from toolkit.files.datasets.images_to_predict import find_inputs, images_of
from toolkit.files.experiment.fitted import find_fitted, first_networks
from toolkit.files.experiment.members import find_member
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.learning.predicting import shard_plan
from toolkit.learning.training.epoch_data import Deadline
from toolkit.messages import Silent

pytestmark = pytest.mark.train

CONFIG = """\
data:
  images: ../../train
  image_id: "{case}_{slice}"
  image_name: "{case}/slice_{slice}.png"
  masks: ../../masks
  mask_name: "{case}_{slice}.png"
  test: ../../test
  neighbours: {offsets: [-2, -1, 0, 1, 2], order_by: slice, group_by: case, edges: leave_out}
architecture: ModularUnet
architecture_options: {depth: 1, convolutions: 1, start_filters: 4}
backbone: null
shape: [32, 32, 5]
batch: 4
folds_count: 2
precision: float32
stages: [{epochs: 2}]
"""


def volume(root: Path, case: str, count: int, *, masked: bool) -> None:
    random = np.random.default_rng(len(case))
    (root / case).mkdir(parents=True)
    (root.parent / "masks").mkdir(exist_ok=True)
    for number in range(count):
        mask = np.zeros((32, 32), np.uint8)
        cv2.circle(mask, (16, 16), 4 + number, 255, -1)
        pixels = np.clip(random.normal(60, 20, mask.shape) + mask / 3, 0, 255).astype(np.uint8)
        cv2.imwrite(str(root / case / f"slice_{number + 8}.png"), pixels)
        if masked:
            cv2.imwrite(str(root.parent / "masks" / f"{case}_{number + 8}.png"), mask)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Four volumes of five slices, one of them for the test, and the experiment `deep` with five slices an image."""
    root = tmp_path_factory.mktemp("volumes")
    for case in ("a", "bb", "ccc"):
        volume(root / "train", case, 6, masked=True)
    volume(root / "test", "dddd", 5, masked=False)
    folder = root / "experiments/deep"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG)
    fit(Session(Workspace(root)), "deep")
    return Workspace(root)


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_plan, "PIXELS_OF_SHARD", 1)


def again(workspace: Workspace, tmp_path: Path, lines: str = "") -> Workspace:
    """The same data and an experiment that is not trained."""
    for name in ("train", "masks", "test"):
        shutil.copytree(workspace.root / name, tmp_path / name)
    folder = tmp_path / "experiments/deep"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG + lines)
    return Workspace(tmp_path)


def test_volumes_are_whole_in_folds_and_every_image_is_predicted(fitted: Workspace) -> None:
    experiment = fitted.find("deep")
    rows = list(csv.DictReader(experiment.folds.read_text().splitlines()))
    assert all(row["group"] == row["image_id"].partition("_")[0] for row in rows)
    assert all(len({row["fold"] for row in rows if row["group"] == case}) == 1 for case in ("a", "bb", "ccc"))
    assert len(ProbabilityStore(experiment.predictions("oof")).ids) == 18  # edges as well
    assert len(ProbabilityStore(experiment.predictions("test")).ids) == 5
    made = submit(Session(fitted), "deep", options=SubmitOptions(threshold=0.5))
    assert len(Path(made.path).read_text().splitlines()) == 6


def test_new_folders_are_predicted_as_test_images_here_and_elsewhere(fitted: Workspace, tmp_path: Path) -> None:
    formats = PredictOptions(formats=("npy", "overlay"), threshold=0.5)
    workers = Workers(shuffled=True)
    for name, cluster in (("one", None), ("several", workers)):
        session = Session(fitted, cluster=cluster)
        predict(session, "deep", [fitted.root / "test/dddd"], out=tmp_path / name, options=formats)
    assert len(workers.ran) > 1
    store = ProbabilityStore(fitted.find("deep").predictions("test"))
    for number in range(8, 13):
        one = np.load(tmp_path / f"one/npy/slice_{number}.npy")
        assert np.array_equal(one, np.load(tmp_path / f"several/npy/slice_{number}.npy"))
        assert np.allclose(one, store.read(f"dddd_{number}") / 255, atol=0.003)
    files = [fitted.root / f"test/dddd/slice_{number}.png" for number in range(8, 13)]
    maps = Trained(fitted.find("deep").folder).predict(files)
    assert np.allclose(maps[2], np.load(tmp_path / "one/npy/slice_10.npy"), atol=1e-6)


def test_a_changed_neighbour_is_predicted_again(fitted: Workspace, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(fitted.root / "test/dddd", tmp_path / "dddd"))
    out, options = tmp_path / "out", PredictOptions(formats=("npy",))
    predict(Session(fitted), "deep", [folder], out=out, options=options)
    cv2.imwrite(str(folder / "slice_8.png"), np.zeros((32, 32), np.uint8))
    result = predict(Session(fitted), "deep", [folder], out=out, options=options)
    assert (result.predicted, result.kept) == (3, 2)  # 8, 9 and 10


def test_a_run_that_ended_after_an_epoch_comes_to_the_same_weights(
    fitted: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = again(fitted, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Deadline, "is_over", lambda self: True)
        with pytest.raises(OutOfTimeError, match="epoch"):
            fit(Session(workspace), "deep", options=FitOptions(max_seconds=1e6))
    fit(Session(workspace), "deep")
    for name in ("oof", "test"):
        ours, theirs = (ProbabilityStore(one.find("deep").predictions(name)) for one in (workspace, fitted))
        assert all(np.array_equal(ours.read(one), theirs.read(one)) for one in theirs.ids)


def test_data_and_preview_show_the_slice_itself(fitted: Workspace, tmp_path: Path) -> None:
    workspace = again(fitted, tmp_path)
    found = examine_data(Session(workspace), "deep")
    assert not [one for one in found.findings if one.level == "error"]
    assert preview(Session(workspace), "deep", count=2).images == 2


def test_folds_that_divide_volumes_are_told(fitted: Workspace, tmp_path: Path) -> None:
    lines = 'groups: {pattern: "(.+)"}\n'
    workspace = again(fitted, tmp_path, lines)
    found = examine_data(Session(workspace), "deep")
    (told_of,) = [one for one in found.findings if one.check == "neighbours"]
    assert "held out by another fold than a neighbour" in told_of.message
    ids = [path.stem for path in sorted((tmp_path / "masks").iterdir())]
    rows = "".join(f"{image_id},{number % 2}\n" for number, image_id in enumerate(ids))
    (tmp_path / "folds.csv").write_text(f"image_id,fold\n{rows}")
    (tmp_path / "experiments/deep/config.yaml").write_text(CONFIG + "folds: ../../folds.csv\n")
    with pytest.raises(FoldsError, match="3 groups are split") as caught:
        fit(Session(workspace), "deep")
    assert "volumes of data.neighbours" in caught.value.advice


def test_pictures_of_predictions_show_the_slice_itself(fitted: Workspace) -> None:
    networks = find_fitted(find_member(fitted, "deep"))
    images = images_of(find_inputs([fitted.root / "test/dddd"]), first_networks(networks))
    found = list(Forecaster(networks, Silent()).forecasts(images, images.ids, "deep"))
    assert len(found) == 5
    for one in found:
        assert isinstance(one, Forecast)
        path = fitted.root / "test/dddd" / f"{one.image_id}.png"
        assert np.array_equal(one.picture[..., 0], cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        assert one.picture.shape[2] == 1


def test_a_missing_slice_does_not_keep_the_others_from_being_predicted(fitted: Workspace, tmp_path: Path) -> None:
    told = Told()
    folder = Path(shutil.copytree(fitted.root / "test", tmp_path / "test")) / "dddd"
    (folder / "slice_10.png").unlink()
    result = predict(Session(fitted, told), "deep", [folder], out=tmp_path / "out")
    assert (result.images, result.failed) == (4, [])
    assert any("4 of 4 images lack a neighbouring slice" in line for line in told.lines)


def test_pseudo_labels_follow_the_names_of_new_folders(fitted: Workspace, tmp_path: Path) -> None:
    workspace = Workspace(Path(shutil.copytree(fitted.root, tmp_path / "copy")))
    assert pseudo(Session(workspace), "deep", options=PseudoOptions([workspace.root / "test/dddd"])).images == 5


def test_foreground_at_edges_alone_cannot_be_trained_on(fitted: Workspace, tmp_path: Path) -> None:
    workspace = again(fitted, tmp_path)
    for path in (tmp_path / "masks").iterdir():
        if not path.stem.endswith("_8"):
            cv2.imwrite(str(path), np.zeros((32, 32), np.uint8))
    with pytest.raises(FoldsError, match=r"lie at the edge of their volume, and data\.neighbours\.edges: leave_out"):
        fit(Session(workspace), "deep")


def test_members_that_leave_out_other_edges_predict_together(fitted: Workspace) -> None:
    (deep,) = find_fitted(find_member(fitted, "deep")).leaves()
    spec = deep.config.data.neighbours
    assert spec is not None

    def changed(**keys: object) -> SimpleNamespace:
        data = deep.config.data.model_copy(update={"neighbours": spec.model_copy(update=keys)})
        return SimpleNamespace(config=deep.config.model_copy(update={"data": data}))

    def together(other: SimpleNamespace) -> object:
        return first_networks(SimpleNamespace(leaves=lambda: [deep, other]))  # type: ignore[arg-type]

    assert together(changed(edges="repeat", gaps="nearest")) is deep
    with pytest.raises(ConfigError, match="different neighbouring slices"):
        together(changed(offsets=(-1, 0, 1, 2, 3)))
