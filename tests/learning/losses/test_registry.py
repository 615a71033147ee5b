"""Covers toolkit/learning/losses/registry.py."""

import inspect
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from toolkit.config.training.architectures import DeepSupervision
from toolkit.config.training.losses import LOSSES, check_loss, parse_loss
from toolkit.errors import ConfigError
from toolkit.learning.losses.registry import build_loss, loss_of
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.tf

VARIANTS = {
    "sigmoid": (
        "binary_crossentropy",
        "binary_crossentropy(label_smoothing=0.1)",
        "focal_loss",
        "focal_loss(alpha=0.25, gamma=0.5)",
        "dice_loss",
        "dice_loss(per=image, positives_only=true)",
        "jaccard_loss",
        "tversky_loss",
        "focal_tversky_loss",
        "focal_tversky_loss(gamma=3, per=image)",
        "lovasz_loss",
        "lovasz_loss(symmetric=true)",
        "lovasz_loss(activation='elu+1', per=batch)",
        "lovasz_loss(activation='elu+1', symmetric=true, positives_only=true)",
        "boundary_loss",
        "mse_loss",
        "mae_loss",
        "presence_crossentropy",
    ),
    "softmax": (
        "categorical_crossentropy",
        "categorical_crossentropy(label_smoothing=0.1)",
        "focal_loss",
        "focal_loss(gamma=0.5)",
        "dice_loss",
        "jaccard_loss(per=image, positives_only=true)",
        "tversky_loss",
        "focal_tversky_loss(positives_only=true)",
        "lovasz_loss",
        "lovasz_loss(symmetric=true, positives_only=false, per=batch)",
        "boundary_loss",
        "mse_loss",
        "mae_loss",
        "presence_crossentropy",
    ),
}
NETWORKS = [("sigmoid", 1), ("sigmoid", 3), ("softmax", 3)]
CASES = [(text, activation, classes) for activation, classes in NETWORKS for text in VARIANTS[activation]]
every_loss = pytest.mark.parametrize(("text", "activation", "classes"), CASES)
every_loss_of_one_plane = pytest.mark.parametrize("text", VARIANTS["sigmoid"])
every_loss_but_the_boundary = pytest.mark.parametrize(
    ("text", "activation", "classes"), [case for case in CASES if case[0] != "boundary_loss"]
)
every_loss_that_rewards_the_right_answer = pytest.mark.parametrize(
    ("text", "activation", "classes"), [case for case in CASES if not re.search("smoothing|presence", case[0])]
)

SIGMOID = [name for name, kind in LOSSES.items() if "sigmoid" in kind.formulas]
DONE = tf.constant(0.0)


def batch(activation: str, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Targets and logits of two images of 6 × 8 pixels; classes overlap with sigmoid."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (2, 6, 8, classes)).astype(np.float32)
    if activation == "softmax":
        return np.eye(classes, dtype=np.uint8)[random.integers(0, classes, (2, 6, 8))], logits
    return (random.random(logits.shape) > 0.6).astype(np.uint8), logits


def value_and_gradient(
    text: str, activation: str, target: Any, logits: Any, *, head: float = 0.3, **build: Any
) -> tuple[float, np.ndarray]:
    """The gradient with respect to the logits and to the presence head."""
    outputs = outputs_of(logits, head)
    with tf.GradientTape() as tape:
        tape.watch([outputs.logits, outputs.presence])
        value = computed(text, activation, target, outputs, **build)
    gradients = tape.gradient(value, [outputs.logits, outputs.presence], unconnected_gradients="zero")
    return float(value), np.concatenate([np.ravel(tf.cast(each, tf.float32)) for each in gradients])


def value_of(text: str, activation: str, target: Any, logits: Any, *, head: float = 0.3, **build: Any) -> float:
    return float(computed(text, activation, target, outputs_of(logits, head), **build))


def outputs_of(logits: Any, head: float) -> Outputs:
    """With a presence head that has the same logit for every class."""
    logits = tf.convert_to_tensor(logits)
    return Outputs(logits, (), tf.fill([logits.shape[0], logits.shape[-1]], tf.constant(head, logits.dtype)))


def computed(text: str, activation: str, target: Any, outputs: Outputs, **build: Any) -> Any:
    loss = build_loss(parse_loss(text, build.get("plugins", ())), activation, **build)
    value = loss(tf.constant(target), outputs, DONE)
    assert value.dtype == tf.float32
    assert value.shape.rank == 0
    return value


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_names_functions_that_take_truth_prediction_and_arguments(name: str) -> None:
    for activation in LOSSES[name].formulas:
        loss = loss_of(name, activation)
        _, _, arguments = inspect.signature(loss.compute).parameters.values()
        assert issubclass(LOSSES[name].arguments, arguments.annotation)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_without_a_formula_for_an_activation_is_refused(name: str, activation: Any) -> None:
    terms = parse_loss(f"{name} + mae_loss")
    if activation in LOSSES[name].formulas:
        check_loss(terms, activation, 3)
    else:
        with pytest.raises(ValueError, match=name):
            check_loss(terms, activation, 3)


def test_every_loss_is_among_the_cases() -> None:
    for activation, variants in VARIANTS.items():
        names = {name for name, kind in LOSSES.items() if activation in kind.formulas}
        assert {text.split("(")[0] for text in variants} == names


@every_loss
@pytest.mark.parametrize("filling", ["empty", "full", "ignored", "one pixel"])
def test_value_and_gradient_are_finite(text: str, activation: str, classes: int, filling: str) -> None:
    target = np.zeros((2, 6, 8, classes), np.uint8)
    if activation == "softmax":
        target[..., 0] = 1
    if filling == "full":
        target[..., 0], target[..., -1] = 0, 1
    elif filling == "ignored":
        target[:] = 255
    elif filling == "one pixel":
        target[0, 0, 0] = np.arange(classes) == classes - 1
    signs = np.sign(np.random.default_rng(0).normal(size=target.shape))
    wrong = np.where(target == 1, -50, 50)
    for logits in (0 * signs, 1e4 * signs, wrong):
        value, gradient = value_and_gradient(text, activation, target, tf.constant(logits, tf.float32))
        assert np.isfinite(value)
        assert value >= 0
        assert np.isfinite(gradient).all()
        if filling == "ignored":
            assert value == 0
            assert not gradient.any()


@every_loss
def test_half_precision_is_cast_before_anything_is_computed(text: str, activation: str, classes: int) -> None:
    target, logits = batch(activation, classes)
    half = tf.cast(tf.constant(logits), tf.bfloat16)
    rounded = tf.cast(half, tf.float32)
    assert value_of(text, activation, target, half, head=0.25) == value_of(text, activation, target, rounded, head=0.25)


@every_loss_but_the_boundary
def test_the_order_of_pixels_does_not_matter(text: str, activation: str, classes: int) -> None:
    target, logits = batch(activation, classes)
    random = np.random.default_rng(1)
    mixed = [random.permutation(48) for _ in range(2)]

    def shuffled(planes: np.ndarray) -> np.ndarray:
        flat = planes.reshape(2, 48, classes)
        return np.stack([image[order] for image, order in zip(flat, mixed, strict=True)]).reshape(planes.shape)

    straight = value_of(text, activation, target, logits)
    assert value_of(text, activation, shuffled(target), shuffled(logits)) == pytest.approx(straight, rel=1e-5)


@every_loss
def test_the_order_of_images_does_not_matter(text: str, activation: str, classes: int) -> None:
    target, logits = batch(activation, classes)
    straight = value_of(text, activation, target, logits)
    assert value_of(text, activation, target[::-1], logits[::-1]) == pytest.approx(straight, rel=1e-5)


@every_loss
def test_ignored_pixels_change_neither_value_nor_gradient(text: str, activation: str, classes: int) -> None:
    target, logits = batch(activation, classes)
    ignored = np.random.default_rng(2).random(target.shape[:3]) > 0.6
    target[ignored] = 255
    value, gradient = value_and_gradient(text, activation, target, logits)
    for elsewhere in (-1e4, np.nan):
        changed = logits.copy()
        changed[ignored] = elsewhere
        again, gradient_again = value_and_gradient(text, activation, target.astype(np.float32), changed)
        assert again == value
        assert np.array_equal(gradient, gradient_again)
    masks = gradient[: logits.size].reshape(logits.shape)
    assert not masks[ignored].any()
    assert masks[~ignored].any() or text == "presence_crossentropy"


@every_loss
def test_ignored_pixels_might_as_well_not_be_there(text: str, activation: str, classes: int) -> None:
    # Ignored columns at the side of an image: the remaining pixels stay together.
    target, logits = batch(activation, classes)
    if text == "boundary_loss":  # distances are shares of the longer side, which ignored pixels belong to
        target, logits = target[:, :, :4], logits[:, :, :4]
        side = (2, 6, 2, classes)
    else:
        side = (2, 6, 5, classes)
    wider = np.concatenate([target, np.full(side, 255, np.uint8)], axis=2)
    more = np.concatenate([logits, np.random.default_rng(4).normal(size=side).astype(np.float32)], axis=2)
    for weights in (None, [1.0, 2.0, 4.0][:classes]):
        expected = value_of(text, activation, target, logits, class_weights=weights)
        assert value_of(text, activation, wider, more, class_weights=weights) == pytest.approx(expected, rel=1e-5)


@every_loss
def test_equal_class_weights_change_nothing(text: str, activation: str, classes: int) -> None:
    target, logits = batch(activation, classes)
    expected = value_of(text, activation, target, logits)
    weighted = value_of(text, activation, target, logits, class_weights=[3.0] * classes)
    assert weighted == pytest.approx(expected, rel=1e-5)


@every_loss_of_one_plane
def test_an_independent_class_of_weight_zero_is_left_out(text: str) -> None:
    target, logits = batch("sigmoid", 3)
    expected = value_of(text, "sigmoid", target[..., 1:], logits[..., 1:])
    weighted = value_of(text, "sigmoid", target, logits, class_weights=[0, 1, 1])
    assert weighted == pytest.approx(expected, rel=1e-5)


@every_loss_that_rewards_the_right_answer
def test_the_right_answer_costs_least_and_the_gradient_leads_there(text: str, activation: str, classes: int) -> None:
    target, _ = batch(activation, classes)
    right = np.where(target == 1, 25, -25).astype(np.float32)
    costs = [value_of(text, activation, target, share * right) for share in (1, 0, -1)]
    assert costs[0] < 1e-4 < costs[1] < costs[2]
    _, gradient = value_and_gradient(text, activation, target, 0 * right)
    step = gradient[: right.size].reshape(right.shape) / np.abs(gradient).max()
    assert value_of(text, activation, target, -0.1 * step) < costs[1] < value_of(text, activation, target, 0.1 * step)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_the_right_presence_costs_least(activation: str) -> None:
    target, logits = batch(activation, 3)
    assert target.any(axis=(1, 2)).all()
    text = "presence_crossentropy"
    costs = [value_of(text, activation, target, logits, head=head) for head in (25.0, 0.0, -25.0)]
    assert costs[0] < 1e-4 < costs[1] < costs[2]


@pytest.mark.train  # each takes seconds to compile
@pytest.mark.parametrize(("activation", "classes"), NETWORKS)
def test_graphs_of_unknown_size_give_the_same(activation: str, classes: int) -> None:
    target, logits = batch(activation, classes)
    text = "+".join(VARIANTS[activation])
    unknown = Outputs(tf.TensorSpec([None, None, None, classes]), (), tf.TensorSpec([None, classes]))
    signature = [tf.TensorSpec([None, None, None, classes], tf.uint8), unknown, tf.TensorSpec([])]

    @tf.function(input_signature=signature)
    def traced(target: Any, outputs: Outputs, progress: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch([outputs.logits, outputs.presence])
            value = build_loss(parse_loss(text), activation)(target, outputs, progress)
        return value, tape.gradient(value, [outputs.logits, outputs.presence])

    for count in (2, 1):
        expected, gradient = value_and_gradient(text, activation, target[:count], logits[:count])
        outputs = Outputs(tf.constant(logits[:count]), (), tf.fill([count, classes], 0.3))
        value, gradients = traced(tf.constant(target[:count]), outputs, DONE)
        assert float(value) == pytest.approx(expected, rel=1e-5)
        assert np.concatenate([np.ravel(each) for each in gradients]) == pytest.approx(gradient, rel=1e-4, abs=1e-6)


def test_sums_are_weighted_and_each_term_gets_what_it_wants() -> None:
    target, logits = batch("sigmoid", 1)
    parts = {name: value_of(name, "sigmoid", target, logits) for name in SIGMOID}
    mixed = value_of("binary_crossentropy + 0.5*lovasz_loss + 2 * dice_loss", "sigmoid", target, logits)
    expected = parts["binary_crossentropy"] + 0.5 * parts["lovasz_loss"] + 2 * parts["dice_loss"]
    assert mixed == pytest.approx(expected, rel=1e-5)


@pytest.mark.train  # compiles graphs
@pytest.mark.parametrize(("progress", "shares"), [(0.0, (1, 0)), (0.25, (0.75, 0.5)), (0.5, (0.5, 1)), (1.0, (0, 2))])
def test_weights_change_with_the_progress_of_a_stage(progress: float, shares: tuple[float, float]) -> None:
    target, logits = batch("sigmoid", 1)
    loss = build_loss(parse_loss("1..0*binary_crossentropy + mse_loss + 0..2*lovasz_loss"), "sigmoid")
    parts = [value_of(name, "sigmoid", target, logits) for name in ("binary_crossentropy", "lovasz_loss", "mse_loss")]
    expected = shares[0] * parts[0] + shares[1] * parts[1] + parts[2]
    found = tf.function(loss)(tf.constant(target), Outputs(tf.constant(logits)), tf.constant(progress))
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("count", "shares"), [(1, (2 / 3, 1 / 3)), (2, (4 / 7, 2 / 7, 1 / 7))])
def test_coarse_masks_count_half_of_the_finer_one(count: int, shares: tuple[float, ...]) -> None:
    target, _ = batch("softmax", 3)
    masks = [tf.Variable(batch("softmax", 3, seed)[1]) for seed in range(count + 1)]
    loss = build_loss(parse_loss("categorical_crossentropy + 0.5*lovasz_loss"), "softmax")
    with tf.GradientTape() as tape:
        value = loss(tf.constant(target), Outputs(masks[0], tuple(masks[1:])), DONE)
    single = [float(loss(tf.constant(target), Outputs(mask), DONE)) for mask in masks]
    assert float(value) == pytest.approx(np.dot(shares, single), rel=1e-5)
    assert all(np.any(gradient.numpy() != 0) for gradient in tape.gradient(value, masks))


def of_each_image(target: Any, prediction: Any) -> Any:
    return tf.reduce_mean((prediction - target) ** 2, axis=(1, 2, 3))


@pytest.mark.parametrize(
    ("text", "activation", "classes"), [*CASES, *(("mine", activation, classes) for activation, classes in NETWORKS)]
)
def test_coarse_masks_may_count_in_images_with_foreground_alone(text: str, activation: Any, classes: int) -> None:
    """Two images, the second empty: it has neither value nor gradient in the coarse masks."""
    if text == "presence_crossentropy":
        return
    target, finest = batch(activation, classes)
    target[1] = 0
    if activation == "softmax":
        target[1, ..., 0] = 1
    coarse = [tf.Variable(batch(activation, classes, seed)[1]) for seed in (1, 2)]
    supervision = DeepSupervision(weight=0.1, decay=0.5, images="positives")
    plugins = {"mine": of_each_image}
    loss = build_loss(parse_loss(text, plugins), activation, plugins=plugins, deep_supervision=supervision)
    with tf.GradientTape() as tape:
        value = loss(tf.constant(target), Outputs(tf.constant(finest), tuple(coarse)), DONE)
    own = value_of(text, activation, target, finest, plugins=plugins)
    first, second = (value_of(text, activation, target[:1], mask.numpy()[:1], plugins=plugins) for mask in coarse)
    assert float(value) == pytest.approx((own + 0.1 * first + 0.05 * second) / 1.15, rel=1e-5)
    for gradient in tape.gradient(value, coarse):
        assert np.any(gradient.numpy()[0] != 0)
        assert not np.any(gradient.numpy()[1])


def test_a_batch_without_foreground_leaves_the_network_s_own_mask() -> None:
    target, logits = batch("sigmoid", 1)
    loss = build_loss(
        parse_loss("dice_loss + lovasz_loss"), "sigmoid", deep_supervision=DeepSupervision(images="positives")
    )
    outputs = Outputs(tf.constant(logits), (tf.constant(logits),))
    expected = value_of("dice_loss + lovasz_loss", "sigmoid", 0 * target, logits) * 2 / 3
    assert float(loss(tf.constant(0 * target), outputs, DONE)) == pytest.approx(expected, rel=1e-5)


def test_the_presence_head_is_not_a_coarse_mask() -> None:
    target, logits = batch("sigmoid", 1)
    head = tf.constant([[0.5], [-1.0]])
    outputs = Outputs(tf.constant(logits), (tf.constant(logits),), head)
    loss = build_loss(parse_loss("mse_loss + 0.5*presence_crossentropy"), "sigmoid")
    expected = value_of("mse_loss", "sigmoid", target, logits)
    expected += 0.5 * (np.log1p(np.exp(-0.5)) + np.log1p(np.exp(1.0))) / 2
    assert float(loss(tf.constant(target), outputs, DONE)) == pytest.approx(expected, rel=1e-5)


def test_a_network_without_a_presence_head_is_an_error() -> None:
    target, logits = batch("sigmoid", 1)
    loss = build_loss(parse_loss("mse_loss + presence_crossentropy"), "sigmoid")
    with pytest.raises(ConfigError, match="needs a network with a presence head"):
        loss(tf.constant(target), Outputs(tf.constant(logits)), DONE)


def squared(target: Any, prediction: Any, power: float = 2.0) -> Any:
    return tf.reduce_mean(tf.abs(prediction - target) ** power)


def test_losses_of_plugins_get_probabilities_and_their_arguments() -> None:
    target, logits = batch("softmax", 3)
    plugins = {"mine": squared, "package.mine": squared}
    expected = value_of("mse_loss", "softmax", target, logits)
    assert value_of("mine", "softmax", target, logits, plugins=plugins) == pytest.approx(expected, rel=1e-5)
    assert value_of("2*package.mine(power=2)", "softmax", target, logits, plugins=plugins) == pytest.approx(
        2 * expected, rel=1e-5
    )
    expected = value_of("mae_loss", "softmax", target, logits)
    assert value_of("mine(power=1)", "softmax", target, logits, plugins=plugins) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("axes", [(), (-1,), (1, 2, 3)], ids=["pixels and classes", "pixels", "images"])
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_of_a_map_that_a_loss_of_plugins_returns_the_mean_is_taken(activation: str, axes: tuple[int, ...]) -> None:
    def mine(target: Any, prediction: Any) -> Any:
        return tf.reduce_mean((prediction - target) ** 2, axis=axes)

    target, logits = batch(activation, 3)
    expected = value_of("mse_loss", activation, target, logits)
    assert value_of("mine", activation, target, logits, plugins={"mine": mine}) == pytest.approx(expected, rel=1e-5)
    if axes != (1, 2, 3):
        target[:, :3], logits[:, :3] = 255, np.nan
        expected = value_of("mse_loss", activation, target, logits)
        assert value_of("mine", activation, target, logits, plugins={"mine": mine}) == pytest.approx(expected, rel=1e-5)


class OfLogits:
    wants = "logits"

    def __call__(self, target: Any, prediction: Any) -> Any:
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(target, prediction))


def test_losses_of_plugins_may_want_logits() -> None:
    target, logits = batch("sigmoid", 1)
    expected = value_of("binary_crossentropy", "sigmoid", target, logits)
    found = value_of("mine", "sigmoid", target, logits, plugins={"mine": OfLogits()})
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("mine", [squared, OfLogits()])
def test_losses_of_plugins_get_ignored_pixels_as_right_background(mine: Any) -> None:
    target, logits = batch("sigmoid", 1)
    right = target.copy(), logits.copy()
    right[0][:, :3], right[1][:, :3] = 0, -40
    target[:, :3], logits[:, :3] = 255, np.nan
    expected = value_of("mine", "sigmoid", *right, plugins={"mine": mine})
    value, gradient = value_and_gradient("mine", "sigmoid", target, logits, plugins={"mine": mine})
    assert value == pytest.approx(expected, rel=1e-6)
    masks = gradient[: logits.size].reshape(logits.shape)
    assert not masks[:, :3].any()
    assert masks[:, 3:].all()


def test_losses_of_plugins_that_cannot_be_used_are_an_error() -> None:
    target, logits = batch("sigmoid", 1)
    with pytest.raises(ConfigError, match=r"loss mine: .* must be logits or probabilities, received 'logit'"):
        value_of("mine", "sigmoid", target, logits, plugins={"mine": SimpleNamespace(wants="logit")})
    with pytest.raises(
        ConfigError, match=r"loss mine must return one number, or a map .* returned the shape \(\d+, 1\)"
    ):
        value_of("mine", "sigmoid", target, logits, plugins={"mine": lambda *maps: maps[0][:, 0, 0, :]})


@pytest.mark.train  # compiles graphs
@pytest.mark.parametrize(
    ("text", "activation"),
    [
        ("dice_loss", "sigmoid"),
        ("lovasz_loss", "sigmoid"),
        ("mae_loss", "sigmoid"),
        ("presence_crossentropy+mae_loss", "softmax"),
        ("tversky_loss", "softmax"),
        ("lovasz_loss", "softmax"),
    ],
)
def test_the_rewrite_to_bfloat16_stops_at_the_loss(text: str, activation: str) -> None:
    """On a processor with bfloat16, convolutions before and after the loss use it, but the loss does not."""
    classes = 3 if activation == "softmax" else 1
    target, _ = batch(activation, classes)
    images = tf.random.stateless_normal([2, 6, 8, 3], [1, 1])
    kernel = tf.Variable(tf.random.stateless_normal([3, 3, 3, classes], [0, 0]))
    loss = build_loss(parse_loss(text), activation)

    @tf.function
    def step(images: Any, target: Any) -> tuple[Any, Any, Any]:
        with tf.GradientTape() as tape:
            logits = tf.nn.conv2d(images, kernel, 1, "SAME")
            head = tf.reduce_sum(tf.nn.conv2d(images, kernel, 1, "SAME"), axis=(1, 2))
            value = loss(target, Outputs(logits, (), head), DONE)
        return value, Outputs(logits, (), head), tape.gradient(value, [logits, kernel])

    rewrite = "auto_mixed_precision_onednn_bfloat16"
    tf.config.optimizer.set_experimental_options({rewrite: True})
    try:
        value, outputs, (gradient, _) = step(images, tf.constant(target))
    finally:
        tf.config.optimizer.set_experimental_options({rewrite: False})
    with tf.GradientTape() as tape:
        tape.watch(outputs.logits)
        expected = loss(tf.constant(target), outputs, DONE)
    assert float(value) == pytest.approx(float(expected), rel=1e-5)
    assert np.ravel(gradient) == pytest.approx(np.ravel(tape.gradient(expected, outputs.logits)), rel=1e-4, abs=1e-8)
