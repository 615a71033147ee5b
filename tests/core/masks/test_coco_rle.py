import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_masks

from toolkit.core.masks.coco_rle import decode_coco
from toolkit.core.masks.rle import RleError


@given(arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_texts_and_lengths_are_decoded_like_pycocotools(mask: np.ndarray) -> None:
    encoded = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    np.testing.assert_array_equal(decode_coco(encoded["counts"], mask.shape), mask)
    np.testing.assert_array_equal(decode_coco(encoded["counts"].decode(), mask.shape), mask)
    ends = np.flatnonzero(np.diff(mask.T.ravel().astype(int), prepend=0))
    counts = [int(length) for length in np.diff([0, *ends, mask.size])]
    np.testing.assert_array_equal(decode_coco(counts, mask.shape), mask)


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=12))
def test_any_text_gives_a_mask_or_an_error(text: str) -> None:
    with contextlib.suppress(RleError):
        assert decode_coco(text, (3, 4)).shape == (3, 4)


@pytest.mark.parametrize("counts", [[5], [13], [6, -1, 7], [], [1.5, 10.5], ["a"]])
def test_invalid_lengths_are_rejected(counts: list[int]) -> None:
    with pytest.raises(RleError):
        decode_coco(counts, (3, 4))
