import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from toolkit.errors import LockedError, StorageError
from toolkit.files.disk.locks import locked

HOLDER = """
import sys
from pathlib import Path
from toolkit.files.disk.locks import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts another process that holds the lock until its standard input is closed."""
    started = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDER, str(tmp_path / ".lock")]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_second_process_is_refused_until_the_first_ends(
    tmp_path: Path, holder: Callable[[], subprocess.Popen[str]]
) -> None:
    process = holder()
    with pytest.raises(LockedError, match=f"another run is working on {tmp_path}"), locked(tmp_path / ".lock"):
        pytest.fail("the lock was taken twice")
    process.communicate()
    with locked(tmp_path / ".lock"):
        pass


def test_a_killed_process_holds_no_lock(tmp_path: Path, holder: Callable[[], subprocess.Popen[str]]) -> None:
    process = holder()
    process.kill()
    process.wait()
    with locked(tmp_path / ".lock"):
        pass


def test_one_process_cannot_take_it_twice(tmp_path: Path) -> None:
    with locked(tmp_path / ".lock"), pytest.raises(LockedError), locked(tmp_path / ".lock"):
        pytest.fail("the lock was taken twice")


def stopped_while_holding(path: Path) -> None:
    with locked(path):
        raise KeyboardInterrupt


def test_an_error_releases_the_lock(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        stopped_while_holding(tmp_path / ".lock")
    with locked(tmp_path / ".lock"):
        pass


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError, match="taken"), locked(tmp_path / "taken" / ".lock"):
        pytest.fail("there can be no lock in a file")
