"""Covers toolkit/commands/submitting/submit.py, masks.py, provenance.py and competition_now.py."""

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.session import Session
from toolkit.commands.submitting import submit as submit_module
from toolkit.config.loading import load_config, plain_config
from toolkit.core.arrays import Mask
from toolkit.core.images.resizing import scale_map
from toolkit.core.masks.rle import decode, encode
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.probabilities import to_stored
from toolkit.core.recipe.recipe import ClassRecipe, Emptiness, Recipe, Watershed
from toolkit.errors import ChangedError, ConfigError, NotReadyError, SubmissionError, UploadError
from toolkit.files.disk.json_files import write_json
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import folds_digest, write_folds
from toolkit.files.experiment.resolved import Resolved, read_resolved, write_resolved
from toolkit.files.experiment.tuned import TunedRecipe, write_tuned
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter, store_digest
from toolkit.files.submissions.log import SubmissionLog

SIZE = (24, 30)
TRAINING = [f"t{number}" for number in range(4)]
TEST = ["s2", "s0", "s1"]
CONFIG = """\
data: {{images: ../../data/train, masks: ../../data/maps, test: ../../data/test, {data}}}
backbone: resnet18
encoder_weights: null
shape: [32, 32, 3]
folds_count: 2
stages: [{{epochs: 1}}]
{more}
"""


def blob(seed: int, count: int = 3) -> Mask:
    """A few rectangles, not symmetric in any way."""
    random = np.random.default_rng(seed)
    mask = np.zeros(SIZE, np.bool_)
    for _ in range(count):
        top, left = random.integers(0, 16), random.integers(0, 20)
        mask[top : top + random.integers(3, 8), left : left + random.integers(4, 10)] = True
    return mask


def masks_of(image_id: str, classes: int) -> np.ndarray:
    """What is predicted: one mask a class; the image s1 has none."""
    seed = sum(image_id.encode())
    return np.stack([blob(seed + 100 * number) & (image_id != "s1") for number in range(classes)], axis=-1)


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Images, lighter where masks are, and masks of one class."""
    monkeypatch.chdir(tmp_path)
    for folder, ids in (("train", TRAINING), ("test", TEST)):
        (tmp_path / "data" / folder).mkdir(parents=True)
        for image_id in ids:
            pixels = np.where(masks_of(image_id, 1)[..., 0], 200, 40).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / folder / f"{image_id}.png")
    (tmp_path / "data" / "maps").mkdir()
    for one in TRAINING:
        Image.fromarray(masks_of(one, 1)[..., 0].astype(np.uint8)).save(tmp_path / "data" / "maps" / f"{one}.png")
    return Workspace(Path())


def finish(
    name: str = "a", data: str = "", more: str = "", planes: Mapping[str, np.ndarray] | None = None, classes: int = 1
) -> Experiment:
    """What fitting leaves behind, but for the weights: masks a little faint, and noise."""
    experiment = Experiment(Path("experiments") / name)
    write_text(experiment.config, CONFIG.format(data=data, more=more))
    loaded = load_config(experiment.config).config
    config = plain_config(loaded, experiment.folder)
    folds = np.array([0, 1, 0, 1])
    write_resolved(experiment, Resolved(config, {"folds": folds_digest(folds)}, "float32", {"python": "3.11.7"}))
    write_folds(experiment.folds, TRAINING, folds)
    for split, ids in (("oof", TRAINING), ("test", TEST)):
        with ProbabilityWriter(experiment.predictions(split), "uint8", {"of": name}) as writer:
            for image_id in ids:
                known = masks_of(image_id, classes) if planes is None else planes[image_id]
                probability = np.where(known, 0.45, 0.1).astype(np.float32)
                if split == "oof" and loaded.scored_size is not None:
                    probability = scale_map(probability, loaded.scored_size)
                writer.append(image_id, probability)
    write_json(experiment.score, {"metric": "dice", "folds": [0.25, 0.75], "all": 0.5})
    return experiment


def tuned(experiment: Experiment, recipe: Recipe, test_recipe: Recipe | None = None) -> None:
    digest = store_digest(experiment.predictions("oof"))
    write_tuned(
        experiment,
        TunedRecipe("dice", recipe, recipe, test_recipe or recipe, 0.5, 0.9, 0.8, (0.7, 0.9), 0.01, 0.1, digest),
    )


def tk(*arguments: str, code: int = 0) -> Any:
    """The JSON result; what stderr says where another exit code is expected."""
    result = CliRunner().invoke(app, [*arguments, "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if code == 0 else result.stderr


def rows_of(name: str = "a") -> list[list[str]]:
    with Path(f"submissions/{name}.csv").open(newline="") as file:
        return list(csv.reader(file))


def write_sample(header: str, rows: list[str]) -> str:
    write_text(Path("data/sample.csv"), "\n".join([header, *rows, ""]))
    return "sample_submission: ../../data/sample.csv"


def log() -> list:
    return SubmissionLog(Path("submissions/log.csv")).read()


# One mask an image


@pytest.mark.parametrize(
    ("form", "cell", "order", "relative", "empty"),
    [
        ("tgs-salt", "{}", "column", False, ""),
        ("siim-acr, output_size: null", "{}", "column", True, "-1"),
        ("carvana, output_size: null", "{}.jpg", "row", False, ""),
        ("contrails, output_size: null", "{}", "column", False, "-"),
        ("vesuvius", "{}", "row", False, ""),
    ],
)
def test_one_mask_for_each_image(form: str, cell: str, order: str, relative: bool, empty: str) -> None:
    name, comma, changes = form.partition(", ")
    finish(data=f"competition: {{extends: {name}{comma}{changes}}}")
    made = tk("submit", "a", "--threshold", "0.4")
    header, *rows = rows_of()
    assert len(header) == 2
    assert [row[0] for row in rows] == [cell.format(one) for one in sorted(TEST)]
    assert rows[1][1] == empty
    for row, image_id in zip(rows, sorted(TEST), strict=True):
        text = "" if row[1] == empty else row[1]
        assert np.array_equal(decode(text, SIZE, order, relative), masks_of(image_id, 1)[..., 0])
    assert made["findings"] == []
    assert made["rows"] == 3


def test_masks_are_scaled_to_the_size_of_the_competition() -> None:
    finish(data="competition: {extends: carvana, output_size: [48, 60]}")
    tk("submit", "a", "--threshold", "0.4")
    for cell, text in rows_of()[1:]:
        twice = masks_of(cell.removesuffix(".jpg"), 1)[..., 0].repeat(2, 0).repeat(2, 1)
        assert np.array_equal(decode(text, (48, 60), "row"), twice)


def test_columns_order_and_ids_follow_the_sample() -> None:
    finish(data=write_sample("Key,Mask", ["s2.png,1 1", "s1.png,1 1", "s0.png,1 1"]))
    tk("submit", "a", "--threshold", "0.4")
    header, *rows = rows_of()
    assert header == ["Key", "Mask"]
    assert [row[0] for row in rows] == ["s2.png", "s1.png", "s0.png"]


# One mask an image and class


def sample_of_classes(names: tuple[str, ...]) -> str:
    return write_sample("Image_Label,EncodedPixels", [f"{one}.jpg_{name},1 1" for one in TEST for name in names])


CLOUDS = ("Fish", "Flower", "Gravel", "Sugar")


def test_one_mask_for_each_image_and_class() -> None:
    sample = sample_of_classes(CLOUDS)
    finish(data=f"competition: {{extends: clouds, output_size: null}}, {sample}", classes=4)
    made = tk("submit", "a", "--threshold", "0.4")
    header, *rows = rows_of()
    assert header == ["Image_Label", "EncodedPixels"]
    assert [row[0] for row in rows] == [f"{one}.jpg_{name}" for one in TEST for name in CLOUDS]
    for number, (cell, text) in enumerate(rows):
        assert np.array_equal(decode(text, SIZE), masks_of(cell[:2], 4)[..., number % 4])
    assert [masks["name"] for masks in made["masks"]] == list(CLOUDS)
    assert made["masks"][0]["test"]["images"] == 3


def test_each_class_has_its_rule() -> None:
    experiment = finish(data="competition: {extends: clouds, output_size: null}", classes=4)
    rules = [ClassRecipe(threshold=0.4) for _ in range(4)]
    rules[2] = ClassRecipe(threshold=0.44, minimum_area=10_000)  # empties Gravel
    tuned(experiment, Recipe(tuple(rules)))
    tk("submit", "a")
    for cell, text in rows_of()[1:]:
        image_id, name = cell.split(".jpg_")
        expected = masks_of(image_id, 4)[..., CLOUDS.index(name)] & (name != "Gravel")
        assert np.array_equal(decode(text, SIZE), expected)


def test_exclusive_classes_have_no_row_for_the_background() -> None:
    names = ("ground", "Fish", "Flower", "Gravel", "Sugar")
    planes = {}
    for one in [*TRAINING, *TEST]:
        labels = np.random.default_rng(sum(one.encode())).integers(0, 5, SIZE)
        planes[one] = labels[..., None] == np.arange(5)
    experiment = finish(
        data="competition: {extends: clouds, output_size: null, overlaps: false}",
        more=f"classes: [{', '.join(names)}]\nactivation: softmax\nloss: categorical_crossentropy",
        planes=planes,
        classes=5,
    )
    tuned(experiment, IDENTITY)
    made = tk("submit", "a")
    assert made["findings"] == []
    for cell, text in rows_of()[1:]:
        image_id, name = cell.split(".jpg_")
        assert np.array_equal(decode(text, SIZE), planes[image_id][..., names.index(name)])


def test_forbidden_overlaps_are_refused_and_nothing_is_written() -> None:
    finish(data="competition: {extends: clouds, output_size: null, overlaps: false}", classes=4)
    told = tk("submit", "a", "--threshold", "0.4", code=SubmissionError.exit_code)
    assert "submissions/a.csv is not written:\n  overlap: line " in told
    assert "classes must not overlap in clouds" in told
    assert not Path("submissions/a.csv").exists()
    assert not Path("submissions/log.csv").exists()


def test_classes_that_differ_from_the_competition_are_refused() -> None:
    experiment = finish(more="classes: [x, y]\nactivation: sigmoid", classes=2)
    told = tk("submit", "a", "--threshold", "0.4", code=SubmissionError.exit_code)
    assert "predicts 2 classes (x, y), but without data.competition a submission has a single mask" in told
    assert "YAML file with `rows: class`" in told
    resolved = read_resolved(experiment)
    config = {**resolved.config, "data": {**resolved.config["data"], "competition": "clouds"}}
    write_resolved(experiment, replace(resolved, config=config))
    told = tk("submit", "a", "--threshold", "0.4", code=SubmissionError.exit_code)
    assert "clouds expects the classes Fish, Flower, Gravel, Sugar, but a predicts x, y" in told


def test_the_benchmark_class_is_submitted_if_rows_are_images() -> None:
    finish(more="classes: [x, y]\nactivation: sigmoid\nbenchmark_class: y", classes=2)
    made = tk("submit", "a", "--threshold", "0.4")
    assert [masks["name"] for masks in made["masks"]] == ["y"]
    for image_id, text in rows_of()[1:]:
        assert np.array_equal(decode(text, SIZE), masks_of(image_id, 2)[..., 1])


# One object a row


def test_one_row_for_each_object() -> None:
    finish(data="competition: dsb2018")
    made = tk("submit", "a", "--threshold", "0.4")
    header, *rows = rows_of()
    assert header == ["ImageId", "EncodedPixels"]
    assert made["rows"] == len(rows)
    assert made["findings"] == []
    assert ["s1", ""] in rows
    for image_id in TEST:
        masks = [decode(text, SIZE) for cell, text in rows if cell == image_id]
        expected = masks_of(image_id, 1)[..., 0]
        assert np.sum(masks, axis=0).max() <= 1
        assert np.array_equal(np.any(masks, axis=0), expected)
        objects, count = ndimage.label(expected, np.ones((3, 3)))
        assert len(masks) == max(count, 1)
        if count:
            assert {tuple(np.unique(objects[mask])) for mask in masks} == {(one,) for one in range(1, count + 1)}


def test_objects_are_split_by_the_recipe() -> None:
    mask = np.zeros(SIZE, np.bool_)
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    for left in (8, 17):
        mask |= (rows - 11) ** 2 + (columns - left) ** 2 <= 36
    planes = dict.fromkeys([*TRAINING, *TEST], mask[..., None])
    experiment = finish(data="competition: dsb2018", planes=planes)
    rule = ClassRecipe(threshold=0.4)
    for split, count in ((None, 1), (Watershed(4), 2)):
        tuned(experiment, Recipe((rule,), split=split))
        assert tk("submit", "a")["rows"] == 3 * count
    masks = [decode(text, SIZE) for cell, text in rows_of()[1:] if cell == "s0"]
    assert np.array_equal(masks[0] ^ masks[1], mask)


# Recipes and scores


def test_the_recipe_for_test_predictions_is_applied() -> None:
    experiment = finish()
    tuned(experiment, Recipe((ClassRecipe(threshold=0.4),)), Recipe((ClassRecipe(threshold=0.46),)))
    made = tk("submit", "a")
    assert made["recipe"]["classes"][0]["threshold"] == 0.46
    assert {row[1] for row in rows_of()[1:]} == {""}
    assert (made["oof"], made["nested"]) == (0.9, 0.8)
    assert "all 3 masks are empty" in " ".join(made["warnings"])
    assert made["recipe_source"] == "tuned recipe, with thresholds for the mean of the folds"
    with_area = tk("submit", "a", "--min-area", "5")
    assert with_area["recipe"]["classes"][0]["minimum_area"] == 5
    assert with_area["recipe_source"] == f"{made['recipe_source']}, with the given minimum area"


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--threshold", "1.5", "--threshold must be at least 0 and below 1, received 1.5"),
        ("--min-area", "-1", "--min-area: expected a whole number of at least 0; received -1"),
    ],
)
def test_invalid_options_are_named(option: str, value: str, words: str) -> None:
    finish()
    assert words in tk("submit", "a", f"{option}={value}", code=ConfigError.exit_code)


def test_a_recipe_for_other_predictions_is_refused() -> None:
    experiment = finish()
    tuned(experiment, Recipe((ClassRecipe(threshold=0.4),)))
    with ProbabilityWriter(experiment.predictions("oof"), "uint8", {"of": "others"}) as writer:
        for image_id in TRAINING:
            writer.append(image_id, np.zeros((*SIZE, 1), np.float32))
    told = tk("submit", "a", code=ChangedError.exit_code)
    assert "tuned.json is outdated: the out-of-fold predictions" in told
    assert "or give a threshold: tk submit a --threshold 0.5" in " ".join(told.split())
    assert tk("submit", "a", "--threshold", "0.4")["rows"] == 3


def test_scores_use_the_recipe() -> None:
    experiment = finish()
    assert tk("submit", "a", "--threshold", "0.5")["oof"] == 0.5  # as score.json says
    made = tk("submit", "a", "--threshold", "0.4")
    assert (made["oof"], made["nested"]) == (1.0, None)  # measured: these are the true masks
    tuned(experiment, IDENTITY)
    provenance = json.loads(Path("submissions/a.json").read_text())
    assert provenance["scores"] == {"metric": "dice", "oof": 1.0}
    shown = CliRunner().invoke(app, ["submit", "a", "--threshold", "0.4"]).stdout
    assert "share of empty masks" in shown
    assert "1.0000" in shown
    assert shown.splitlines()[-1] == "next: upload submissions/a.csv, then tk lb a SCORE"


@pytest.mark.train
def test_recipe_steps_of_plugins_run() -> None:
    experiment = finish()
    write_text(experiment.plugins, "def top(mask, probability):\n    mask[12:] = False\n    return mask\n")
    tuned(experiment, Recipe((ClassRecipe(threshold=0.4, steps=("top",)),)))
    tk("submit", "a")
    assert not any(decode(text, SIZE)[12:].any() for _, text in rows_of()[1:])


def test_the_presence_head_is_used() -> None:
    experiment = finish()
    for split, ids in (("oof", TRAINING), ("test", TEST)):
        with ProbabilityWriter(experiment.predictions(split), "uint8", {}) as writer:
            for image_id in ids:
                says = np.array([0.9 if image_id == "s0" else 0.1], np.float32)
                writer.append(image_id, np.full((*SIZE, 1), 0.9, np.float32), says)
    tuned(experiment, Recipe((ClassRecipe(emptiness=Emptiness("head", 0.5)),)))
    tk("submit", "a")
    assert [row[0] for row in rows_of()[1:] if row[1]] == ["s0"]


# Test images, and what was written before


def test_test_images_added_since_are_reported() -> None:
    finish()
    Image.fromarray(np.zeros(SIZE, np.uint8)).save("data/test/s9.png")
    told = tk("submit", "a", "--threshold", "0.4", code=SubmissionError.exit_code)
    assert "1 ids of the test images have no row: s9" in told


def test_without_the_test_images_a_submission_can_still_be_made() -> None:
    finish()
    for path in Path("data/test").iterdir():
        path.unlink()
    Path("data/test").rmdir()
    assert tk("submit", "a", "--threshold", "0.4")["findings"] == []


def test_wrongly_encoded_masks_are_never_written(monkeypatch: pytest.MonkeyPatch) -> None:
    finish()
    tk("submit", "a", "--threshold", "0.4")
    before = Path("submissions/a.csv").read_bytes()
    monkeypatch.setattr("toolkit.files.submissions.layout.encode", lambda mask, *_: encode(mask[::-1]))
    told = tk("submit", "a", "--threshold", "0.4", code=SubmissionError.exit_code)
    assert "the mask in the file differs from the mask it was made from" in told
    assert Path("submissions/a.csv").read_bytes() == before
    assert sorted(path.name for path in Path("submissions").glob("*.csv")) == ["a.csv", "log.csv"]


def test_submissions_are_logged() -> None:
    experiment = finish()
    tk("submit", "a", "--threshold", "0.4")
    tuned(experiment, Recipe((ClassRecipe(threshold=0.42, minimum_area=2),)))
    made = tk("submit", "a", "--name", "second.csv")
    first, second = log()
    assert (first.name, first.experiment, first.metric, first.oof, first.nested) == ("a", "a", "dice", 1.0, None)
    assert (second.name, second.oof, second.nested) == ("second", 0.9, 0.8)
    assert second.recipe == "threshold 0.420, minimum area 2"
    assert first.digest == second.digest
    assert first.time.endswith("Z")
    assert any("the file has the same content as a" in warning for warning in made["warnings"])
    tk("submit", "a", "--threshold", "0.4")
    assert [entry.name for entry in log()] == ["second", "a"]


def test_the_log_cannot_be_overwritten() -> None:
    finish()
    for name in ("log", "log.csv"):
        told = tk("submit", "a", "--threshold", "0.4", "--name", name, code=SubmissionError.exit_code)
        assert "log of all submissions" in told
    assert ".csv" in tk("submit", "a", "--threshold", "0.4", "--name", ".csv", code=SubmissionError.exit_code)


# Uploads


class Uploader:
    """Remembers what is uploaded."""

    def __init__(self, error: UploadError | None = None) -> None:
        self.error, self.sent = error, []

    def upload(self, path: Path, competition: str, message: str) -> str:
        if self.error is not None:
            raise self.error
        self.sent.append((path.read_text(), competition, message))
        return "Successfully submitted"


@pytest.fixture
def uploader(monkeypatch: pytest.MonkeyPatch) -> Uploader:
    uploader = Uploader()
    monkeypatch.setattr(submit_module, "kaggle_uploader", lambda: uploader)
    return uploader


def test_nothing_is_uploaded_unless_asked(uploader: Uploader) -> None:
    finish()
    assert tk("submit", "a", "--threshold", "0.4")["uploaded"] is None
    assert uploader.sent == []


def test_an_upload_is_logged(uploader: Uploader) -> None:
    experiment = finish()
    tuned(experiment, Recipe((ClassRecipe(threshold=0.4),)))
    made = tk("submit", "a", "--upload", "tgs-salt", "-m", "first try")
    assert made["uploaded"] == "Successfully submitted"
    assert uploader.sent == [(Path("submissions/a.csv").read_text(), "tgs-salt", "first try")]
    (entry,) = log()
    assert entry.competition == "tgs-salt"
    assert entry.uploaded
    tk("submit", "a", "--threshold", "0.5", "--upload", "tgs-salt")
    assert uploader.sent[1][2] == "a: threshold 0.500, OOF 0.5000"


def test_the_same_file_is_not_uploaded_twice(uploader: Uploader) -> None:
    finish()
    tk("submit", "a", "--threshold", "0.4", "--upload", "tgs-salt")
    for options in ((), ("--name", "b")):
        told = tk(
            "submit", "a", "--threshold", "0.4", "--upload", "tgs-salt", *options, code=SubmissionError.exit_code
        )  # fmt: skip
        assert "the file has the same content as a, uploaded 20" in told
    assert len(uploader.sent) == 1
    tk("submit", "a", "--threshold", "0.4", "--upload", "another")
    assert len(uploader.sent) == 2


def test_a_refused_submission_is_not_uploaded(uploader: Uploader) -> None:
    finish()
    Image.fromarray(np.zeros(SIZE, np.uint8)).save("data/test/s9.png")
    tk("submit", "a", "--threshold", "0.4", "--upload", "tgs-salt", code=SubmissionError.exit_code)
    assert uploader.sent == []


def test_an_upload_that_fails_leaves_the_file(uploader: Uploader) -> None:
    finish()
    uploader.error = UploadError("the site is down", "Try again.")
    told = tk("submit", "a", "--threshold", "0.4", "--upload", "tgs-salt", code=UploadError.exit_code)
    assert "the site is down" in told
    assert len(rows_of()) == 4
    assert log()[0].uploaded == ""
    uploader.error = None
    tk("submit", "a", "--threshold", "0.4", "--upload", "tgs-salt")
    assert log()[0].uploaded


def test_without_client_or_credentials_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    finish()

    def missing() -> Uploader:
        raise UploadError("no client")

    monkeypatch.setattr(submit_module, "kaggle_uploader", missing)
    tk("submit", "a", "--threshold", "0.4", "--upload", "tgs-salt", code=UploadError.exit_code)
    assert not Path("submissions").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-m", "hello"), "--message requires --upload"),
        (("--upload", "https://www.kaggle.com/c/salt"), "not a valid name of a competition"),
        (("--upload", ""), "not a valid name of a competition"),
    ],
)
def test_invalid_upload_options(options: tuple[str, ...], words: str) -> None:
    finish()
    assert words in tk("submit", "a", "--threshold", "0.4", *options, code=ConfigError.exit_code)


def test_without_a_recipe_the_advice_is_tk_tune() -> None:
    finish()
    assert "Run: tk tune a, or give a threshold" in tk("submit", "a", code=NotReadyError.exit_code)


def test_predictions_in_half_precision_are_submitted_alike() -> None:
    experiment = finish()
    tk("submit", "a", "--threshold", "0.4")
    before = Path("submissions/a.csv").read_bytes()
    store = ProbabilityStore(experiment.predictions("test"))
    maps = {one: store.read(one).astype(np.float32) / 255 for one in store.ids}
    assert to_stored(maps["s0"], "float16").dtype == np.float16
    with ProbabilityWriter(experiment.predictions("test"), "float16", {}) as writer:
        for image_id, probability in maps.items():
            writer.append(image_id, probability)
    made = submit_module.submit(Session(Workspace(Path())), "a", options=submit_module.SubmitOptions(threshold=0.4))
    assert Path(made.path).read_bytes() == before


# What config.yaml says of submissions by now


def rewritten(name: str, data: str = "", more: str = "") -> None:
    """A person edits config.yaml after the fit."""
    write_text(Experiment(Path("experiments") / name).config, CONFIG.format(data=data, more=more))


def test_a_competition_or_sample_set_after_the_fit_is_used() -> None:
    finish()
    tk("submit", "a", "--threshold", "0.4")
    assert Path("submissions/a.csv").read_text().startswith("id,rle_mask\n")
    rewritten("a", "competition: contrails")
    told = tk("submit", "a", "--threshold", "0.4", code=ChangedError.exit_code)
    assert "output_size of data.competition in experiments/a/config.yaml is 256×256, but it was not set when" in told
    rewritten("a", "competition: hubmap")
    told = CliRunner().invoke(app, ["submit", "a", "--threshold", "0.4"])
    assert told.exit_code == 0
    assert "data.competition has changed in experiments/a/config.yaml since the fit" in " ".join(told.stderr.split())
    assert Path("submissions/a.csv").read_text().startswith("id,predicted\n")
    write_text(Path("sample.csv"), "image,mask\ns1,\ns0,\n")
    rewritten("a", "sample_submission: ../../sample.csv")
    tk("submit", "a", "--threshold", "0.4")
    with Path("submissions/a.csv").open() as file:
        assert [row[0] for row in csv.reader(file)] == ["image", "s1", "s0"]


def test_keys_left_out_or_spelled_differently_have_not_changed() -> None:
    finish(data="competition: contrails")
    rewritten("a", "competition: {extends: contrails}")
    told = CliRunner().invoke(app, ["submit", "a", "--threshold", "0.4"])
    rewritten("a")
    again = CliRunner().invoke(app, ["submit", "a", "--threshold", "0.4"])
    for result in (told, again):
        assert result.exit_code == 0
        assert "has changed" not in result.stderr
    assert Path("submissions/a.csv").read_text().startswith("record_id,encoded_pixels\n")


def test_changed_test_images_are_refused() -> None:
    experiment = finish()
    text = experiment.config.read_text()
    write_text(experiment.config, text.replace("test: ../../data/test", "test: ../../data/other"))
    assert "but the predicted images are from" in tk("submit", "a", "--threshold", "0.4", code=ChangedError.exit_code)
    write_text(experiment.config, text + "nonsense: 3\n")
    told = CliRunner().invoke(app, ["submit", "a", "--threshold", "0.4"])
    assert told.exit_code == 0
    assert "the one that was fitted is used" in " ".join(told.stderr.split())


@pytest.mark.filterwarnings("ignore")
def test_the_file_reaches_the_site(received: dict[str, Any]) -> None:
    finish()
    made = tk("submit", "a", "--threshold", "0.4", "--upload", "tgs-salt", "-m", "first try")
    assert made["uploaded"] == "Successfully submitted to Salt"
    assert received["blob"] == Path("submissions/a.csv").read_bytes()
    sent = received["CreateSubmission"]
    assert (sent["competitionName"], sent["submissionDescription"]) == ("tgs-salt", "first try")
    assert log()[0].competition == "tgs-salt"
    told = tk("submit", "a", "--threshold", "0.5", "--upload", "unknown", code=UploadError.exit_code)
    assert "last part of its address" in told
