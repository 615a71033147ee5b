from typing import Any

import numpy as np
import pytest

from toolkit.core.masks.rle import encode
from toolkit.files.recognition.tables.rle_readings import RleSample, read_order


def samples(size: tuple[int, int], order: Any, relative: bool, *, with_files: bool = False) -> list[RleSample]:
    found = []
    for seed in range(30):
        random = np.random.default_rng(seed)
        mask = np.zeros(size, bool)
        for _ in range(2):
            top, left = random.integers(1, size[0] - 9), random.integers(1, size[1] - 12)
            mask[top : top + 8, left : left + 4] = True
        image = np.clip(random.normal(80, 6, (*size, 1)) + 60 * mask[..., None], 0, 255).astype(np.uint8)
        text = encode(mask, order, relative)
        found.append(
            RleSample([text], size, lambda image=image: image, (lambda mask=mask: mask) if with_files else None)
        )
    return found


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("order", ["column", "row"])
@pytest.mark.parametrize(("size", "words"), [((30, 50), "torn"), ((40, 40), "standard errors")])
def test_every_reading_is_found_without_files(size: tuple[int, int], words: str, order: Any, relative: bool) -> None:
    reading = read_order(samples(size, order, relative))
    assert (reading.order, reading.relative) == (order, relative)
    assert reading.order_sure
    assert reading.relative_sure
    assert words in reading.order_why
    assert reading.broken == 0


@pytest.mark.parametrize("order", ["column", "row"])
def test_mask_files_decide(order: Any) -> None:
    reading = read_order(samples((40, 40), order, False, with_files=True))
    assert reading.order == order
    assert reading.mask_files == 1
    assert "30 of 30 masks equal their mask files" in reading.order_why


def test_without_evidence_the_order_is_not_sure() -> None:
    flat = np.zeros((20, 20, 1), np.uint8)
    reading = read_order([RleSample(["5 3"], (20, 20), lambda: flat)])
    assert not reading.order_sure
    assert not reading.relative_sure
    assert "no evidence" in reading.order_why


def test_masks_that_no_reading_fits_are_counted() -> None:
    assert read_order([RleSample(["5 3 90000 4"], (20, 20)), RleSample(["1 1"], (20, 20))]).broken == 1
