import itertools

import numpy as np
import pytest

from toolkit.config.training.losses import parse_loss
from toolkit.learning.losses.registry import build_loss
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.tf

MASKS = list(itertools.product([0, 1], repeat=4))


def value(text: str, target: np.ndarray, logits: np.ndarray, activation: str = "sigmoid", **build: object) -> float:
    loss = build_loss(parse_loss(text), activation, **build)
    return float(loss(tf.constant(target, tf.float32), Outputs(tf.constant(logits, tf.float32)), tf.constant(0.0)))


def jaccard_of_wrong(target: np.ndarray, wrong: frozenset[int]) -> float:
    """The Jaccard loss of a prediction that is wrong in exactly these pixels."""
    truth = set(np.flatnonzero(target))
    union = truth | wrong
    return len(wrong) / len(union) if union else 0.0


def extension(target: np.ndarray, errors: np.ndarray) -> float:
    """The Lovász extension by its definition: an integral over levels of the set function of what exceeds the level."""
    levels = [0.0, *sorted(set(errors[errors > 0].tolist()))]
    return sum(
        (upper - lower) * jaccard_of_wrong(target, frozenset(np.flatnonzero(errors > lower).tolist()))
        for lower, upper in itertools.pairwise(levels)
    )


def hinge(target: np.ndarray, logits: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - logits * (2 * target - 1))


def square(values: object) -> np.ndarray:
    return np.reshape(np.array(values, float), (1, 2, 2, 1))


@pytest.mark.parametrize("mask", MASKS)
def test_the_hinge_equals_its_set_function_definition(mask: tuple[int, ...]) -> None:
    target = np.array(mask)
    equal_errors = np.array([0.5, 0.5, -0.5, 0.5])
    for logits in (*np.random.default_rng(0).normal(0, 2, (2, 4)), equal_errors):
        errors = hinge(target, logits)
        expected = extension(target, errors)
        assert value("lovasz_loss", square(mask), square(logits)) == pytest.approx(expected, abs=1e-5)
        expected = (expected + extension(1 - target, errors)) / 2
        found = value("lovasz_loss(symmetric=true)", square(mask), square(logits))
        assert found == pytest.approx(expected, abs=1e-5)
        # elu + 1 of all errors is above 0, and grows with them.
        raw = 1 - logits * (2 * target - 1)
        expected = extension(target, np.where(raw > 0, raw + 1, np.exp(np.minimum(raw, 0))))
        found = value("lovasz_loss(activation='elu+1')", square(mask), square(logits))
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("labels", list(itertools.product(range(3), repeat=4))[::4])
def test_softmax_equals_its_set_function_definition(labels: tuple[int, ...]) -> None:
    target = np.eye(3)[list(labels)]
    logits = np.random.default_rng(sum(labels)).normal(0, 2, (4, 3))
    errors = np.abs(target - np.exp(logits) / np.exp(logits).sum(-1, keepdims=True))
    classes = np.array([extension(target[:, k], errors[:, k]) for k in range(3)])
    others = np.array([extension(1 - target[:, k], errors[:, k]) for k in range(3)])
    occurs = target.any(axis=0)

    def found(text: str, **build: object) -> float:
        return value(text, target.reshape(1, 2, 2, 3), logits.reshape(1, 2, 2, 3), "softmax", **build)

    assert found("lovasz_loss") == pytest.approx(classes[occurs].mean(), abs=1e-5)
    assert found("lovasz_loss(positives_only=false)") == pytest.approx(classes.mean(), abs=1e-5)
    symmetric = (classes + others)[occurs].mean() / 2
    assert found("lovasz_loss(symmetric=true)") == pytest.approx(symmetric, abs=1e-5)
    weights = np.array([1, 2, 4])
    expected = (classes * weights)[occurs].sum() / weights[occurs].sum()
    assert found("lovasz_loss", class_weights=weights) == pytest.approx(expected, abs=1e-5)


def test_the_hinge_by_hand() -> None:
    # Errors 0.7, 0, 0, 1.1; the largest one, of a pixel of background, makes 1/3 of the union of three pixels wrong,
    # the next one 2/3.
    expected = 1.1 / 3 + 0.7 / 3
    assert value("lovasz_loss", square([1, 0, 1, 0]), square([0.3, -1.2, 2.0, 0.1])) == pytest.approx(
        expected, rel=1e-5
    )


@pytest.fixture(scope="module")
def several() -> tuple[np.ndarray, np.ndarray]:
    """Targets and logits of three images and two classes; the second image is empty, the third lacks a class."""
    random = np.random.default_rng(1)
    target = (random.random((3, 4, 4, 2)) > 0.6).astype(float)
    target[1], target[2, ..., 0] = 0, 0
    return target, random.normal(0, 2, (3, 4, 4, 2))


def test_the_mean_is_over_images_and_classes(several: tuple) -> None:
    target, logits = several
    single = np.array(
        [
            [
                extension(target[i, ..., k].ravel(), hinge(target[i, ..., k].ravel(), logits[i, ..., k].ravel()))
                for k in range(2)
            ]
            for i in range(3)
        ]
    )
    assert value("lovasz_loss", target, logits) == pytest.approx(single.mean(), rel=1e-5)
    expected = (single[0].sum() + single[2, 1]) / 3
    assert value("lovasz_loss(positives_only=true)", target, logits) == pytest.approx(expected, rel=1e-5)
    weighted = value("lovasz_loss(positives_only=true)", target, logits, class_weights=[1, 4])
    assert weighted == pytest.approx((single[0, 0] + 4 * single[0, 1] + 4 * single[2, 1]) / 9, rel=1e-5)
    assert value("lovasz_loss(positives_only=true)", target[1:2], logits[1:2]) == 0


def test_the_batch_is_one_large_image(several: tuple) -> None:
    target, logits = several
    merged = value("lovasz_loss", target.reshape(1, 12, 4, 2), logits.reshape(1, 12, 4, 2))
    assert value("lovasz_loss(per=batch)", target, logits) == pytest.approx(merged, rel=1e-5)
    assert value("lovasz_loss", target, logits) != pytest.approx(merged, rel=1e-2)


def test_symmetric_means_that_the_other_side_counts_too(several: tuple) -> None:
    target, logits = several
    both = value("lovasz_loss(symmetric=true)", target, logits)
    assert both == pytest.approx(value("lovasz_loss(symmetric=true)", 1 - target, -logits), rel=1e-5)
    sides = value("lovasz_loss", target, logits), value("lovasz_loss", 1 - target, -logits)
    assert both == pytest.approx(np.mean(sides), rel=1e-5)


def test_elu_plus_one_still_teaches_where_the_margin_is_kept() -> None:
    target, logits = square([1, 0, 1, 0]), tf.Variable(tf.constant(square([2, -2, 2, -2]), tf.float32))
    for text, teaches in (("lovasz_loss", False), ("lovasz_loss(activation='elu+1')", True)):
        with tf.GradientTape() as tape:
            loss = build_loss(parse_loss(text), "sigmoid")(target, Outputs(logits), tf.constant(0.0))
        assert np.any(tape.gradient(loss, logits).numpy() != 0) == teaches
