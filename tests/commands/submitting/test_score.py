"""Covers toolkit/commands/submitting/score.py, scored_masks.py and toolkit/commands/scoring/classification_table.py."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.session import Session
from toolkit.commands.submitting.score import ScoreOptions, score_submission
from toolkit.core.masks.rle import encode
from toolkit.errors import ConfigError, SubmissionError
from toolkit.files.experiment.workspace import Workspace

SIZE = (10, 14)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    for one in "ab":
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(f"images/{one}.png")


def box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros(SIZE, np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def write(name: str, header: str, rows: list[tuple[str, np.ndarray | None]], **how: Any) -> None:
    empty = how.pop("empty", "")
    lines = [f"{cell},{empty if mask is None else encode(mask, **how)}" for cell, mask in rows]
    Path(name).write_text("\n".join([header, *lines, ""]))


def score(*options: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["score", "mine.csv", "--solution", "truth.csv", *options, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if code == 0 else result.stderr


def test_touching_objects_stay_two_if_rows_are_objects() -> None:
    left, right = box(2, 6, 1, 5), box(2, 6, 5, 9)
    header = "ImageId,EncodedPixels"
    write("truth.csv", header, [("a", left), ("a", right), ("b", None)])
    write("mine.csv", header, [("b", None), ("a", right), ("a", left)])
    found = score("--competition", "dsb2018", "--images", "images")
    assert (found["metric"], found["images"], found["score"]) == ("instance_map", 2, 1)
    write("mine.csv", header, [("a", left | right), ("b", None)])
    assert score("--competition", "dsb2018", "--images", "images")["score"] == 0.5  # of b
    assert score("--competition", "dsb2018", "--images", "images", "--metric", "dice")["score"] == 1


def test_each_class_is_scored() -> None:
    Path("form.yaml").write_text("extends: severstal\noutput_size: [10, 14]\nlabel_size: null\n")
    one, other = box(0, 4, 0, 4), box(0, 4, 0, 2)
    header = "ImageId_ClassId,EncodedPixels"
    rows = [(f"{name}.jpg_{number}", None) for name in "ab" for number in range(1, 5)]
    write("mine.csv", header, [("a.jpg_1", other), ("a.jpg_2", one), *rows[2:]])
    Path("truth.csv").write_text(f"ImageId,ClassId,EncodedPixels\na.jpg,1,{encode(one)}\n")
    found = score("--competition", "form.yaml")
    # Of eight pairs one is half found, one a false alarm and six rightly empty; b is not listed, so it is empty.
    assert found["score"] == pytest.approx((2 * 8 / 24 + 0 + 6) / 8)
    assert found["metric"] == "dice"


@pytest.mark.parametrize(
    ("name", "header", "cell", "how"),
    [
        ("siim-acr", "ImageId,EncodedPixels", "{}", {"relative": True, "empty": "-1"}),
        ("carvana", "img,rle_mask", "{}.jpg", {"order": "row"}),
        ("contrails", "record_id,encoded_pixels", "{}", {"empty": "-"}),
    ],
)
def test_runs_are_read_as_the_competition_writes_them(name: str, header: str, cell: str, how: dict) -> None:
    Path("form.yaml").write_text(f"extends: {name}\noutput_size: [10, 14]\nlabel_size: null\n")
    one, other = box(0, 5, 0, 6), box(2, 9, 3, 13)
    write("truth.csv", header, [(cell.format("a"), one), (cell.format("b"), other)], **how)
    write("mine.csv", header, [(cell.format("b"), other), (cell.format("a"), None)], **how)
    expected = {"global_dice": 2 * 70 / (70 + 100)}
    found = score("--competition", "form.yaml")
    assert found["score"] == pytest.approx(expected.get(found["metric"], 0.5))


def test_options_without_a_competition() -> None:
    write("truth.csv", "id,rle_mask", [("a", box(0, 4, 0, 4)), ("b", None)])
    write("mine.csv", "id,rle_mask", [("a.png", box(0, 4, 0, 4)), ("b.png", box(0, 1, 0, 1))])
    assert score("--images", "images", "--metric", "dice")["score"] == 0.5


def test_missing_options_are_asked_for() -> None:
    for name in ("truth.csv", "mine.csv"):
        write(name, "id,rle_mask", [("a", None), ("b", None)])
    assert "(for example --metric dice) or --competition" in score("--images", "images", code=ConfigError.exit_code)
    assert "--images FOLDER" in score("--metric", "dice", code=ConfigError.exit_code)
    assert "did you mean 'airbus'" in score("--competition", "airbas", code=ConfigError.exit_code)


def test_an_empty_submission_is_refused() -> None:
    for name in ("truth.csv", "mine.csv"):
        Path(name).write_text("id,rle_mask\n")
    told = score("--images", "images", "--metric", "dice", code=SubmissionError.exit_code)
    assert "mine.csv has no rows" in told


def hit_and_false_alarm() -> None:
    """In a, a hit of IoU 0.75 and a false alarm, each of 12 pixels; b is empty and left empty."""
    write("mine.csv", "id,rle_mask", [("a", box(0, 3, 0, 4) | box(6, 9, 8, 12)), ("b", None)])
    write("truth.csv", "id,rle_mask", [("a", box(0, 4, 0, 4)), ("b", None)])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("dice", (2 * 12 / 40 + 1) / 2),
        ("{dice: {empty: skip}}", 2 * 12 / 40),
        ("{fbeta: {beta: 2}}", (5 * 12 / (24 + 4 * 16) + 1) / 2),
        ("val_fbeta(beta=2)", (5 * 12 / (24 + 4 * 16) + 1) / 2),
        ("precision", (12 / 24 + 1) / 2),
        ("recall", (12 / 16 + 1) / 2),
        ("global_dice", 24 / 40),
        ("miou", 12 / 28),
        ("binary_accuracy", (280 - 16) / 280),
        ("instance_map", (5 / 10 * 1 / 2 + 1) / 2),
        ("airbus_f2", (5 / 10 * 5 / 6 + 1) / 2),
    ],
)
def test_a_submission_is_scored_with_any_metric(metric: str, expected: float) -> None:
    hit_and_false_alarm()
    result = score("--images", "images", "--metric", metric)
    assert result["score"] == pytest.approx(expected)
    assert result["images"] == 2


def test_an_invalid_metric_is_refused_with_the_option() -> None:
    hit_and_false_alarm()
    told = score("--images", "images", "--metric", "{fbeta: {beta: -1}}", code=ConfigError.exit_code)
    assert "--metric: metric.fbeta.beta: must be greater than 0" in told
    assert "mine" in score("--images", "images", "--metric", "mine", code=ConfigError.exit_code)


def test_a_score_of_skipped_images_only_is_refused() -> None:
    for name in ("mine.csv", "truth.csv"):
        write(name, "id,rle_mask", [("a", None), ("b", None)])
    told = score("--images", "images", "--metric", "{dice: {empty: skip}}", code=SubmissionError.exit_code)
    assert "skips all 2 images" in told


def masks_in(folder: str, **masks: np.ndarray) -> None:
    """Write mask files; an underscore stands for a slash between a class and an image."""
    for name, mask in masks.items():
        path = Path(folder, *name.split("_")).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask.astype(np.uint8)).save(path)


def scored(first: str, second: str, *options: str, code: int = 0) -> Any:
    """The result of `tk score FIRST --solution SECOND`; with an exit code the message."""
    words = ["score", first, "--solution", second, *options, *([] if "--metric" in options else ["--metric", "dice"])]
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if code == 0 else result.stderr


def test_folders_of_masks_score_as_their_submission_does() -> None:
    hit_and_false_alarm()
    ours = box(0, 3, 0, 4) | box(6, 9, 8, 12)
    masks_in("mine", a=255 * ours, b=box(0, 0, 0, 0))
    masks_in("truth", a=box(0, 4, 0, 4), b=box(0, 0, 0, 0))
    expected = score("--images", "images", "--metric", "dice")["score"]
    for first, second in (("mine", "truth"), ("mine.csv", "truth"), ("mine", "truth.csv")):
        found = scored(first, second)
        assert found["score"] == expected
        assert found["report"]["classes"]["foreground"]["recall"] == 12 / 16
    assert scored("mine", "truth", "--metric", "instance_map")["score"] == pytest.approx((5 / 10 * 1 / 2 + 1) / 2)


def test_numbered_classes_are_scored_with_their_background() -> None:
    truth, mine = np.zeros(SIZE, int), np.zeros(SIZE, int)
    truth[:2], truth[2:4], mine[:3], mine[3:4] = 1, 2, 1, 2  # rows of 14 pixels
    masks_in("truth", a=truth)
    masks_in("mine", a=mine)
    found = scored("mine", "truth", "--metric", "miou")
    assert found["score"] == pytest.approx((1 + 2 / 3 + 1 / 2) / 3)
    assert list(found["report"]["classes"]) == ["background", "1", "2"]
    named = scored("mine", "truth", "--metric", "miou", "--classes", "road, car, tree")
    assert list(named["report"]["classes"]) == ["background", "road", "car", "tree"]
    truth[0] = 255
    masks_in("truth", a=truth)
    told = scored("mine", "truth", code=SubmissionError.exit_code)
    assert "255 beside class numbers" in told
    assert "--ignore 255" in told
    ignored = scored("mine", "truth", "--metric", "miou", "--ignore", "255")
    assert ignored["score"] == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)


def test_classes_in_folders_may_share_pixels() -> None:
    masks_in("truth", car_a=box(0, 4, 0, 4), road_a=box(0, 4, 0, 8))
    masks_in("mine", car_a=255 * box(0, 2, 0, 4), road_a=255 * box(0, 4, 0, 8))
    found = scored("mine", "truth")
    assert found["score"] == pytest.approx((2 * 8 / 24 + 1) / 2)
    assert found["report"]["classes"]["car"]["recall"] == 0.5
    masks_in("truth", tree_a=box(0, 4, 0, 4))
    assert "expected car, road, tree" in scored("mine", "truth", code=SubmissionError.exit_code)
    masks_in("flat", a=box(0, 4, 0, 4))
    assert "Both sides need the same layout" in scored("flat", "truth", code=SubmissionError.exit_code)


def test_classes_of_a_competition_are_numbered_from_one() -> None:
    Path("form.yaml").write_text("extends: severstal\noutput_size: [10, 14]\nlabel_size: null\n")
    header = "ImageId_ClassId,EncodedPixels"
    rows = [(f"a.jpg_{number}", None) for number in (1, 3, 4)]
    write("mine.csv", header, [*rows, ("a.jpg_2", box(0, 4, 0, 2))])
    masks_in("truth", a=2 * box(0, 4, 0, 4))
    found = scored("mine.csv", "truth", "--competition", "form.yaml")
    assert found["score"] == pytest.approx(
        (2 * 8 / 24 + 3) / 4
    )  # the others are rightly empty, which Kaggle counts as 1
    masks_in("mine", a=2 * box(0, 4, 0, 2))
    assert scored("mine", "truth", "--competition", "form.yaml")["score"] == found["score"]
    masks_in("mine", a=5 * box(0, 4, 0, 2))
    told = scored("mine", "truth", "--competition", "form.yaml", code=SubmissionError.exit_code)
    assert "mine/a.png: the mask has pixel values that no class has: 5" in told


def test_what_the_competition_does_not_score_is_said() -> None:
    Path("form.yaml").write_text("extends: severstal\noutput_size: [10, 14]\nlabel_size: null\n")
    masks_in("truth", a=2 * box(0, 4, 0, 4))
    masks_in("mine", a=2 * box(0, 4, 0, 2))
    session = Session(Workspace(Path()))

    def told(**options: Any) -> list[str]:
        result = score_submission(session, Path("mine"), solution=Path("truth"), options=ScoreOptions(**options))
        return result.next_steps()

    (line,) = told(competition="form.yaml")
    assert line == (
        "dice is over 1, 2, 3, 4: the competition does not score background, which the averages of the report count"
    )
    assert told(metric="miou") == []  # numbered classes are scored with their background


def test_masks_are_scaled_to_the_size_of_the_competition() -> None:
    Path("form.yaml").write_text("extends: tgs-salt\noutput_size: [5, 7]\nlabel_size: null\n")
    masks_in("truth", a=box(0, 4, 0, 4))
    masks_in("mine", a=box(0, 2, 0, 4))
    found = scored("mine", "truth", "--competition", "form.yaml")
    assert found["score"] == pytest.approx(2 * 2 / 6)


def test_folders_that_do_not_fit_are_refused() -> None:
    code = SubmissionError.exit_code
    nothing = box(0, 0, 0, 0)
    masks_in("truth", a=nothing, b=nothing)
    masks_in("mine", b=nothing, c=nothing, d=nothing)
    told = scored("mine", "truth", code=code)
    assert "mine has no masks for 1 images of the other: a" in told
    assert "truth has no masks for 2 images of the other: c, d" in told
    masks_in("other", a=nothing[:4], b=nothing.T)
    assert "2 masks have another size in other than in truth: a (4×14, not 10×14)" in scored(
        "other", "truth", code=code
    )
    masks_in("wild", a=7 * box(0, 1, 0, 1), b=9 * box(0, 1, 0, 1))
    told = scored("wild", "truth", code=code)
    assert "wild has the values 7, 9, which the solution does not have; it has 0" in told
    assert "--classes NAMES" in told
    masks_in("ignored", a=nothing + 3, b=nothing + 3)
    assert "nothing is labelled: all pixels of all 2" in scored("truth", "ignored", "--ignore", "3", code=code)
    Path("empty").mkdir()
    assert "empty holds no file that ends in .png" in scored("empty", "truth", code=code)
    assert "there is no file nowhere" in scored("nowhere", "truth", code=4)
    masks_in("partly", car_a=nothing, car_b=nothing, road_a=nothing)
    assert "1 images have no mask in partly/road: b" in scored("partly", "truth", code=code)


def test_options_of_mask_files_do_not_apply_to_tables() -> None:
    hit_and_false_alarm()
    masks_in("truth", a=box(0, 4, 0, 4), b=2 * box(0, 4, 0, 4))
    for options, text in (
        (("--ignore", "255"), "Leave out --ignore."),
        (("--classes", "one,two"), "--competition NAME_OR_FILE"),
        (("--classes", "one,one"), "different names separated by commas"),
    ):
        assert text in scored("mine.csv", "truth.csv", "--images", "images", *options, code=ConfigError.exit_code)
    told = scored("mine.csv", "truth", code=SubmissionError.exit_code)
    assert "the masks have a single class by the format of plain, but the mask files have several" in told


def test_the_folder_that_tk_predict_has_written_is_accepted() -> None:
    masks_in("truth", a=box(0, 4, 0, 4))
    masks_in("out", mask_a=255 * box(0, 4, 0, 4), png_a=box(0, 0, 0, 0))
    Path("out/predictions.json").touch()
    assert scored("out", "truth")["score"] == 1
