import numpy as np
import pytest

from toolkit.config.training.losses import parse_loss
from toolkit.learning.losses.registry import build_loss
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.tf

LOGITS = np.array([0.3, -1.2, 2.0, 0.1]).reshape(1, 2, 2, 1)
TARGET = np.array([1, 0, 1, 0]).reshape(1, 2, 2, 1)
P = 1 / (1 + np.exp(-LOGITS.ravel()))
RIGHT = np.where(TARGET.ravel() == 1, P, 1 - P)
"""The probability that each pixel gives to the truth."""

THREE_LOGITS = np.random.default_rng(3).normal(0, 2, (1, 2, 2, 3))
LABELS = np.array([0, 2, 1, 2])
THREE = np.eye(3)[LABELS].reshape(1, 2, 2, 3)
SOFTMAX = np.exp(THREE_LOGITS) / np.exp(THREE_LOGITS).sum(-1, keepdims=True)
RIGHT_OF_THREE = SOFTMAX.reshape(4, 3)[range(4), LABELS]
WEIGHTS = np.array([1.0, 2.0, 4.0])


def value(text: str, target: np.ndarray, logits: np.ndarray, activation: str = "sigmoid", **build: object) -> float:
    loss = build_loss(parse_loss(text), activation, **build)
    return float(loss(tf.constant(target, tf.float32), Outputs(tf.constant(logits, tf.float32)), tf.constant(0.0)))


def sigmoid(text: str, **build: object) -> float:
    return value(text, TARGET, LOGITS, **build)


def softmax(text: str, **build: object) -> float:
    return value(text, THREE, THREE_LOGITS, "softmax", **build)


def test_binary_crossentropy_by_hand() -> None:
    assert sigmoid("binary_crossentropy") == pytest.approx(-np.log(RIGHT).mean(), rel=1e-5)
    smooth = -(0.95 * np.log(RIGHT) + 0.05 * np.log(1 - RIGHT)).mean()
    assert sigmoid("binary_crossentropy(label_smoothing=0.1)") == pytest.approx(smooth, rel=1e-5)


def test_binary_crossentropy_of_weighted_classes_by_hand() -> None:
    right = 1 / (1 + np.exp(np.where(THREE == 1, -THREE_LOGITS, THREE_LOGITS)))
    expected = -(np.log(right) * WEIGHTS).sum() / (4 * WEIGHTS.sum())
    weighted = value("binary_crossentropy", THREE, THREE_LOGITS, class_weights=WEIGHTS)
    assert weighted == pytest.approx(expected, rel=1e-5)


def test_categorical_crossentropy_by_hand() -> None:
    assert softmax("categorical_crossentropy") == pytest.approx(-np.log(RIGHT_OF_THREE).mean(), rel=1e-5)
    smooth = -(0.9 * np.log(RIGHT_OF_THREE) + 0.1 * np.log(SOFTMAX).reshape(4, 3).mean(-1)).mean()
    assert softmax("categorical_crossentropy(label_smoothing=0.1)") == pytest.approx(smooth, rel=1e-5)


@pytest.mark.parametrize("scale", [1, 10])
def test_categorical_losses_of_weighted_classes_by_hand(scale: float) -> None:
    weights = WEIGHTS[LABELS]
    expected = -(weights * np.log(RIGHT_OF_THREE)).sum() / weights.sum()
    assert softmax("categorical_crossentropy", class_weights=scale * WEIGHTS) == pytest.approx(expected, rel=1e-5)
    expected = -(weights * (1 - RIGHT_OF_THREE) ** 2 * np.log(RIGHT_OF_THREE)).sum() / weights.sum()
    assert softmax("focal_loss", class_weights=scale * WEIGHTS) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("gamma", [0, 0.5, 2, 5])
def test_focal_loss_by_hand(gamma: float) -> None:
    expected = -((1 - RIGHT) ** gamma * np.log(RIGHT))
    assert sigmoid(f"focal_loss(gamma={gamma})") == pytest.approx(expected.mean(), rel=1e-5)
    balance = np.where(TARGET.ravel() == 1, 0.25, 0.75)
    assert sigmoid(f"focal_loss(gamma={gamma}, alpha=0.25)") == pytest.approx((balance * expected).mean(), rel=1e-5)
    expected = -((1 - RIGHT_OF_THREE) ** gamma * np.log(RIGHT_OF_THREE))
    assert softmax(f"focal_loss(gamma={gamma})") == pytest.approx(expected.mean(), rel=1e-5)


def test_without_gamma_the_focal_loss_is_the_crossentropy() -> None:
    assert sigmoid("focal_loss(gamma=0)") == pytest.approx(sigmoid("binary_crossentropy"), rel=1e-6)
    assert softmax("focal_loss(gamma=0)") == pytest.approx(softmax("categorical_crossentropy"), rel=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mixed_targets_mix_the_losses(share: float) -> None:
    for text in ("focal_loss", "focal_loss(alpha=0.25)", "binary_crossentropy"):
        mixed = value(text, np.full_like(LOGITS, share), LOGITS)
        parts = value(text, np.ones_like(LOGITS), LOGITS), value(text, np.zeros_like(LOGITS), LOGITS)
        assert mixed == pytest.approx(share * parts[0] + (1 - share) * parts[1], rel=1e-5)


def test_squared_and_absolute_error_by_hand() -> None:
    assert sigmoid("mse_loss") == pytest.approx(((1 - RIGHT) ** 2).mean(), rel=1e-5)
    assert sigmoid("mae_loss") == pytest.approx((1 - RIGHT).mean(), rel=1e-5)
    assert softmax("mse_loss") == pytest.approx(((SOFTMAX - THREE) ** 2).mean(), rel=1e-5)
    expected = (np.abs(SOFTMAX - THREE) * WEIGHTS).sum() / (4 * WEIGHTS.sum())
    assert softmax("mae_loss", class_weights=WEIGHTS) == pytest.approx(expected, rel=1e-5)


def presence(text: str, target: np.ndarray, head: list[list[float]], **build: object) -> float:
    loss = build_loss(parse_loss(text), "sigmoid", **build)
    outputs = Outputs(tf.zeros(target.shape), (), tf.constant(head))
    return float(loss(tf.constant(target, tf.float32), outputs, tf.constant(0.0)))


def test_presence_by_hand() -> None:
    target = np.zeros((2, 2, 2, 2))
    target[0, 0, 1, 1] = 1  # the first image has the second class, the second image nothing
    head = [[0.5, 1.5], [-2.0, 0.25]]
    wrong = np.array([[0.5, -1.5], [-2.0, 0.25]])  # logits, with their sign turned where the class occurs
    expected = np.log1p(np.exp(wrong))
    assert presence("presence_crossentropy", target, head) == pytest.approx(expected.mean(), rel=1e-5)
    weighted = (expected * [1, 3]).sum() / 8
    assert presence("presence_crossentropy", target, head, class_weights=[1, 3]) == pytest.approx(weighted, rel=1e-5)
    smooth = (0.95 * expected + 0.05 * np.log1p(np.exp(-wrong))).mean()
    smoothed = presence("presence_crossentropy(label_smoothing=0.1)", target, head)
    assert smoothed == pytest.approx(smooth, rel=1e-5)


def test_presence_is_that_of_pixels_that_are_not_ignored() -> None:
    target = np.zeros((2, 2, 2, 1))
    target[0, 0] = 255  # half ignored, the rest empty
    target[1] = 255
    expected = np.log1p(np.exp(0.7))
    for elsewhere in (5.0, -5.0, np.nan):
        assert presence("presence_crossentropy", target, [[0.7], [elsewhere]]) == pytest.approx(expected, rel=1e-5)
