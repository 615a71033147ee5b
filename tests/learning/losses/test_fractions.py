"""Which losses can take probabilities as the truth, and what the weights of pixels do."""

import numpy as np
import pytest

from toolkit.config.training.losses import KERAS_LOSSES, LOSSES, parse_loss
from toolkit.core.masks.labels import Activation
from toolkit.learning.losses.registry import build_loss
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.tf

EVERY = [
    (name, activation)
    for name, kind in (LOSSES | KERAS_LOSSES).items()
    for activation in kind.formulas
    if name != "presence_crossentropy"
]
NOTHING = tf.constant(0.0)


def logits_of(probabilities: np.ndarray, activation: Activation) -> np.ndarray:
    return np.log(probabilities / (1 - probabilities)) if activation == "sigmoid" else np.log(probabilities)


@pytest.mark.parametrize(("name", "activation"), EVERY)
def test_a_loss_takes_fractions_if_nothing_is_better_than_the_truth(name: str, activation: Activation) -> None:
    loss = build_loss(parse_loss(name), activation)
    random = np.random.default_rng(0)
    # Clearly on one side of a half or the other, so that there is a boundary; never at 0 or 1.
    truth = np.where(random.random((2, 8, 8, 3)) < 0.5, random.uniform(0.1, 0.35, (2, 8, 8, 3)), 0.7).astype(np.float32)
    if activation == "softmax":
        truth /= truth.sum(axis=-1, keepdims=True)
    logits = logits_of(truth, activation)
    at_truth = float(loss(truth, Outputs(tf.constant(logits, tf.float32)), NOTHING))
    factors = [0.5, 0.8, 0.9, 1.1, 1.25, 2.0]
    others = [logits * factor for factor in factors] + [logits + step for step in (-0.5, 0.5)]
    others += [logits + random.normal(0, 0.3, logits.shape) for _ in range(4)]
    best = min(float(loss(truth, Outputs(tf.constant(other, tf.float32)), NOTHING)) for other in others)
    assert (best >= at_truth - 1e-6) == (activation in (LOSSES | KERAS_LOSSES)[name].takes_fractions)


def with_per() -> list[tuple[str, Activation]]:
    """Every loss, and those that have a value of each image or of the batch in both ways."""
    found = []
    for name, activation in EVERY:
        has_per = name in LOSSES and "per" in LOSSES[name].arguments.model_fields
        found += [(f"{name}{per}", activation) for per in (["(per=image)", "(per=batch)"] if has_per else [""])]
    return found


@pytest.mark.parametrize(("text", "activation"), with_per())
def test_a_weight_of_one_changes_nothing_and_a_small_one_leaves_out(text: str, activation: Activation) -> None:
    loss = build_loss(parse_loss(text), activation)
    random = np.random.default_rng(1)
    target = np.eye(3, dtype=np.float32)[random.integers(0, 3, (2, 6, 6))]
    logits = random.normal(size=target.shape).astype(np.float32)

    def value(weights: tuple[float, float]) -> float:
        plane = np.array(weights, np.float32).reshape(2, 1, 1, 1) * np.ones((2, 6, 6, 1), np.float32)
        weighted = np.concatenate([target, plane], axis=-1)
        return float(loss(weighted, Outputs(tf.constant(logits)), NOTHING))

    def alone(number: int) -> float:
        one = slice(number, number + 1)
        return float(loss(target[one], Outputs(tf.constant(logits[one])), NOTHING))

    assert value((1, 1)) == pytest.approx(float(loss(target, Outputs(tf.constant(logits)), NOTHING)), rel=1e-5)
    assert value((1, 1e-6)) == pytest.approx(alone(0), rel=1e-3)
    assert value((1e-6, 1)) == pytest.approx(alone(1), rel=1e-3)


@pytest.mark.parametrize(("text", "activation"), with_per())
def test_equal_weights_change_nothing_but_the_effect_of_smooth(text: str, activation: Activation) -> None:
    name, per, _ = text.partition("(per=batch)")
    is_smooth = name in LOSSES and "smooth" in LOSSES[name].arguments.model_fields and bool(per)
    target = np.eye(3, dtype=np.float32)[np.random.default_rng(1).integers(0, 3, (2, 6, 6))]
    logits = np.random.default_rng(2).normal(size=target.shape).astype(np.float32)

    def value(text: str, weight: float) -> float:
        weighted = np.concatenate([target, np.full((2, 6, 6, 1), weight, np.float32)], axis=-1)
        return float(build_loss(parse_loss(text), activation)(weighted, Outputs(tf.constant(logits)), NOTHING))

    half = value(text, 0.5)
    assert half == pytest.approx(value(f"{name}(per=batch, smooth=2)" if is_smooth else text, 1), rel=1e-5)
    assert (half == pytest.approx(value(text, 1), rel=1e-5)) != is_smooth


@pytest.mark.parametrize("per", ["image", "batch"])
@pytest.mark.parametrize("name", [name for name in LOSSES if "positives_only" in LOSSES[name].arguments.model_fields])
def test_a_class_that_is_nowhere_likely_does_not_occur(name: str, per: str) -> None:
    loss = build_loss(parse_loss(f"{name}(positives_only=true, per={per})"), "sigmoid")
    logits = np.random.default_rng(0).normal(size=(2, 6, 6, 2)).astype(np.float32)

    def value(classes: int, other: float) -> float:
        target = np.full((2, 6, 6, classes), other, np.float32)
        target[:, 2:4, ..., 0] = 0.9
        return float(loss(target, Outputs(tf.constant(logits[..., :classes])), NOTHING))

    assert value(2, 0.004) == pytest.approx(value(1, 0.004), rel=1e-5)
    assert value(2, 0.6) != pytest.approx(value(1, 0.6), rel=1e-3)
