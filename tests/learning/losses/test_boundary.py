import numpy as np
import pytest

from toolkit.config.training.losses import parse_loss
from toolkit.learning.losses.boundary import boundary_distances
from toolkit.learning.losses.registry import build_loss
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.tf


def distances(rows: list[list[float]]) -> np.ndarray:
    plane = np.array(rows, np.float32)
    return boundary_distances(plane[None, :, :, None])[0, :, :, 0] * max(plane.shape)


def test_distances_by_hand() -> None:
    assert distances([[1, 1, 0, 0]]).tolist() == [[1.5, 0.5, 0.5, 1.5]]
    assert distances([[1, 0.6, 0.4, 0]]).tolist() == [[1.5, 0.5, 0.5, 1.5]]
    expected = [[0.5, 0.5, 1.5], [0.5, np.sqrt(2) - 0.5, np.sqrt(5) - 0.5]]
    assert distances([[1, 0, 0], [0, 0, 0]]) == pytest.approx(np.array(expected), abs=1e-6)


def test_ignored_pixels_are_of_neither_kind() -> None:
    assert distances([[1, 1, -1, 0]]).tolist() == [[2.5, 1.5, 0, 1.5]]


@pytest.mark.parametrize("filling", [0, 1, -1])
def test_without_two_kinds_there_is_no_boundary(filling: float) -> None:
    assert not distances([[filling] * 4, [filling, -1, -1, filling]]).any()


def test_distances_are_exact_in_every_image_and_class() -> None:
    random = np.random.default_rng(0)
    planes = (random.random((2, 17, 11, 3)) > 0.8).astype(np.float32)
    planes[random.random(planes.shape[:3]) > 0.9] = -1
    found = boundary_distances(planes)
    places = np.stack(np.meshgrid(np.arange(17), np.arange(11), indexing="ij"), -1)
    for image, row, column, kind in np.ndindex(planes.shape):
        plane = planes[image, :, :, kind]
        here = plane[row, column]
        expected = 0.0
        if here >= 0:
            other = places[plane == 1 - here]
            expected = (np.sqrt(((other - [row, column]) ** 2).sum(-1)).min() - 0.5) / 17
        assert found[image, row, column, kind] == pytest.approx(expected, abs=1e-6)


def loss_and_gradient(target: np.ndarray, logits: np.ndarray, **build: object) -> tuple[float, np.ndarray]:
    variable = tf.Variable(tf.constant(logits, tf.float32))
    with tf.GradientTape() as tape:
        loss = build_loss(parse_loss("boundary_loss"), "sigmoid", **build)(
            tf.constant(target), Outputs(variable), tf.constant(0.0)
        )
    return float(loss), tape.gradient(loss, variable).numpy()


def test_by_hand() -> None:
    target = np.array([1, 1, 0, 0], np.float32).reshape(1, 1, 4, 1)
    logits = np.array([0.3, 2.0, -1.2, 0.1]).reshape(1, 1, 4, 1)
    p = 1 / (1 + np.exp(-logits.ravel()))
    expected = np.mean(np.array([1.5, 0.5, 0.5, 1.5]) / 4 * [1 - p[0], 1 - p[1], p[2], p[3]])
    loss, gradient = loss_and_gradient(target, logits)
    assert loss == pytest.approx(expected, rel=1e-5)
    # The gradient of the paper's loss: the mean of the signed distance times the probability.
    signed = np.array([-1.5, -0.5, 0.5, 1.5]) / 4
    assert gradient.ravel() == pytest.approx(signed * p * (1 - p) / 4, rel=1e-5)


def test_far_from_the_boundary_costs_more() -> None:
    target = np.zeros((1, 8, 8, 1), np.float32)
    target[0, :2, :2] = 1
    perfect = np.where(target == 1, 30.0, -30.0)
    near, far = perfect.copy(), perfect.copy()
    near[0, 2, 2], far[0, 7, 7] = 30, 30
    assert loss_and_gradient(target, perfect)[0] < 1e-6 < loss_and_gradient(target, near)[0]
    assert loss_and_gradient(target, far)[0] > 5 * loss_and_gradient(target, near)[0]


def test_classes_are_weighed() -> None:
    random = np.random.default_rng(0)
    target = (random.random((2, 4, 4, 2)) > 0.5).astype(np.float32)
    logits = random.normal(size=target.shape)
    single = [loss_and_gradient(target[..., [k]], logits[..., [k]])[0] for k in range(2)]
    assert loss_and_gradient(target, logits)[0] == pytest.approx(np.mean(single), rel=1e-5)
    weighted = loss_and_gradient(target, logits, class_weights=[1, 3])[0]
    assert weighted == pytest.approx((single[0] + 3 * single[1]) / 4, rel=1e-5)
