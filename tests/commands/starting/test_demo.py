from pathlib import Path

import pytest

from toolkit.commands.session import Session
from toolkit.commands.starting.demo import demo
from toolkit.errors import DataError
from toolkit.files.experiment.workspace import Workspace


@pytest.mark.parametrize("folder", [".", "data", "data/train.csv"])
def test_a_demo_refuses_a_folder_with_other_files(tmp_path: Path, folder: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("id,rle_mask\n")
    (tmp_path / "notes.txt").write_text("mine\n")
    with pytest.raises(DataError, match="holds other files than those of a demo"):
        demo(Session(Workspace(tmp_path)), tmp_path / folder)
    assert {path.name for path in tmp_path.rglob("*.*")} == {"notes.txt", "train.csv"}
