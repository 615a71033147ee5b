"""Covers toolkit/api/experiment.py, arguments.py, paths.py, keras_models.py, batches.py, error_words.py and
toolkit/learning/predicting/export.py.
"""

import csv
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from toolkit import Experiment, ToolkitError, decode, ensemble, evaluate, lr_find, preview
from toolkit.api.batches import PredictedMap
from toolkit.core.masks.labels import IGNORE
from toolkit.core.recipe.probabilities import quantise
from toolkit.errors import ChangedError, ConfigError, DataError, FoldsError, MissingFileError, NotReadyError
from toolkit.files.experiment.folds_csv import read_folds
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.images.decoding import read_image
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.messages import Silent, Task

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def plain(fitted_competition: Workspace) -> Experiment:
    return Experiment(fitted_competition.experiments / "plain")


@pytest.fixture
def images(fitted_competition: Workspace, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fitted_competition.root / "data" / "test" / "images", tmp_path / "images"))


def collect(file_name: str, img: PredictedMap, data: dict[str, np.ndarray]) -> None:
    data[file_name] = img.arr


def test_an_experiment_is_found_by_folder_file_and_part_from_anywhere(
    fitted_competition: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = fitted_competition.experiments / "plain"
    for path in (folder, str(folder), folder / "config.yaml"):
        assert Experiment(path).name == "plain"
    assert Experiment(f"{folder}:fold1").name == "plain:fold1"
    monkeypatch.chdir(fitted_competition.root)
    experiment = Experiment("experiments/plain")
    assert experiment.folder.samefile(folder)
    assert (experiment.scores["metric"], experiment.classes) == ("salt_map", ("foreground",))
    with pytest.raises(MissingFileError, match="there is no experiment"):
        Experiment("experiments/none")
    with pytest.raises(ConfigError, match="'folds' is not a part of plain"):
        Experiment("experiments/plain:folds")


def test_maps_equal_those_of_the_stores(fitted_competition: Workspace, images: Path) -> None:
    for name in ("plain", "both"):
        experiment = Experiment(fitted_competition.experiments / name)
        store = ProbabilityStore(experiment.folder / "predictions" / "test")
        paths = sorted(images.iterdir())
        arrays = [read_image(path) for path in paths]
        for found in (
            experiment.predict(paths),
            experiment.predict(arrays),
            [experiment.predict(one) for one in arrays],
        ):
            for path, probability in zip(paths, found, strict=True):
                assert probability.dtype == np.float32
                assert np.array_equal(quantise(probability), store.read(path.stem))


def test_engines_give_nearly_the_same_maps(fitted_competition: Workspace, images: Path) -> None:
    folder = fitted_competition.experiments / "plain"
    paths = sorted(images.iterdir())
    by_engine = [Experiment(folder, engine=engine).predict(paths) for engine in ("tensorflow", "openvino")]
    for one, other in zip(*by_engine, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert not (folder / "engine.json").exists()  # only reading
    with pytest.raises(ConfigError, match=r"^engine: 'onnx' is not valid"):
        Experiment(folder, engine="onnx")


def test_the_folder_of_the_experiment_is_enough(fitted_competition: Workspace, images: Path, tmp_path: Path) -> None:
    experiments = Path(shutil.copytree(fitted_competition.experiments, tmp_path / "elsewhere"))
    experiment = Experiment(experiments / "plain")
    assert experiment.classes == ("foreground",)
    assert experiment.predict(images / "020.png", folds=0).shape == (40, 48, 1)


def test_networks_are_kept_between_equal_calls(plain: Experiment, images: Path) -> None:
    path = images / "020.png"
    first, kept = plain.predict(path, folds=0), plain._forecaster
    assert np.array_equal(plain.predict(path, folds=[0]), first)
    assert plain._forecaster is kept
    assert not np.array_equal(plain.predict(path, folds=1), first)
    assert np.array_equal(plain.predict(path, folds=0), first)
    assert not np.array_equal(plain.predict(path, folds=0, views="flips"), first)


def test_numbers_may_have_any_whole_type(plain: Experiment, images: Path) -> None:
    path = images / "020.png"
    assert np.array_equal(plain.predict(path, folds=np.arange(1)), plain.predict(path, folds=np.int64(0)))
    for ask, message in (
        (lambda: plain.predict(path, folds="0"), "folds: expected whole numbers; received '0'"),
        (lambda: plain.predict(path, folds=1.0), "folds: expected whole numbers; received 1.0"),
        (lambda: plain.predict(path, stage="0"), "stage: expected whole numbers; received '0'"),
        (lambda: plain.load_model([0]), r"fold: expected whole numbers; received \[0\]"),
        (lambda: plain.fit(stages="x"), "stages: expected whole numbers; received 'x'"),
        (lambda: plain.evaluate_all(0, batch=0), "batch: expected a whole number of at least 1; received 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            ask()
    with pytest.raises(DataError, match="the type NoneType"):
        plain.predict(None)


def test_a_callback_gets_every_image(plain: Experiment, images: Path) -> None:
    found: dict[str, np.ndarray] = {}
    plain.predict_in_directory(images, [0, 1], collect, found, ttflips=True)
    assert list(found) == [f"{number:03d}.png" for number in range(20, 26)]
    assert np.array_equal(found["021.png"], plain.predict(images / "021.png", views="flips"))
    one: dict[str, np.ndarray] = {}
    plain.predict_in_directory(str(images), 1, collect, one)
    assert np.array_equal(one["021.png"], plain.predict(images / "021.png", folds=1))
    assert one["021.png"].shape == (40, 48, 1)
    with pytest.raises(ConfigError, match="contradicts ttflips, which means flips"):
        plain.predict_in_directory(images, 0, collect, one, ttflips=True, views="d4")


def test_failures_are_raised_after_all_other_images(plain: Experiment, images: Path) -> None:
    (images / "021.png").write_bytes(b"no image")
    found: dict[str, np.ndarray] = {}
    with pytest.raises(DataError, match=r"1 of 6 images .* could not be predicted; all others were:\n  021\.png"):
        plain.predict_in_directory(images, None, collect, found)
    assert len(found) == 5
    with pytest.raises(ToolkitError, match=r"021\.png"):
        plain.predict(images / "021.png")


def test_predictions_go_into_files(plain: Experiment, images: Path, tmp_path: Path) -> None:
    result = plain.predict_to(images, tmp_path / "out", "npy", folds=0)
    assert (result.predicted, result.networks) == (6, 1)
    found = np.load(tmp_path / "out" / "npy" / "020.npy")
    assert np.array_equal(found, plain.predict(images / "020.png", folds=0))


def test_batches_have_the_truth_and_out_of_fold_predictions(fitted_competition: Workspace, plain: Experiment) -> None:
    store = ProbabilityStore(plain.folder / "predictions" / "oof")
    folds = read_folds(plain.folder / "folds.csv", sorted(store.ids))
    batches = list(plain.evaluate_all(1, batch=3))
    assert [len(batch) for batch in batches] == [3, 3, 3, 1]
    ids = [image_id for batch in batches for image_id in batch.data]
    assert ids == [image_id for image_id, fold in zip(sorted(store.ids), folds, strict=True) if fold == 1]
    batch = batches[0]
    assert np.array_equal(quantise(batch.probabilities[2]), store.read(batch.data[2]))
    assert batch.truth[0].shape == (40, 48, 1)
    assert set(np.unique(batch.truth[0])) <= {0, 1, IGNORE}
    assert batch.images[0].shape == (40, 48, 3)
    every = [image_id for batch in plain.evaluate_all() for image_id in batch.data]
    assert sorted(every) == sorted(store.ids)
    part = [one for batch in Experiment(f"{plain.folder}:fold1").evaluate_all() for one in batch.data]
    assert part == ids
    with pytest.raises(ConfigError, match="fold: there is no fold 2; plain has 0, 1"):
        next(plain.evaluate_all(2))


def test_a_model_predicts_like_the_experiment(fitted_competition: Workspace, plain: Experiment) -> None:
    image = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    expected = plain.predict(list(image), folds=1)
    model = plain.load_model(1)
    # Keras computes two images at once, the experiment its own number: the last digits may differ.
    np.testing.assert_allclose(model.predict(image, verbose=0), np.stack(expected), atol=1e-4)
    assert model.input_shape == (None, 32, 32, 3)
    with pytest.raises(ConfigError, match="there is no fold 5"):
        plain.load_model(5)
    with pytest.raises(ConfigError, match="repeat: there is no seed 1; there is only 0"):
        plain.load_model(0, repeat=1)
    with pytest.raises(ConfigError, match="is an ensemble"):
        Experiment(fitted_competition.experiments / "both").load_model(0)


def test_the_whole_job_from_python(fitted_competition: Workspace, tmp_path: Path, monkeypatch: Any) -> None:
    root = Path(shutil.copytree(fitted_competition.root, tmp_path / "work"))
    experiment = Experiment(root / "experiments" / "tiny")
    with pytest.raises(NotReadyError, match="not finished"):
        _ = experiment.scores
    with pytest.raises(NotReadyError, match="has not been fitted yet"):
        experiment.predict(np.zeros((8, 8), np.uint8))
    plain = Experiment(root / "experiments" / "plain")
    assert plain.fit().finished
    with pytest.raises(ConfigError, match="max_time"):
        plain.fit(max_time="soon")
    with pytest.raises(NotReadyError, match="no tuned recipe"):
        _ = plain.recipe
    plain.tune()
    assert plain.recipe.classes
    plain.submit()
    assert (root / "submissions" / "plain.csv").is_file()
    solution = root / "data" / "solution.csv"
    assert plain.score(solution).metric == "salt_map"
    perfect = plain.score(solution, submission=solution, metric="dice")
    assert (perfect.score, perfect.metric) == (1.0, "dice")


class Scans:
    """The training images and masks of a competition, read from its files."""

    def __init__(self, data: Path) -> None:
        with (data / "train.csv").open() as file:
            self.rows = list(csv.DictReader(file))
        self.folder = data / "train" / "images"

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> SimpleNamespace:
        image_id, runs = self.rows[index].values()
        image = read_image(self.folder / f"{image_id}.png")
        return SimpleNamespace(id=image_id, x=image, y=decode(runs, size=image.shape[:2]))


def weights_of(experiment: Experiment) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for path in sorted(experiment.folder.glob("fold*/stage*/best.weights.h5")):
        with h5py.File(path) as file:
            file.visititems(lambda _, entry: found.append(entry[()]) if isinstance(entry, h5py.Dataset) else None)
    return found


def test_a_dataset_gives_what_its_files_give(
    fitted_competition: Workspace, plain: Experiment, same_arrays: Any, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(fitted_competition.root, tmp_path / "work"))
    folder = root / "experiments" / "given"
    folder.mkdir()
    text = (plain.folder / "config.yaml").read_text() + "data: {masks: nowhere.csv}\n"
    (folder / "config.yaml").write_text(text)
    given, scans = Experiment(folder), Scans(root / "data")
    assert given.fit(scans, folds=0).finished is False
    assert given.fit(scans).finished
    assert given.scores == plain.scores
    assert len(weights_of(given)) > 4
    assert same_arrays(weights_of(given), weights_of(plain))
    image = scans[3].x
    assert np.array_equal(given.predict(image), plain.predict(image))
    tuned = given.tune()
    assert tuned == replace(
        Experiment(root / "experiments" / "plain").tune(), experiment="given", overlays=tuned.overlays, page=tuned.page
    )
    assert evaluate(given, worst=1).evaluation.metric == "salt_map"
    assert given.submit().rows == 6
    assert next(given.evaluate_all(0)).data == next(plain.evaluate_all(0)).data

    again = Experiment(folder, scans)
    assert again.fit().all == given.scores["all"]
    assert again.tune() == tuned
    blended = ensemble([Experiment(f"{folder}:fold{fold}", scans) for fold in (0, 1)], name="blended")
    assert blended.all == given.scores["all"]
    alone = Experiment(folder)
    for ask in (alone.tune, alone.fit, alone.submit, lambda: evaluate(root / "experiments" / "blended")):
        with pytest.raises(MissingFileError, match=r": images and masks are not on disk.*given in Python"):
            ask()
    scans.rows.reverse()
    assert Experiment(folder, scans).tune() == tuned
    scans.rows[0]["rle_mask"], scans.rows[1]["rle_mask"] = scans.rows[1]["rle_mask"], scans.rows[0]["rle_mask"]
    with pytest.raises(ChangedError, match="given was fitted to a dataset with other images, masks or ids than Scans"):
        Experiment(folder, scans).tune()
    with pytest.raises(ChangedError, match="the content of the training images or masks"):
        alone.fit(scans)
    with pytest.raises(MissingFileError, match=r"nowhere\.csv"):  # what the file says counts again
        Experiment(folder).fit(restart=True)


def test_a_dataset_that_is_refused_does_not_replace_the_one_before(
    fitted_competition: Workspace, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(fitted_competition.root, tmp_path / "work"))
    (root / "experiments" / "given").mkdir()
    (root / "experiments" / "given" / "config.yaml").write_text("extends: ../plain/config.yaml\n")
    given, scans, other = Experiment(root / "experiments" / "given"), Scans(root / "data"), Scans(root / "data")
    result = given.fit(scans)
    assert result.next_steps()[-1] == f"next: Experiment({str(given.folder)!r}, dataset).tune()"
    other.rows = other.rows[1:]
    with pytest.raises(FoldsError):
        given.fit(other)
    assert given.tune().experiment == "given"


def test_errors_name_arguments_instead_of_options(plain: Experiment, images: Path) -> None:
    for ask, message in (
        (lambda: plain.fit(folds=[7]), "^folds: there is no fold 7"),
        (lambda: plain.predict(images / "020.png", folds=7), "^folds: plain: there is no fold 7"),
        (lambda: plain.predict(images / "020.png", views="ttflop"), "^views: "),
        (lambda: plain.predict_to(images, "nowhere", "debug"), "^formats: 'debug' is not valid"),
        (lambda: plain.fit(overrides="lr=1"), r"^overrides: expected a list, for example \['lr=1'\]"),
        (lambda: Experiment(plain.path, engine="onnx"), "^engine: 'onnx' is not valid"),
        (lambda: preview(plain, count=0), "^count: expected 1 to 10000"),
        (lambda: lr_find(plain, folds=9), "^folds: there is no fold 9"),
    ):
        with pytest.raises(ConfigError, match=message) as told:
            ask()
        assert "--" not in told.value.message
    with pytest.raises(ConfigError) as told:
        plain.fit(folds=[0], restart=True)
    assert "tk fit plain --restart" in told.value.advice  # a command to type stays one


def test_progress_is_shown_where_it_is_asked_for(
    plain: Experiment, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Told(Silent):
        def __init__(self) -> None:
            self.titles: list[str] = []

        @contextmanager
        def task(self, title: str, total: int) -> Iterator[Task]:
            self.titles.append(title)
            with super().task(title, total) as task:
                yield task

    told = Told()
    Experiment(plain.folder, progress=told).predict(images / "020.png", folds=0)
    assert told.titles == ["plain: predicting 1 image"]
    for quiet in (Experiment(plain.folder), Experiment(plain.folder, progress=False)):
        quiet.predict(images / "020.png", folds=0)
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""
    with pytest.raises(DataError, match="a dataset has __len__ and __getitem__"):
        Experiment(plain.folder, told)


def test_masks_use_the_tuned_recipe(fitted_competition: Workspace, images: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(fitted_competition.root, tmp_path / "work"))
    plain = Experiment(root / "experiments" / "plain")
    plain.tune()
    result = plain.predict_to(images, tmp_path / "out", ["mask"])
    assert result.recipe is not None
    assert f"{plain.recipe.classes[0].threshold:.3f}" in result.recipe
