"""Covers toolkit/commands/scoring/scores.py and overlays.py."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.commands.scoring.overlays import worst_and_best, write_overlays
from toolkit.commands.scoring.scores import Scores, Scoring, score_stores, write_scores
from toolkit.config.metrics import parse_metric
from toolkit.core.arrays import Labels, Objects
from toolkit.core.masks.labels import BINARY, IGNORE, Classes, planes
from toolkit.core.metrics.registry import ScoringRules
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.errors import ChangedError
from toolkit.files.data.sources import LabelledImages
from toolkit.files.experiment.folder import Experiment
from toolkit.files.images.decoding import read_image
from toolkit.files.images.image_files import ImageFiles
from toolkit.files.masks.rle_tables import MaskTable
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter
from toolkit.messages import Silent

SIZE = (10, 14)
IDS = [f"i{number}" for number in range(6)]
FOLDS = np.array([0, 1, 0, 1, 0, 1])


@dataclass(frozen=True)
class LabelMaps(LabelledImages):
    """Images with label maps that are given."""

    labels: Mapping[str, Labels] = field(default_factory=dict)
    objects: Mapping[str, Objects] = field(default_factory=dict)

    def read_labels(self, image_id: str) -> Labels:
        return self.labels[image_id]

    def read_objects(self, image_id: str) -> Objects | None:
        return self.objects.get(image_id)


def label_maps(tmp_path: Path, values: int, classes: Classes = BINARY) -> LabelMaps:
    """Six grey images with random blocks of labels below `values`, and some ignored pixels."""
    random = np.random.default_rng(values)
    paths, labels = {}, {}
    for image_id in IDS:
        paths[image_id] = tmp_path / f"{image_id}.png"
        Image.fromarray(random.integers(0, 256, SIZE, np.uint8)).save(paths[image_id])
        labels[image_id] = np.repeat(np.repeat(random.integers(0, values, (5, 7), np.uint8), 2, 0), 2, 1)
        labels[image_id][0, :3] = IGNORE
    return LabelMaps(ImageFiles(str(tmp_path), paths), MaskTable({}), classes, labels)


def store_of(folder: Path, data: LabelMaps, classes: int, activation: str, seed: int) -> ProbabilityStore:
    """Predictions that know something of the truth, written in another order than that of the ids."""
    random = np.random.default_rng(seed)
    with ProbabilityWriter(folder, "uint8", {}) as writer:
        for image_id in reversed(IDS):
            known = planes(data.labels[image_id], classes, activation) == 1
            noise = random.random((*SIZE, classes))
            writer.append(image_id, (0.4 * known + 0.6 * noise).astype(np.float32))
    return ProbabilityStore(folder)


def scoring(metrics: list, **options: object) -> Scoring:
    """Metrics as the configuration writes them, and further fields."""
    return Scoring([parse_metric(metric, options.get("plugins", ())) for metric in metrics], **options)


def scored(tmp_path: Path, metrics: list, **options: object) -> Scores:
    """One class, or three under softmax."""
    classes = options.pop("classes", ("foreground",))
    activation = options.pop("activation", "sigmoid")
    data = label_maps(tmp_path, len(classes) + (activation == "sigmoid"), Classes(classes, activation))
    store = store_of(tmp_path / "oof", data, len(classes), activation, 0)
    (scores,) = score_stores([store], data, FOLDS, scoring(metrics, **options), Silent())
    return scores


CLASSES = ("sky", "road", "car")


def test_scores_of_folds_images_and_all(tmp_path: Path) -> None:
    scores = scored(tmp_path, ["dice", {"fbeta": {"beta": 2}}, "global_dice"])
    assert scores.metric == "dice"
    assert scores.ids == tuple(IDS)
    assert list(scores.by_metric) == ["dice", "fbeta(beta=2)", "global_dice"]
    values = scores.by_metric["dice"]
    assert len(set(values)) > 3
    assert scores.all == pytest.approx(values.mean())
    assert scores.by_fold == pytest.approx([values[fold == FOLDS].mean() for fold in (0, 1)])


def test_pooled_scores_of_folds_are_pooled(tmp_path: Path) -> None:
    scores = scored(tmp_path, ["global_dice"])
    areas = scores.scored.statistics[0].reshape(6, 4)
    for fold, score in enumerate(scores.by_fold):
        hits, predicted, truth, _ = areas[fold == FOLDS].sum(axis=0)
        assert score == 2 * hits / (predicted + truth)
    hits, predicted, truth, _ = areas.sum(axis=0)
    assert scores.all == 2 * hits / (predicted + truth)


def test_each_image_is_scored_with_its_own_truth_whatever_the_order_on_disk(tmp_path: Path) -> None:
    data = label_maps(tmp_path, 2)
    with ProbabilityWriter(tmp_path / "oof", "uint8", {}) as writer:
        for image_id in reversed(IDS):
            perfect = data.labels[image_id] == 1
            writer.append(image_id, (perfect if image_id == "i1" else ~perfect).astype(np.float32)[..., None])
    store = ProbabilityStore(tmp_path / "oof")
    (scores,) = score_stores([store], data, FOLDS, scoring(["iou"]), Silent())
    assert scores.by_metric["iou"].tolist() == [0, 1, 0, 0, 0, 0]
    assert scores.by_fold == [0, 1 / 3]


def test_several_stores_are_scored_like_each_alone(tmp_path: Path) -> None:
    data = label_maps(tmp_path, 2)
    stores = [store_of(tmp_path / f"oof{seed}", data, 1, "sigmoid", seed) for seed in (0, 1)]

    def score(some: list[ProbabilityStore], recipe: Recipe = IDENTITY) -> list[float]:
        return [one.all for one in score_stores(some, data, FOLDS, scoring(["iou"], recipe=recipe), Silent())]

    assert score(stores) == [*score(stores[:1]), *score(stores[1:])]
    assert len(set(score(stores))) == 2
    assert score(stores, Recipe((ClassRecipe(0.9),))) != score(stores)


def test_several_classes(tmp_path: Path) -> None:
    scores = scored(tmp_path, ["miou", "dice"], classes=CLASSES, activation="softmax")
    assert list(scores.per_class) == list(CLASSES)
    ious = [scores.per_class[name]["miou"] for name in CLASSES]
    assert scores.all == pytest.approx(np.mean(ious))
    assert len(set(ious)) == 3
    areas = scores.scored.statistics[0].reshape(6, 3, 4).sum(axis=0)
    assert (areas[:, 3] == 6 * (SIZE[0] * SIZE[1] - 3)).all()
    assert areas[:, 1].sum() == areas[:, 2].sum() == areas[0, 3]  # every pixel has one class, ignored ones none


def test_the_primary_metric_scores_the_benchmark_class(tmp_path: Path) -> None:
    scores = scored(tmp_path, ["iou", "dice"], classes=CLASSES, activation="softmax", rules=ScoringRules(benchmark=2))
    assert scores.metric == "iou[car]"
    assert scores.all == scores.per_class["car"]["iou"] != scores.scored.scores()["iou"]


def test_a_metric_of_plugins(tmp_path: Path) -> None:
    def share(prediction: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> float:
        return float(prediction[valid].mean())

    scores = scored(tmp_path, ["share"], plugins={"share": share})
    assert 0 < scores.all < 1
    with pytest.raises(ValueError, match="share"):
        scored(tmp_path, ["share"])


def test_objects_are_read_only_for_metrics_that_need_them(tmp_path: Path) -> None:
    data = label_maps(tmp_path, 2)
    objects = {image_id: np.zeros(SIZE, np.int32) for image_id in IDS}
    known = LabelMaps(data.images, data.masks, data.classes, data.labels, objects)
    store = store_of(tmp_path / "oof", data, 1, "sigmoid", 0)
    recipe = Recipe((ClassRecipe(0.4),))
    for truth, found in ((data, True), (known, False)):
        (scores,) = score_stores([store], truth, FOLDS, scoring(["instance_map", "dice"], recipe=recipe), Silent())
        assert (scores.scored.statistics[0][:, 11] > 0).all() == found
        assert scores.scored.scores()["dice"] > 0.3


def test_an_image_with_another_size_is_reported(tmp_path: Path) -> None:
    data = label_maps(tmp_path, 2)
    store = store_of(tmp_path / "oof", data, 1, "sigmoid", 0)
    changed = LabelMaps(data.images, data.masks, data.classes, {**data.labels, "i3": np.zeros((3, 4), np.uint8)})
    with pytest.raises(ChangedError, match=r"i3 is 3×4 now, but .* predicted it at 10×14"):
        score_stores([store], changed, FOLDS, scoring(["dice"]), Silent())


def test_written_scores(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path / "exp")
    scores = scored(tmp_path, ["miou", {"fbeta": {"beta": 2}}], classes=(*CLASSES, "sea"), activation="softmax")
    write_scores(experiment, scores)
    written = json.loads(experiment.score.read_text())
    assert set(written) == {"metric", "folds", "all", "metrics", "classes"}
    assert written["metric"] == "miou"
    assert written["folds"] == scores.by_fold
    assert written["all"] == written["metrics"]["miou"] == scores.all
    assert written["classes"]["road"] == scores.per_class["road"]
    header, *rows = experiment.image_scores.read_text().splitlines()
    assert header == "image_id,fold,miou,fbeta(beta=2)"
    assert [row.split(",")[:2] for row in rows] == [[one, str(fold)] for one, fold in zip(IDS, FOLDS, strict=True)]


def test_scores_that_do_not_exist_are_null(tmp_path: Path) -> None:
    data = label_maps(tmp_path, 1)  # no foreground at all
    with ProbabilityWriter(tmp_path / "oof", "uint8", {}) as writer:
        for image_id in IDS:
            writer.append(image_id, np.full((*SIZE, 1), float(image_id == "i0"), np.float32))
    store = ProbabilityStore(tmp_path / "oof")
    metrics = [{"dice": {"empty": "skip"}}]
    (scores,) = score_stores([store], data, FOLDS, scoring(metrics), Silent())
    experiment = Experiment(tmp_path / "exp")
    write_scores(experiment, scores)
    written = json.loads(experiment.score.read_text())
    assert written == {
        "metric": "dice(empty=skip)", "folds": [0.0, None], "all": 0.0, "metrics": {"dice(empty=skip)": 0.0},
    }  # fmt: skip
    assert experiment.image_scores.read_text().splitlines()[1:3] == ["i0,0,0.0", "i1,1,"]


@pytest.mark.parametrize(("classes", "activation"), [(("it",), "sigmoid"), (CLASSES, "softmax"), (CLASSES, "sigmoid")])
def test_pictures_of_any_classes(tmp_path: Path, classes: tuple[str, ...], activation: str) -> None:
    data = label_maps(tmp_path, len(classes) + (activation == "sigmoid"), Classes(classes, activation))
    store = store_of(tmp_path / "oof", data, len(classes), activation, 0)
    experiment = Experiment(tmp_path / "exp")
    sheets = []
    for metric in ("iou", "worse"):
        plugins = {"worse": lambda prediction, truth, valid: float((prediction != truth).mean())}
        plugins["worse"].direction = "min"
        (scores,) = score_stores([store], data, FOLDS, scoring([metric], plugins=plugins), Silent())
        write_overlays(experiment, store, data, scores, IDENTITY)
        sheets.append(read_image(experiment.overlays))
    assert all(sheet.shape[0] > 300 for sheet in sheets)


def test_ties_are_broken_by_wrong_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = label_maps(tmp_path, 2)
    wrong = {image_id: 20 * number for number, image_id in enumerate(IDS)}
    with ProbabilityWriter(tmp_path / "oof", "uint8", {}) as writer:
        for image_id in IDS:
            data.labels[image_id][:] = 0
            false_alarm = np.arange(SIZE[0] * SIZE[1]).reshape(*SIZE, 1) < wrong[image_id]
            writer.append(image_id, false_alarm.astype(np.float32))
    store = ProbabilityStore(tmp_path / "oof")
    (scores,) = score_stores([store], data, FOLDS, scoring(["dice"]), Silent())
    shown: list[str] = []

    def sheet(title: str, groups: list, notes: list) -> np.ndarray:
        shown.extend(row.caption.split()[0] for row in groups[0][1])
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr("toolkit.commands.scoring.overlays.overlay_sheet", sheet)
    write_overlays(Experiment(tmp_path / "exp"), store, data, scores, IDENTITY)
    assert shown == ["i5", "i4", "i3", "i2", "i1", "i0"]


@pytest.mark.parametrize("count", [0, 1, 2, 5, 11, 12, 13, 40])
@pytest.mark.parametrize("every", [1, 3, 100])
def test_each_image_is_at_most_once_in_the_sheet(count: int, every: int) -> None:
    """The positions are from the worst to the best; those that `every` divides have foreground."""
    worst, best = worst_and_best(list(range(count)), lambda position: position % every == 0)
    assert len(set(worst) | set(best)) == len(worst) + len(best)
    assert worst == sorted(worst)
    assert best == sorted(best, reverse=True)
    assert all(position % every == 0 for position in best)
    assert max(len(worst), len(best)) <= 6
    if every == 1:
        assert len(worst) + len(best) == min(count, 12)
        assert len(worst) - len(best) in (0, 1)
        assert max(worst, default=0) <= min(best, default=count)
