from pathlib import Path

import pytest

from toolkit.files.disk.usable_cores import usable_cores


@pytest.mark.parametrize(("limit", "expected"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", None)])
def test_a_container_has_the_cores_that_it_may_use(limit: str, expected: int | None, tmp_path: Path) -> None:
    machine = usable_cores(tmp_path)
    assert machine >= 1
    (tmp_path / "cpu.max").write_text(f"{limit}\n")
    assert usable_cores(tmp_path) == (expected or machine)


@pytest.mark.parametrize(("quota", "expected"), [(100_000, 1), (-1, None)])
def test_limits_of_the_older_kind_are_read(quota: int, expected: int | None, tmp_path: Path) -> None:
    machine = usable_cores(tmp_path)
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert usable_cores(tmp_path) == (expected or machine)


def test_a_limit_above_the_cores_of_the_machine_changes_nothing(tmp_path: Path) -> None:
    machine = usable_cores(tmp_path)
    (tmp_path / "cpu.max").write_text(f"{(machine + 3) * 100_000} 100000\n")
    assert usable_cores(tmp_path) == machine
