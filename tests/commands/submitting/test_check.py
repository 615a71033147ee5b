"""Covers toolkit/commands/submitting/check.py and preset_option.py."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.errors import ConfigError, MissingFileError, NothingToLearnError, SubmissionError
from toolkit.files.disk.digests import file_digest
from toolkit.files.submissions.log import LoggedSubmission, SubmissionLog

IDS = ("a", "b", "c")


def record(log: SubmissionLog, entry: LoggedSubmission) -> None:
    with log.recording() as append:
        append(entry)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("test").mkdir()
    for one in IDS:
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 10), np.uint8)).save(f"test/{one}.png")
    Path("sample.csv").write_text("id,rle_mask\n" + "".join(f"{one},1 1\n" for one in IDS))
    Path("good.csv").write_text("id,rle_mask\na,1 2\nb,5 6\nc,\n")
    Path("bad.csv").write_text("id,rle_mask\na,1 2\nb,80 6\nc,nan\n")


ALL = ("--sample", "sample.csv", "--images", "test", "--competition", "tgs-salt")


def check(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["check", *arguments, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if code in (0, SubmissionError.exit_code) and result.stdout else result.stderr


def test_a_good_file_passes() -> None:
    found = check("good.csv", *ALL)
    assert found == {
        "path": "good.csv", "competition": "tgs-salt", "rows": 3, "images": 3, "empty_rows": 1, "findings": [],
    }  # fmt: skip
    shown = CliRunner().invoke(app, ["check", "good.csv", *ALL]).stdout
    assert "all checks" in shown
    assert shown.splitlines()[-1] == "no problems were found"


def test_a_bad_file_is_refused() -> None:
    found = check("bad.csv", *ALL, code=SubmissionError.exit_code)
    assert [finding["check"] for finding in found["findings"]] == ["runs", "empty masks"]
    result = CliRunner().invoke(app, ["check", "bad.csv", *ALL])
    assert result.exit_code == SubmissionError.exit_code
    assert "refuse" in result.stdout
    assert result.stdout.splitlines()[-1] == "refused: fix the file before you upload it"


def test_warnings_do_not_refuse_the_file() -> None:
    Path("order.csv").write_text("id,rle_mask\nb,1 2\na,5 6\nc,\n")
    found = check("order.csv", *ALL)
    assert [(finding["level"], finding["check"]) for finding in found["findings"]] == [("warn", "order")]
    shown = CliRunner().invoke(app, ["check", "order.csv", *ALL]).stdout
    assert shown.splitlines()[-1] == "the competition may accept the file, but look at the warnings first"


def test_everything_given_is_checked() -> None:
    assert [finding["check"] for finding in check("good.csv")["findings"]] == ["sizes"]
    assert check("good.csv", "--images", "test")["findings"] == []
    assert "--competition NAME" in CliRunner().invoke(app, ["check", "good.csv"]).stdout
    Path("mine.yaml").write_text("extends: tgs-salt\nname: mine\noutput_size: [8, 10]\nempty: '-'\n")
    found = check("good.csv", "--competition", "mine.yaml", code=SubmissionError.exit_code)
    assert [finding["allowed"] for finding in found["findings"]] == ["an empty mask is written -"]


def test_missing_files_are_reported() -> None:
    assert "nowhere.csv" in check("nowhere.csv", code=MissingFileError.exit_code)
    assert "--images" in check("good.csv", "--images", "nowhere", code=MissingFileError.exit_code)
    Path("empty").mkdir()
    assert "--images" in check("good.csv", "--images", "empty", code=NothingToLearnError.exit_code)
    assert "--sample" in check("good.csv", "--sample", "nowhere.csv", code=MissingFileError.exit_code)
    assert "did you mean 'tgs-salt'" in check("good.csv", "--competition", "tgs-slat", code=ConfigError.exit_code)
    assert "mine.yaml" in check("good.csv", "--competition", "mine.yaml", code=MissingFileError.exit_code)


def test_an_invalid_sample_is_reported() -> None:
    Path("sample.csv").write_text("id\na\n")
    assert "--sample: " in check("good.csv", *ALL, code=SubmissionError.exit_code)


def test_copies_of_earlier_submissions_are_recognised() -> None:
    log = SubmissionLog(Path("submissions/log.csv"))
    record(log, LoggedSubmission("exp042", digest=file_digest(Path("good.csv"))))
    (finding,) = check("good.csv", *ALL)["findings"]
    assert finding["came"] == "the file has the same content as exp042"
    Path("submissions/exp042.csv").write_bytes(Path("good.csv").read_bytes())
    assert check("submissions/exp042.csv", *ALL)["findings"] == []
