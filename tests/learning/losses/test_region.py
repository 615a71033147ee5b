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
BOTH, MISSED, INVENTED = P[0] + P[2], 2 - P[0] - P[2], P[1] + P[3]

OVERLAPS = ("dice_loss", "jaccard_loss", "tversky_loss", "focal_tversky_loss")


def value(text: str, target: np.ndarray, logits: np.ndarray, activation: str = "sigmoid", **build: object) -> float:
    loss = build_loss(parse_loss(text), activation, **build)
    return float(loss(tf.constant(target, tf.float32), Outputs(tf.constant(logits, tf.float32)), tf.constant(0.0)))


def with_argument(name: str, argument: str) -> str:
    return f"{name}({argument})"


@pytest.mark.parametrize("per", ["batch", "image"])
@pytest.mark.parametrize("smooth", [0.5, 1, 10])
def test_overlaps_by_hand(per: str, smooth: float) -> None:
    def found(name: str, more: str = "") -> float:
        return value(f"{name}(per={per}, smooth={smooth}{more})", TARGET, LOGITS)

    wrong = INVENTED + MISSED
    assert found("dice_loss") == pytest.approx(1 - (2 * BOTH + smooth) / (2 * BOTH + wrong + smooth), rel=1e-5)
    assert found("jaccard_loss") == pytest.approx(1 - (BOTH + smooth) / (BOTH + wrong + smooth), rel=1e-5)
    tversky = 1 - (BOTH + smooth) / (BOTH + 0.3 * INVENTED + 0.7 * MISSED + smooth)
    assert found("tversky_loss") == pytest.approx(tversky, rel=1e-5)
    assert found("focal_tversky_loss") == pytest.approx(tversky**0.75, rel=1e-5)
    tversky = 1 - (BOTH + smooth) / (BOTH + 2 * INVENTED + 0.1 * MISSED + smooth)
    assert found("tversky_loss", ", alpha=2, beta=0.1") == pytest.approx(tversky, rel=1e-5)
    assert found("focal_tversky_loss", ", alpha=2, beta=0.1, gamma=2") == pytest.approx(tversky**0.5, rel=1e-5)


def test_tversky_has_dice_and_jaccard_as_cases() -> None:
    dice, jaccard = value("dice_loss", TARGET, LOGITS), value("jaccard_loss", TARGET, LOGITS)
    assert value("tversky_loss(alpha=0.5, beta=0.5, smooth=0.5)", TARGET, LOGITS) == pytest.approx(dice, rel=1e-5)
    assert value("tversky_loss(alpha=1, beta=1)", TARGET, LOGITS) == pytest.approx(jaccard, rel=1e-5)
    assert value("focal_tversky_loss(alpha=1, beta=1, gamma=1)", TARGET, LOGITS) == pytest.approx(jaccard, rel=1e-5)


@pytest.fixture(scope="module")
def several() -> tuple[np.ndarray, np.ndarray]:
    """Targets and logits of three images and three classes, the last of them in the first image only."""
    random = np.random.default_rng(0)
    target = np.eye(3)[random.integers(0, 2, (3, 4, 4))]
    target[0, :2] = [0, 0, 1]
    return target, random.normal(0, 2, (3, 4, 4, 3))


@pytest.mark.parametrize("name", OVERLAPS)
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_the_mean_is_over_classes_and_images(name: str, activation: str, several: tuple) -> None:
    target, logits = several
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True) if activation == "softmax" else 1 / (1 + np.exp(-logits))
    log_odds = np.log(p / (1 - p))
    single = np.array(
        [[value(name, target[i : i + 1, ..., [k]], log_odds[i : i + 1, ..., [k]]) for k in range(3)] for i in range(3)]
    )
    per_image = with_argument(name, "per=image")
    assert value(per_image, target, logits, activation) == pytest.approx(single.mean(), rel=1e-4)
    weights = np.array([1, 2, 5])
    expected = (single * weights).sum() / (3 * weights.sum())
    assert value(per_image, target, logits, activation, class_weights=weights) == pytest.approx(expected, rel=1e-4)
    positives = with_argument(name, "per=image, positives_only=true")
    expected = (single[:, :2].sum() + single[0, 2]) / 7
    assert value(positives, target, logits, activation) == pytest.approx(expected, rel=1e-4)
    pooled = [value(name, target[..., [k]], log_odds[..., [k]]) for k in range(3)]
    assert value(name, target, logits, activation) == pytest.approx(np.mean(pooled), rel=1e-4)


@pytest.mark.parametrize("name", OVERLAPS)
def test_a_class_that_the_batch_lacks_may_be_left_out(name: str, several: tuple) -> None:
    target, logits = several
    positives = with_argument(name, "positives_only=true")
    expected = value(name, target[1:, ..., :2], logits[1:, ..., :2])
    assert value(positives, target[1:], logits[1:]) == pytest.approx(expected, rel=1e-5)
    assert value(positives, np.zeros_like(target), logits) == 0


@pytest.mark.parametrize("name", OVERLAPS)
def test_the_batch_is_one_large_image(name: str, several: tuple) -> None:
    target, logits = several
    merged = value(with_argument(name, "per=image"), target.reshape(1, 12, 4, 3), logits.reshape(1, 12, 4, 3))
    assert value(name, target, logits) == pytest.approx(merged, rel=1e-5)
