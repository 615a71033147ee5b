import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.cluster.transfer.held_folders import folders_held, held_folder

_HOLDS = """\
import sys, time
from pathlib import Path
from toolkit.cluster.transfer.held_folders import held_folder
with held_folder(Path(sys.argv[1])) as folder:
    (folder / "note").write_text("mine")
    print(folder.name, flush=True)
    time.sleep(60)
"""


def test_a_folder_is_held_as_long_as_the_block_runs(tmp_path: Path) -> None:
    parent = tmp_path / "held"
    assert folders_held(parent) == []
    with held_folder(parent) as first, held_folder(parent) as second:
        (first / "note").touch()
        assert folders_held(parent) == sorted([first, second])
    assert folders_held(parent) == []
    assert not first.exists()


def test_an_error_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), held_folder(tmp_path):
        raise ZeroDivisionError
    assert folders_held(tmp_path) == []


def test_what_a_killed_process_leaves_is_deleted(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert [folder.name for folder in folders_held(tmp_path)] == [name]
        process.kill()
    assert (tmp_path / name / "note").exists()
    assert folders_held(tmp_path) == []
    assert not (tmp_path / name).exists()
