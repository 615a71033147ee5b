import itertools

import numpy as np
import pytest

from toolkit.config.losses import LOSS_NAMES
from toolkit.learning.losses import LOSSES, build_loss
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.train

LOGITS = [[0.3, -1.2, 2.0, 0.1]]
TARGET = [[1.0, 0.0, 1.0, 0.0]]


def four_pixels(values: list[list[float]]) -> tf.Tensor:
    return tf.reshape(tf.constant(values, tf.float32), [len(values), 2, 2, 1])


def value(text: str, target: list[list[float]], logits: list[list[float]]) -> float:
    return float(build_loss(text)(four_pixels(target), four_pixels(logits)))


def test_the_registry_holds_what_the_configuration_names() -> None:
    assert tuple(LOSSES) == LOSS_NAMES


def test_binary_crossentropy_by_hand() -> None:
    probability = 1 / (1 + np.exp(-np.array(LOGITS[0])))
    expected = -np.mean(
        [np.log(probability[0]), np.log(1 - probability[1]), np.log(probability[2]), np.log(1 - probability[3])]
    )
    assert value("binary_crossentropy", TARGET, LOGITS) == pytest.approx(expected, rel=1e-5)


def test_dice_and_jaccard_by_hand() -> None:
    probability = 1 / (1 + np.exp(-np.array(LOGITS[0])))
    intersection, total = probability[0] + probability[2], probability.sum() + 2
    assert value("dice_loss", TARGET, LOGITS) == pytest.approx(1 - (2 * intersection + 1) / (total + 1), rel=1e-5)
    expected = 1 - (intersection + 1) / (total - intersection + 1)
    assert value("jaccard_loss", TARGET, LOGITS) == pytest.approx(expected, rel=1e-5)


def lovasz_by_definition(target: np.ndarray, logits: np.ndarray) -> float:
    """The Lovász extension of the Jaccard set function, from the function's values on sets of wrong pixels."""

    def jaccard_of_wrong(wrong: frozenset[int]) -> float:
        truth = {i for i in range(len(target)) if target[i] == 1}
        union = truth | wrong
        return len(wrong) / len(union) if union else 0.0

    errors = np.maximum(0, 1 - logits * (2 * target - 1))
    order = np.argsort(-errors, kind="stable")
    total, wrong = 0.0, frozenset()
    for pixel in order:
        larger = wrong | {int(pixel)}
        total += errors[pixel] * (jaccard_of_wrong(larger) - jaccard_of_wrong(wrong))
        wrong = larger
    return total


@pytest.mark.parametrize("target", list(itertools.product([0.0, 1.0], repeat=4)))
def test_lovasz_equals_its_set_function_definition(target: tuple[float, ...]) -> None:
    random = np.random.default_rng(int("".join(str(int(t)) for t in target), 2))
    logits = random.normal(0, 2, 4)
    expected = lovasz_by_definition(np.array(target), logits)
    assert value("lovasz_loss", [list(target)], [logits.tolist()]) == pytest.approx(expected, abs=1e-5)


def test_lovasz_is_the_mean_over_images() -> None:
    images = [(TARGET[0], LOGITS[0]), ([0.0] * 4, [1.0, -3.0, 0.5, -0.5])]
    single = [value("lovasz_loss", [target], [logits]) for target, logits in images]
    both = value("lovasz_loss", [target for target, _ in images], [logits for _, logits in images])
    assert both == pytest.approx(np.mean(single), rel=1e-5)


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("filling", [0.0, 1.0])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_value_and_gradient_are_finite_on_empty_and_full_masks(name: str, filling: float, scale: float) -> None:
    logits = tf.Variable(scale * np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype(np.float32))
    with tf.GradientTape() as tape:
        loss = build_loss(name)(tf.fill([2, 8, 8, 1], filling), logits)
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, logits)).all()


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_the_order_of_pixels_does_not_matter(name: str) -> None:
    random = np.random.default_rng(1)
    logits, target = random.normal(size=16), (random.random(16) > 0.5).astype(float)
    shuffled = random.permutation(16)
    straight = value(name, target.reshape(4, 4).tolist(), logits.reshape(4, 4).tolist())
    if name in ("dice_loss", "jaccard_loss", "binary_crossentropy"):
        mixed = value(name, target[shuffled].reshape(4, 4).tolist(), logits[shuffled].reshape(4, 4).tolist())
    else:  # per image: shuffle inside each image
        inside = np.concatenate([4 * i + random.permutation(4) for i in range(4)])
        mixed = value(name, target[inside].reshape(4, 4).tolist(), logits[inside].reshape(4, 4).tolist())
    assert mixed == pytest.approx(straight, rel=1e-5)


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_the_right_answer_costs_least_and_its_gradient_points_there(name: str) -> None:
    right = [[8.0 if t else -8.0 for t in TARGET[0]]]
    wrong = [[-logit for logit in right[0]]]
    assert value(name, TARGET, right) < 0.01 < value(name, TARGET, wrong)
    logits = tf.Variable(four_pixels([[0.0, 0.0, 0.0, 0.0]]))
    with tf.GradientTape() as tape:
        loss = build_loss(name)(four_pixels(TARGET), logits)
    gradient = np.ravel(tape.gradient(loss, logits))
    assert (np.sign(gradient)[np.array(TARGET[0]) == 1] <= 0).all()
    assert gradient[0] < 0


def test_sums_are_weighted_and_each_term_gets_what_it_wants() -> None:
    parts = {name: value(name, TARGET, LOGITS) for name in LOSS_NAMES}
    mixed = value("binary_crossentropy + 0.5*lovasz_loss + 2 * dice_loss", TARGET, LOGITS)
    expected = parts["binary_crossentropy"] + 0.5 * parts["lovasz_loss"] + 2 * parts["dice_loss"]
    assert mixed == pytest.approx(expected, rel=1e-5)
