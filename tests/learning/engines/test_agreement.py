import numpy as np
import pytest

from toolkit.learning.engines.agreement import agreement_of

pytestmark = pytest.mark.tf


def test_pixels_that_change_side_are_counted_over_all_images_at_each_threshold() -> None:
    some = [np.array([0.1, 0.3, 0.6, 0.9], np.float32).reshape(2, 2, 1), np.full((1, 4, 1), 0.5, np.float32)]
    others = [np.array([0.1, 0.2, 0.8, 0.9], np.float32).reshape(2, 2, 1), np.full((1, 4, 1), 0.49, np.float32)]
    # One of eight changes at 0.25, the four of the second image at 0.5, one at 0.75.
    assert agreement_of(some, others).changed == (1 / 8, 4 / 8, 1 / 8)
    assert agreement_of(some, some).changed == (0.0, 0.0, 0.0)


def test_a_map_that_is_no_number_agrees_with_none() -> None:
    empty = [np.full((2, 2, 1), 0.01, np.float32)]
    broken = [np.full((2, 2, 1), np.nan, np.float32)]
    assert agreement_of(empty, broken).changed == agreement_of(broken, broken).changed == (1.0, 1.0, 1.0)
