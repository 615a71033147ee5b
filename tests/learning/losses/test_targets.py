import numpy as np
import pytest

from toolkit.learning.losses.targets import read_truth
from toolkit.learning.runtime import in_float32, tf

pytestmark = pytest.mark.tf

TARGET = np.array([[[[1, 0], [0, 1], [255, 255], [0, 0]]]])
"""One image of 1 × 4 pixels and two classes: the first class, the second, ignored, neither."""


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float16])
def test_ignored_pixels_are_separated_from_the_rest(kind: type) -> None:
    truth = read_truth(TARGET.astype(kind))
    assert truth.target.dtype == truth.valid.dtype == tf.float32
    assert truth.target.numpy().tolist() == [[[[1, 0], [0, 1], [0, 0], [0, 0]]]]
    assert truth.valid.numpy().ravel().tolist() == [1, 1, 0, 1]


VALUES = np.array([[[[1, 2], [3, 4], [1000, 1000], [5, 9]]]], np.float32)


def test_means_leave_ignored_pixels_out() -> None:
    truth = read_truth(TARGET)
    assert float(truth.mean_over_planes(VALUES)) == pytest.approx((1 + 2 + 3 + 4 + 5 + 9) / 6)
    assert float(truth.mean_over_pixels(VALUES[..., 0])) == pytest.approx((1 + 3 + 5) / 3)
    assert truth.where_valid(tf.constant(VALUES), -1.0).numpy().ravel().tolist() == [1, 2, 3, 4, -1, -1, 5, 9]


def test_means_are_weighted_by_class() -> None:
    truth = read_truth(TARGET, [1, 3])
    assert float(truth.mean_over_planes(VALUES)) == pytest.approx((1 + 3 + 5 + 3 * (2 + 4 + 9)) / (3 + 9))
    assert float(truth.mean_over_pixels(VALUES[..., 0])) == pytest.approx((1 + 3 * 3) / 4)
    rows, counted = np.array([[1, 2], [3, 4]], np.float32), np.array([[True, False], [True, True]])
    assert float(truth.mean_over_classes(rows)) == pytest.approx((1 + 3 + 3 * 2 + 3 * 4) / 8)
    assert float(truth.mean_over_classes(rows, counted)) == pytest.approx((1 + 3 + 3 * 4) / 5)


def test_nothing_to_take_a_mean_of_is_zero() -> None:
    truth = read_truth(np.full((1, 1, 4, 2), 255, np.uint8), [1, 3])
    assert float(truth.mean_over_planes(VALUES)) == float(truth.mean_over_pixels(VALUES[..., 0])) == 0
    assert float(truth.mean_over_classes(VALUES[0, 0], np.zeros((4, 2), bool))) == 0


def test_a_class_is_present_where_it_is_at_least_half() -> None:
    planes = np.array([[[[0.49, 0.3]]], [[[0.5, 0.3]]]], np.float32)  # two images of one pixel
    truth = read_truth(planes)
    assert truth.occurs("image").numpy().tolist() == [[False, False], [True, False]]
    assert truth.occurs("batch").numpy().tolist() == [[True, False]]
    assert truth.of_positives("sigmoid").valid.numpy().ravel().tolist() == [0, 1]
    assert truth.of_positives("softmax").valid.numpy().ravel().tolist() == [0, 0]


def test_nothing_comes_through_where_it_is_not_valid() -> None:
    logits = tf.Variable([[1.0, np.nan, np.inf, -2.0]], dtype=tf.float32)
    with tf.GradientTape() as tape:
        kept = in_float32(logits, tf.constant([[1.0, 0.0, 0.0, 1.0]]))
        total = tf.reduce_sum(3 * kept)
    assert kept.numpy().tolist() == [[1, 0, 0, -2]]
    assert tape.gradient(total, logits).numpy().tolist() == [[3, 0, 0, 3]]
    assert in_float32(tf.constant([1.5], tf.bfloat16)).dtype == tf.float32
