from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from toolkit.errors import StorageError, SubmissionError
from toolkit.files.submissions.log import LoggedSubmission, SubmissionLog, submission_name


def record(log: SubmissionLog, entry: LoggedSubmission) -> None:
    with log.recording() as append:
        append(entry)


@pytest.fixture
def log(tmp_path: Path) -> SubmissionLog:
    return SubmissionLog(tmp_path / "submissions" / "log.csv")


def entry(name: str, digest: str = "d", **values: object) -> LoggedSubmission:
    texts = {"time": "2026-11-03T12:00:00Z", "experiment": "exp", "metric": "dice", "recipe": "threshold 0.5, area 3"}
    return LoggedSubmission(name, digest=digest, **{**texts, **values})


def test_recorded_submissions_are_read_back(log: SubmissionLog) -> None:
    assert log.read() == []
    entries = [entry("a", oof=0.1 + 0.2, nested=0.29), entry('b,\n"c"', metric="", oof=None)]
    for one in entries:
        record(log, one)
    assert log.read() == entries


def test_scores_and_uploads_belong_to_the_last_file_with_a_name(log: SubmissionLog) -> None:
    record(log, entry("a", "old", oof=0.7))
    log.set_score("a", "public", 0.71)
    record(log, entry("a", "new", oof=0.8))
    assert log.set_score("a", "public", 0.81).public is None
    log.set_score("a", "private", 0.6)
    log.mark_uploaded("a", "salt", "2026-11-04T00:00:00Z")
    old, new = log.read()
    assert (old.digest, old.public, old.private, old.uploaded) == ("old", 0.71, None, "")
    assert (new.digest, new.public, new.private, new.uploaded, new.competition) == (
        "new", 0.81, 0.6, "2026-11-04T00:00:00Z", "salt",
    )  # fmt: skip


def test_the_same_file_made_again_keeps_its_scores(log: SubmissionLog) -> None:
    record(log, entry("a"))
    log.set_score("a", "public", 0.7)
    record(log, entry("b"))
    record(log, entry("a", time="2026-12-24T12:00:00Z", nested=0.5))
    assert [(one.name, one.public, one.nested) for one in log.read()] == [("b", None, None), ("a", 0.7, 0.5)]


def test_a_new_file_replaces_the_row_of_one_that_was_not_uploaded_or_scored(log: SubmissionLog) -> None:
    record(log, entry("a", "old"))
    record(log, entry("a", "new"))
    assert [one.digest for one in log.read()] == ["new"]


def test_the_expected_score_is_the_nested_one_if_there_is_one() -> None:
    assert entry("a", oof=0.8).expected == 0.8
    assert entry("a", oof=0.8, nested=0.0).expected == 0.0
    assert entry("a").expected is None


def test_edits_by_hand_are_read(log: SubmissionLog) -> None:
    record(log, entry("a", oof=0.5))
    rows = '\ufeffnote, name ,public\r\n,,\r\n"good, I think",a, 0.7 \r\n\r\nx,b,\r\n'
    log.path.write_bytes(rows.encode())
    first, second = log.read()
    assert (first.name, first.public, first.oof, first.further) == ("a", 0.7, None, {"note": "good, I think"})
    log.set_score("b", "private", 0.25)
    record(log, entry("c"))
    assert [one.further for one in log.read()] == [{"note": "good, I think"}, {"note": "x"}, {"note": ""}]
    assert log.read()[1] == LoggedSubmission("b", private=0.25, further=second.further)


def test_an_empty_file_is_an_empty_log(log: SubmissionLog) -> None:
    log.path.parent.mkdir()
    log.path.write_text("\n")
    record(log, entry("a"))
    assert len(log.read()) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name,public\na,0.5\nb,0;871\n", r"log\.csv:3: public is '0;871'; expected a number"),
        ("name,public\na,nan\n", r"log\.csv:2: public"),
        ("name,public\na,0,871\n", r"log\.csv:2: expected 2 cells, received 3"),
        ("title,public\na,0.5\n", r"log\.csv:1: missing column name; received title, public"),
        ("name;public\na;0.5\n", r"log\.csv:1: missing column name"),
        ("name,public,public\na,1,1\n", r"log\.csv:1: the column 'public' occurs twice"),
        ("name,public\n ,0.5\n", r"log\.csv:2: the name is empty"),
        ('name,public\n"a,0.5\n', r"log\.csv cannot be read: line 2"),
    ],
)
def test_invalid_edits_are_reported(log: SubmissionLog, content: str, words: str) -> None:
    log.path.parent.mkdir()
    log.path.write_text(content)
    for action in (log.read, lambda: record(log, entry("z"))):
        with pytest.raises(StorageError, match=words):
            action()
    assert log.path.read_text() == content


def test_a_file_that_is_not_text_is_reported(log: SubmissionLog) -> None:
    log.path.parent.mkdir()
    log.path.write_bytes("name\nä".encode("latin-1"))
    with pytest.raises(StorageError, match=r"log\.csv cannot be read"):
        log.read()


def test_an_unknown_name_is_reported_with_the_nearest(log: SubmissionLog) -> None:
    for name in ("exp042", "exp042", "final"):
        record(log, entry(name))
    with pytest.raises(SubmissionError, match="'exp42'; its submissions are: final, exp042") as told:
        log.set_score("exp42", "public", 0.5)
    assert told.value.advice.startswith("Did you mean exp042?")


def test_names_may_be_paths() -> None:
    for text in ("exp042", "exp042.csv", "submissions/exp042.csv"):
        assert submission_name(text) == "exp042"


def test_simultaneous_processes_lose_no_rows(log: SubmissionLog) -> None:
    names = [f"exp{number}" for number in range(12)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda name: record(SubmissionLog(log.path), entry(name)), names))
    assert sorted(one.name for one in log.read()) == sorted(names)
