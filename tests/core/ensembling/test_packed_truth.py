import numpy as np
import pytest

from toolkit.core.ensembling.packed_truth import pack


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((5, 7), np.uint8),
        np.array([[3]], np.int32),
        np.zeros((0, 4), np.uint8),
        np.repeat(np.arange(6, dtype=np.int32), 10).reshape(6, 10),
        np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8),
        np.random.default_rng(0).integers(0, 2, (20, 30), np.int32),
    ],
)
def test_what_is_packed_comes_back(array: np.ndarray) -> None:
    packed = pack(array)
    back = packed.unpack()
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)


def test_large_areas_take_little_and_noise_no_more_than_itself() -> None:
    blocks = np.zeros((1000, 1000), np.uint8)
    blocks[200:700, 300:800] = 1
    packed = pack(blocks)
    assert packed.lengths is not None
    assert packed.values.nbytes + packed.lengths.nbytes < 10_000
    noise = np.random.default_rng(0).integers(0, 256, (100, 100), np.uint8)
    assert pack(noise).lengths is None
    assert pack(noise).values.nbytes == noise.nbytes
