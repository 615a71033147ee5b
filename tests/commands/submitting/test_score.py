"""Covers toolkit/commands/submitting/score.py and toolkit/commands/scoring/classification_table.py."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.core.masks.rle import encode
from toolkit.errors import ConfigError, SubmissionError

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
