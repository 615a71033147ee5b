import shutil
from pathlib import Path

import pytest

from toolkit.commands.session import Session
from toolkit.commands.submitting.submit import SubmitOptions, submit
from toolkit.commands.submitting.submit_images import TestFolder, _Deadline, submit_images
from toolkit.errors import ConfigError, DataError, OutOfTimeError, SubmissionError
from toolkit.files.experiment.workspace import Workspace

PLAIN = SubmitOptions(threshold=0.4)


@pytest.mark.train
def test_the_submission_is_that_of_stored_predictions(fitted_competition: Workspace, tmp_path: Path) -> None:
    root = Path(shutil.copytree(fitted_competition.root, tmp_path / "work"))
    session, images = Session(Workspace(root)), root / "data" / "test" / "images"
    submit(session, "both", options=PLAIN)
    shutil.rmtree(root / "data" / "train")
    found = submit_images(session, "both", TestFolder([images], tmp_path / "new.csv"), options=PLAIN)
    assert (tmp_path / "new.csv").read_bytes() == (root / "submissions" / "both.csv").read_bytes()
    assert (found.images, found.rows, found.networks) == (6, 6, 4)
    sample = tmp_path / "sample.csv"
    sample.write_text("id,rle_mask\n025,1 1\n020,1 1\n")
    submit_images(session, "plain", TestFolder([images], tmp_path / "two.csv", sample), options=PLAIN)
    assert [row.split(",")[0] for row in (tmp_path / "two.csv").read_text().splitlines()] == ["id", "025", "020"]
    sample.write_text("id,rle_mask\n999,1 1\n")
    with pytest.raises(SubmissionError, match=r"--sample: .* without a test image: 999"):
        submit_images(session, "plain", TestFolder([images], tmp_path / "no.csv", sample), options=PLAIN)
    (images / "022.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="022"):
        submit_images(session, "plain", TestFolder([images], tmp_path / "no.csv"), options=PLAIN)
    assert not (tmp_path / "no.csv").exists()


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    session = Session(Workspace(tmp_path))
    with pytest.raises(ConfigError, match="--minutes: expected a number above 0"):
        submit_images(session, "a", TestFolder([tmp_path], tmp_path / "a.csv", minutes=0), options=PLAIN)
    with pytest.raises(ConfigError, match=r"ends in \.csv"):
        submit_images(session, "a", TestFolder([tmp_path], tmp_path / "a.txt"), options=PLAIN)
    named = SubmitOptions(file_name="b")
    with pytest.raises(ConfigError, match="--upload and --name"):
        submit_images(session, "a", TestFolder([tmp_path], tmp_path / "a.csv"), options=named)


def test_images_that_come_in_groups_are_no_reason_to_warn(told) -> None:
    now = [0.0]
    deadline = _Deadline(1000, told, lambda: now[0])
    for group in range(10):
        now[0] = 70.0 * (group + 1)  # 256 images are predicted, then read at once
        for done in range(256 * group + 1, 256 * group + 257):
            deadline.check(done, 2560)
    assert told.lines == []


def test_the_time_is_told_after_a_minute_and_ends(told) -> None:
    now = [0.0]
    deadline = _Deadline(600, told, lambda: now[0])
    deadline.check(0, 100)
    now[0] = 90  # a slow start, then 10 images at once
    for done in range(1, 11):
        deadline.check(done, 100)
    now[0] = 152
    for done in range(11, 21):
        deadline.check(done, 100)
    assert len(told.lines) == 1
    assert "another 9 min 12 s, but only 7 min 28 s are left" in told.lines[0]
    now[0] = 599
    deadline.check(60, 100)
    assert len(told.lines) == 1
    now[0] = 600
    with pytest.raises(OutOfTimeError, match="60 of 100 images"):
        deadline.check(60, 100)
    deadline.check(100, 100)  # all are there
