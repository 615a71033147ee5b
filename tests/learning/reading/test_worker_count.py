import pytest

from toolkit.learning.reading.worker_count import worker_count


@pytest.mark.parametrize(
    ("has_gpu", "cores", "expected"), [(False, 64, 0), (True, 2, 0), (True, 4, 3), (True, 16, 15), (True, 128, 16)]
)
def test_auto_leaves_the_cores_to_training_without_a_gpu(has_gpu: bool, cores: int, expected: int) -> None:
    assert worker_count("auto", has_gpu=has_gpu, cores=cores) == expected


@pytest.mark.parametrize("wanted", [0, 1, 40])
def test_a_number_is_taken_as_it_is(wanted: int) -> None:
    assert worker_count(wanted, has_gpu=False, cores=2) == wanted
