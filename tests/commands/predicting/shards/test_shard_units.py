import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.workers import Workers
from toolkit.cluster.units import Unit
from toolkit.commands.ensembling.ensemble import ensemble
from toolkit.commands.predicting.shards import shard_units
from toolkit.commands.predicting.shards.shard_units import predict_on
from toolkit.commands.session import Session
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.config.members import MemberPart
from toolkit.config.training.execution import Resources
from toolkit.core.arrays import Image
from toolkit.errors import DataError
from toolkit.files.data.finding import find_test_images
from toolkit.files.data.sources import Images
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.experiment.members import find_member
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.images.image_files import ImageFiles
from toolkit.files.predictions import engine_checks
from toolkit.files.predictions.store import ProbabilityStore, engines_of
from toolkit.learning.predicting import engine_choice, oof_and_test, shard_plan
from toolkit.learning.predicting.fitted_experiment import FittedExperiment, find_fitted_experiment
from toolkit.learning.predicting.fold_mean import FoldMean
from toolkit.learning.predicting.predictor import Rows
from toolkit.messages import Progress, Silent

pytestmark = pytest.mark.train

FOLDS = "folds: ../../data/folds.csv\n"
EXPERIMENTS = {
    "headed": f"{FOLDS}shape: [32, 48, 3]\nbatch: 4\npresence_head: true\nnum_seeds: 2\n",
    "tiled": f"{FOLDS}shape: [16, 16, 3]\nbatch: 5\npatches: {{per_image: 1}}\ntiles: {{overlap: 0}}\n"
    "stored_probability: float16\n",
}
"""The tiled one has nine tiles for each image, so that images end within batches."""

PREDICT: dict[Split, Callable[..., object]] = {
    "oof": oof_and_test.predict_oof,
    "holdout": oof_and_test.predict_holdout,
    "test": oof_and_test.predict_test,
}


@pytest.fixture(autouse=True)
def however_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines predict what takes less than a moment, too."""
    monkeypatch.setattr(shard_units, "_PIXELS_OF_A_START", 0)


@pytest.fixture(scope="module")
def fitted_ones(
    shared_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> Mapping[str, FittedExperiment]:
    found = {}
    rows = [f"{number:03d},{'holdout' if number < 6 else number % 2}\n" for number in range(20)]
    (shared_competition.root / "data" / "folds.csv").write_text("image_id,fold\n" + "".join(rows))
    for name, lines in EXPERIMENTS.items():
        write_experiment(shared_competition, name, lines)
        fit(Session(shared_competition), name)
        found[name], _ = find_fitted_experiment(find_member(shared_competition, name), Silent())
    return found


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_plan, "PIXELS_OF_SHARD", 1)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def images_of(fitted: FittedExperiment, *splits: Split) -> dict[Split, Images]:
    tests = find_test_images(fitted.config.data, 3)
    assert tests is not None
    return {split: tests if split == "test" else find_labelled(fitted.config).images for split in splits}


def predicted(
    fitted: FittedExperiment, sets: Sequence[str], workers: Workers | None = None, *splits: Split
) -> dict[tuple[str, str], dict[str, bytes]]:
    """The files of all stores, made anew; with workers from their shards."""
    images = images_of(fitted, *(splits or PREDICT))
    for split in images:
        fitted.experiment.forget_predictions(split)
    if workers is not None:
        predict_on(workers, fitted, images, sets, Silent())
    for split, found in images.items():
        PREDICT[split](fitted, found, sets, Silent())
    assert not (fitted.experiment.folder / "predictions" / "shards").exists()
    return {(split, views): content(fitted.predictions(split, views)) for split in images for views in sets}


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("how", ["in any order", "dying"])
def test_stores_are_those_of_one_machine_to_the_last_bit(
    fitted_ones: Mapping[str, FittedExperiment], name: str, how: str
) -> None:
    """Maps, index, manifest with what was counted in single folds, and presences; with several sets of views."""
    fitted, workers = fitted_ones[name], Workers(shuffled=how == "in any order", dying=how == "dying")
    sets = ["none", "hflip*scales:1,2"]
    expected = predicted(fitted, sets)
    assert predicted(fitted, sets, workers) == expected
    assert len(workers.ran) == len({unit.name for unit in workers.ran})
    assert {unit.arguments["split"] for unit in workers.ran} == set(PREDICT)
    assert len(workers.ran) >= 6
    assert [len(unit.arguments["sets"]) for unit in workers.ran] == [2] * len(workers.ran)


def test_a_single_fold_and_a_stage_are_those_of_one_machine(fitted_ones: Mapping[str, FittedExperiment]) -> None:
    whole = fitted_ones["headed"]
    splits: tuple[Split, ...] = ("oof", "test")
    for part in (MemberPart(fold=1), MemberPart(stage=0)):
        fitted = replace(whole, part=part)
        assert predicted(fitted, ["none"], Workers(), *splits) == predicted(fitted, ["none"], None, *splits)


def test_what_no_worker_made_is_predicted_here(
    fitted_ones: Mapping[str, FittedExperiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = fitted_ones["headed"]
    expected = predicted(fitted, ["none"], None, "oof", "test")
    calls: list[tuple[str, ...]] = []
    rows = FoldMean.rows

    def recorded(*arguments: Any, **options: Any) -> Iterator[Rows]:
        calls.append(arguments[3])
        return rows(*arguments, **options)

    monkeypatch.setattr(FoldMean, "rows", recorded)
    workers = Workers(lost=[1, 4])
    assert predicted(fitted, ["none"], workers, "oof", "test") == expected
    made_here = calls[-2:]
    lost = [workers.ran[number].arguments["count"] for number in (1, 4)]
    assert [len(ids) for ids in made_here] == lost
    assert len(calls) == len(workers.ran)


def test_shards_that_are_there_are_kept_and_stale_or_damaged_ones_made_again(
    fitted_ones: Mapping[str, FittedExperiment],
) -> None:
    fitted = fitted_ones["headed"]
    expected = predicted(fitted, ["none"], None, "oof")
    fitted.experiment.forget_predictions("oof")
    images = images_of(fitted, "oof")
    predict_on(Workers(), fitted, images, ["none"], Silent())
    again = Workers()
    predict_on(again, fitted, images, ["none"], Silent())
    assert not again.ran
    first, second, third, *_ = sorted((fitted.experiment.folder / "predictions" / "shards").glob("oof-fold*/*"))
    manifest = first / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"views": "none"', '"views": "hflip"'))
    (second / "maps-00000.bin").write_bytes(b"0")
    shutil.rmtree(third)
    predict_on(again, fitted, images, ["none"], Silent())
    assert [unit.arguments["part"] for unit in again.ran].count(["fold0"]) == sum(
        one.parent.name == "oof-fold0" for one in (first, second, third)
    )
    assert len(again.ran) == 3
    oof_and_test.predict_oof(fitted, images["oof"], "none", Silent())
    assert content(fitted.predictions("oof", "none")) == expected["oof", "none"]


def test_a_finished_store_and_folds_that_were_predicted_alone_need_no_units(
    fitted_ones: Mapping[str, FittedExperiment],
) -> None:
    fitted = fitted_ones["headed"]
    expected = predicted(fitted, ["none"], None, "oof")
    images = images_of(fitted, "oof")
    workers = Workers()
    predict_on(workers, fitted, images, ["none"], Silent())
    assert not workers.ran
    fitted.experiment.forget_predictions("oof")
    oof_and_test.predict_oof(fitted.of_fold(0), images["oof"], "none", Silent())
    predict_on(workers, fitted, images, ["none"], Silent())
    assert {unit.arguments["part"][0] for unit in workers.ran} == {"fold1"}
    oof_and_test.predict_oof(fitted, images["oof"], "none", Silent())
    assert content(fitted.predictions("oof", "none")) == expected["oof", "none"]


def test_there_are_no_more_shards_than_are_sensible(
    fitted_ones: Mapping[str, FittedExperiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Idle(Workers):
        def run(self, experiment: Experiment, units: Sequence[Unit], resources: Resources, progress: Progress) -> None:
            self.ran += units

    fitted = fitted_ones["headed"]
    fitted.experiment.forget_predictions("oof")
    images, counts = images_of(fitted, "oof"), []
    for pixels, most in ((1, 256), (1, 2), (2 * 32 * 48 * 4, 256), (1 << 29, 256)):
        monkeypatch.setattr(shard_plan, "PIXELS_OF_SHARD", pixels)
        monkeypatch.setattr(shard_plan, "MOST_SHARDS", most)
        workers = Idle()
        predict_on(workers, fitted, images, ["none"], Silent())
        counts.append([unit.steps for unit in workers.ran])
    assert counts == [[4, 3, 4, 3], [7, 7], [4, 3, 4, 3], [7, 7]]


def test_a_worker_reads_only_the_images_of_its_unit(
    fitted_ones: Mapping[str, FittedExperiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = fitted_ones["tiled"]
    fitted.experiment.forget_predictions("test")
    read: set[str] = set()

    class Watching(Workers):
        def run(self, experiment: Experiment, units: Sequence[Unit], resources: Resources, progress: Progress) -> None:
            read.clear()
            super().run(experiment, units[:1], resources, progress)

    decode = ImageFiles.read

    def watched(self: ImageFiles, image_id: str) -> Image:
        read.add(image_id)
        return decode(self, image_id)

    monkeypatch.setattr(ImageFiles, "read", watched)
    images = images_of(fitted, "test")
    predict_on(Watching(), fitted, images, ["none"], Silent())
    assert 0 < len(read) < len(images["test"].ids)
    fitted.experiment.forget_shards("test")


@pytest.mark.parametrize("agrees", [True, False])
def test_the_engine_is_chosen_once_on_a_machine_that_predicts(
    fitted_ones: Mapping[str, FittedExperiment], agrees: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = fitted_ones["tiled"]
    fitted = replace(fitted, experiment=replace(fitted.experiment, engine="openvino"))
    fitted.experiment.engine_checks.unlink(missing_ok=True)
    monkeypatch.setattr(engine_checks, "MOST_CHANGED", 1.0 if agrees else -1.0)
    expected = predicted(fitted, ["none", "flips"])
    fitted.experiment.engine_checks.unlink()
    workers = Workers(shuffled=True)
    assert predicted(fitted, ["none", "flips"], workers) == expected
    chosen = "openvino" if agrees else "tensorflow"
    choice, *units = workers.ran
    assert (choice.name, choice.arguments["engine"]) == ("predict · choose engine", "openvino")
    assert {unit.arguments["engine"] for unit in units} == {chosen}
    assert engines_of(fitted.predictions("oof", "none")) == {chosen}
    fitted.experiment.engine_checks.unlink()


def test_shards_become_a_store_where_their_engine_is_missing(
    fitted_ones: Mapping[str, FittedExperiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker has OpenVINO, the machine of the user does not."""
    fitted = fitted_ones["tiled"]
    fitted = replace(fitted, experiment=replace(fitted.experiment, engine="auto"))
    monkeypatch.setattr(engine_checks, "MOST_CHANGED", 1.0)
    monkeypatch.setattr(engine_choice, "PIXELS_WORTH_CONVERTING", 1)
    fitted.experiment.forget_predictions("oof")
    images = images_of(fitted, "oof")
    predict_on(Workers(), fitted, images, ["none"], Silent())
    monkeypatch.setattr(engine_choice, "installed_version", lambda: "")
    oof_and_test.predict_oof(fitted, images["oof"], "none", Silent())
    assert engines_of(fitted.predictions("oof", "none")) == {"openvino"}
    fitted.experiment.forget_predictions("oof")
    fitted.experiment.engine_checks.unlink()


def test_an_image_that_cannot_be_read_is_the_error_of_one_machine(
    fitted_ones: Mapping[str, FittedExperiment],
) -> None:
    fitted = fitted_ones["headed"]
    images = images_of(fitted, "test")
    fitted.experiment.forget_predictions("test")
    damaged = fitted.experiment.folder.parents[1] / "data" / "test" / "images" / "024.png"
    before = damaged.read_bytes()
    damaged.write_bytes(before[:100])
    try:
        with pytest.raises(DataError) as one:
            oof_and_test.predict_test(fitted, images["test"], "none", Silent())
        with pytest.raises(DataError) as other:
            predict_on(Workers(), fitted, images, ["none"], Silent())
    finally:
        damaged.write_bytes(before)
    assert (one.value.message, one.value.advice) == (other.value.message, other.value.advice)
    fitted.experiment.forget_shards("test")


def test_fit_and_ensemble_let_machines_predict(
    tiny_competition: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    plain = tiny_competition.find("plain")
    fit(Session(tiny_competition), "plain")
    folders = [plain.predictions("oof"), plain.predictions("test")]
    expected = [content(folder) for folder in folders]
    plain.forget_predictions("oof")
    plain.forget_predictions("test")
    workers = Workers(shuffled=True)
    session = Session(tiny_competition, cluster=workers)
    fit(session, "plain")
    assert {unit.arguments["split"] for unit in workers.ran} == {"oof", "test"}
    assert [content(folder) for folder in folders] == expected
    workers.ran.clear()
    ensemble(session, ["plain", "plain:fold0"], views="flips", name="viewed")
    assert {(unit.arguments["split"], *unit.arguments["part"]) for unit in workers.ran} >= {
        ("oof", "fold0"),
        ("test",),
        ("test", "fold0"),
    }
    viewed = content(tiny_competition.find("viewed").predictions("test"))
    for folder in tiny_competition.experiments.glob("*/predictions/*flips"):
        shutil.rmtree(folder)
    ensemble(Session(tiny_competition), ["plain", "plain:fold0"], views="flips", name="viewed")
    assert content(tiny_competition.find("viewed").predictions("test")) == viewed


def test_folds_that_are_not_trained_are_left_out(tiny_competition: Workspace) -> None:
    workers = Workers()
    fit(Session(tiny_competition, cluster=workers), "plain", options=FitOptions(folds=[1]))
    store = ProbabilityStore(tiny_competition.find("plain").predictions("test"))
    assert store.fold_spread is None
    predicting = [unit for unit in workers.ran if "part" in unit.arguments]
    assert {(unit.arguments["split"], *unit.arguments["part"]) for unit in predicting} == {("oof", "fold1"), ("test",)}


def test_what_takes_a_moment_is_not_given_away(tiny_competition: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = Workers()
    # 20 images by one network each, 6 by both, of 32×32 pixels.
    monkeypatch.setattr(shard_units, "_PIXELS_OF_A_START", (20 + 12) * 32 * 32 + 1)
    session = Session(tiny_competition, cluster=workers)
    fit(session, "plain")
    assert all("fold" in unit.name and "stage" in unit.name for unit in workers.ran)
    tiny_competition.find("plain").forget_predictions("oof")
    monkeypatch.setattr(shard_units, "_PIXELS_OF_A_START", (20 + 12) * 32 * 32)
    workers.ran.clear()
    fit(session, "plain")
    assert {unit.arguments["split"] for unit in workers.ran} == {"oof"}
