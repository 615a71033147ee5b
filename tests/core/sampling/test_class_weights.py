import numpy as np
import pytest

from toolkit.core.sampling.class_weights import balanced_class_weights


def test_rare_classes_weigh_more_by_hand() -> None:
    # Inverse frequencies 1/10 and 1/30: the mean is 1/15.
    assert balanced_class_weights(np.array([10, 30])) == pytest.approx([1.5, 0.5])


@pytest.mark.parametrize("counts", [[5], [1, 1, 1], [1, 10**12], [3, 0, 9, 0, 1]])
def test_present_classes_have_equal_total_weight_and_mean_one(counts: list[int]) -> None:
    weights = balanced_class_weights(np.array(counts))
    occurs = np.array(counts) > 0
    assert weights.dtype == np.float64
    assert weights[occurs].mean() == pytest.approx(1)
    assert np.ptp(weights[occurs] * np.array(counts)[occurs]) == pytest.approx(0, abs=1e-9)


def test_absent_classes_get_the_mean_and_do_not_change_the_others() -> None:
    weights = balanced_class_weights(np.array([0, 10, 0, 30]))
    assert weights == pytest.approx([1, 1.5, 1, 0.5])
    assert balanced_class_weights(np.zeros(3, np.int64)).tolist() == [1, 1, 1]


def test_scaling_the_counts_does_not_change_weights() -> None:
    counts = np.array([7, 1000, 123])
    assert balanced_class_weights(1000 * counts) == pytest.approx(balanced_class_weights(counts))


def test_negative_counts_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"received \[3, -1\]"):
        balanced_class_weights(np.array([3, -1]))
