from pathlib import Path

import pytest

from toolkit.files.disk.free_space import free_disk, free_memory


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    path = tmp_path / "meminfo"
    path.write_text("MemTotal: 16000 kB\nMemAvailable:    8000 kB\n")
    return path


def test_free_memory_is_that_of_the_machine(tmp_path: Path, meminfo: Path) -> None:
    assert free_memory(meminfo, tmp_path / "none") == 8000 * 1024


def test_a_container_has_what_its_limit_leaves(tmp_path: Path, meminfo: Path) -> None:
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("3000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 1000000\n")
    assert free_memory(meminfo, tmp_path) == 3_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(meminfo, tmp_path) == 8000 * 1024


def test_the_older_kind_of_container_too(tmp_path: Path, meminfo: Path) -> None:
    folder = tmp_path / "memory"
    folder.mkdir()
    (folder / "memory.limit_in_bytes").write_text("5000000\n")
    (folder / "memory.usage_in_bytes").write_text("6000000\n")
    assert free_memory(meminfo, tmp_path) == 0
    (folder / "memory.limit_in_bytes").write_text(f"{2**63 - 4096}\n")
    assert free_memory(meminfo, tmp_path) == 8000 * 1024


def test_a_folder_that_is_not_made_yet_has_the_space_of_its_parent(tmp_path: Path) -> None:
    assert abs(free_disk(tmp_path / "a" / "b") - free_disk(tmp_path)) < 1 << 30
    assert free_disk(tmp_path) > 0
