from pathlib import Path

import pytest

from toolkit.errors import ChangedError, LockedError, StorageError
from toolkit.files.predictions.output_folder import InputRow, PredictionFolder


def test_a_finished_file_is_recognised_by_its_key(tmp_path: Path) -> None:
    folder = PredictionFolder(tmp_path / "out")
    with folder.locked():
        folder.announce(["png/a.png", "png/b.png"], {"experiment": "exp042"})
        folder.write("png/a.png", b"1", "key")
        folder.save()
    again = PredictionFolder(tmp_path / "out")
    assert again.has("png/a.png", "key")
    assert not again.has("png/a.png", "other")
    assert not again.has("png/b.png", "key")
    (tmp_path / "out" / "png" / "a.png").unlink()
    assert not again.has("png/a.png", "key")


def test_an_interrupted_file_may_be_replaced_but_not_a_foreign_one(tmp_path: Path) -> None:
    (tmp_path / "png").mkdir()
    (tmp_path / "png" / "mine.png").write_bytes(b"precious")
    folder = PredictionFolder(tmp_path)
    with pytest.raises(ChangedError, match=r"this command did not write and does not overwrite \(1\).*mine\.png"):
        folder.announce(["png/mine.png"])
    folder.announce(["png/a.png"])
    folder.write("png/a.png", b"1", "key")  # and then the run was interrupted
    again = PredictionFolder(tmp_path)
    assert not again.has("png/a.png", "key")
    again.announce(["png/a.png"])
    assert (tmp_path / "png" / "mine.png").read_bytes() == b"precious"


def test_files_of_an_image_that_fails_are_deleted(tmp_path: Path) -> None:
    folder = PredictionFolder(tmp_path)
    folder.announce(["a.png"])
    folder.write("a.png", b"1", "key")
    folder.discard(["a.png"])
    assert not (tmp_path / "a.png").exists()
    assert not folder.was_made("a.png")


def test_only_unfinished_files_of_a_killed_run_are_deleted(tmp_path: Path) -> None:
    folder = PredictionFolder(tmp_path)
    folder.announce(["png/a.png", "png/b.png"])
    folder.write("png/b.png", b"1", "key")
    folder.save()
    names = [".12.0a1b2c3d.a.png", ".12.0a1b2c3d.c.png", ".a.png", "a.png", ".12.0a1b2c3d.b.png"]
    for name in names:
        (tmp_path / "png" / name).touch()
    (tmp_path / ".12.0a1b2c3d.predictions.json").touch()
    with PredictionFolder(tmp_path).locked():
        assert sorted(path.name for path in (tmp_path / "png").iterdir()) == sorted([*names[1:], "b.png"])
        assert not (tmp_path / ".12.0a1b2c3d.predictions.json").exists()


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with PredictionFolder(tmp_path).locked(), pytest.raises(LockedError), PredictionFolder(tmp_path).locked():
        pass


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(StorageError, match="it is a file"), PredictionFolder(tmp_path / "out").locked():
        pass


def test_a_damaged_record_is_reported(tmp_path: Path) -> None:
    PredictionFolder(tmp_path).record.write_text("[]")
    with pytest.raises(StorageError, match="damaged"):
        PredictionFolder(tmp_path)


def test_the_table_has_the_result_of_each_file(tmp_path: Path) -> None:
    folder = PredictionFolder(tmp_path)
    folder.write_table([InputRow("a.png", "a", (2, 3)), InputRow("NA.png", "NA", None, "is truncated, or damaged")])
    assert folder.table.read_text() == (
        'file,id,height,width,failure\na.png,a,2,3,\nNA.png,NA,,,"is truncated, or damaged"\n'
    )
