from pathlib import Path

import pytest

from toolkit.learning.reading.worker_count import usable_cores, worker_count


@pytest.mark.parametrize(
    ("has_gpu", "cores", "expected"), [(False, 64, 0), (True, 2, 0), (True, 4, 3), (True, 16, 15), (True, 128, 16)]
)
def test_auto_leaves_the_cores_to_training_without_a_gpu(has_gpu: bool, cores: int, expected: int) -> None:
    assert worker_count("auto", has_gpu=has_gpu, cores=cores) == expected


@pytest.mark.parametrize("wanted", [0, 1, 40])
def test_a_number_is_taken_as_it_is(wanted: int) -> None:
    assert worker_count(wanted, has_gpu=False, cores=2) == wanted


def test_a_container_has_the_cores_that_it_may_use(tmp_path: Path) -> None:
    machine = usable_cores(tmp_path)
    assert machine >= 1
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert usable_cores(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert usable_cores(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert usable_cores(tmp_path) == machine
