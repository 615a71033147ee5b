import numpy as np
import pytest

from toolkit.core.images import chunks as module
from toolkit.core.images.chunks import chunks, count_values, look_up


@pytest.mark.parametrize("entries", [1, 7, 1000])
@pytest.mark.parametrize("shape", [(5,), (4, 3), (6, 5, 2), (1, 9), (0, 3), (3, 0)])
def test_chunks_do_not_change_results(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], entries: int) -> None:
    monkeypatch.setattr(module, "_ENTRIES", entries)
    values = np.random.default_rng(0).integers(0, 6, shape).astype(np.uint8)
    assert [row for chunk in chunks(shape) for row in range(shape[0])[chunk]] == list(range(shape[0]))
    assert np.array_equal(count_values(values, 6), np.bincount(values.ravel(), minlength=6))
    table = np.arange(6, dtype=np.float32) ** 2
    assert np.array_equal(look_up(table, values), table[values])


def test_values_out_of_range_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"."):
        count_values(np.array([3]), 3)
