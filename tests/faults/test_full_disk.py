"""tk fit on real disks that are too small: one sentence, the documented exit code, and a larger one completes it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Scenario, results_of

pytestmark = pytest.mark.train

SIZES = tuple(range(200, 3000, 200)) if os.environ.get("FAULTS") == "all" else (400,)
STORAGE = 16
ON_A_SMALL_DISK = """\
mount -t tmpfs -o size={size}k tmpfs "$1" && cp -r "$2"/. "$1" && cd "$1" && shift 2 || exit 99
"$@"
code=$?
tar -cf "$KEPT" .
exit $code
"""


def can_mount() -> bool:
    """Whether this process may mount a disk in a space of names of its own."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/tmp"], check=False, capture_output=True
    )
    return tried.returncode == 0


@pytest.mark.skipif(not can_mount(), reason="no small disk can be mounted here")
@pytest.mark.parametrize("size", SIZES)
def test_a_disk_that_is_too_small(
    tmp_path: Path, workspace: Path, scenarios: Callable[[str], Scenario], size: int
) -> None:
    expected = scenarios("fit").expected
    start, disk, kept = tmp_path / "start", tmp_path / "disk", tmp_path / "kept.tar"
    for folder in (start / "experiments", disk):
        folder.mkdir(parents=True)
    shutil.copytree(workspace / "data", start / "data")
    for name in ("tiny", "plain", "fresh"):
        (start / "experiments" / name).mkdir()
        shutil.copy(workspace / "experiments" / name / "config.yaml", start / "experiments" / name)
    tk = [sys.executable, "-m", "toolkit", "fit", "fresh"]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", ON_A_SMALL_DISK.format(size=size), "sh", str(disk), str(start), *tk],
        capture_output=True, text=True, timeout=600, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "KEPT": str(kept)},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, STORAGE), done.stderr
    if done.returncode:
        assert "No space left on device" in done.stderr
    larger = tmp_path / "larger"
    larger.mkdir()
    shutil.unpack_archive(kept, larger, filter="data")
    again = subprocess.run(tk, cwd=larger, capture_output=True, text=True, timeout=600, check=False,
                           env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})  # fmt: skip
    assert again.returncode == 0, again.stderr
    found = {name: content for name, content in results_of(larger).items() if name.startswith("experiments/fresh/")}
    assert found == {name: content for name, content in expected.items() if name in found}
    assert found.keys() == {name for name in expected if name.startswith("experiments/fresh/")}
