import inspect
from typing import Any

import numpy as np
import pytest

from toolkit.config.training.losses import KERAS_LOSSES, LOSSES, parse_loss
from toolkit.learning.losses.registry import build_loss
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.runtime import compiled, tf

pytestmark = pytest.mark.tf

CASES = [(name, activation) for name, kind in KERAS_LOSSES.items() for activation in kind.formulas]
every_loss = pytest.mark.parametrize(("name", "activation"), CASES)
DONE = tf.constant(0.0)
ARGUMENTS = {
    "BinaryCrossentropy": {"label_smoothing": 0.2},
    "BinaryFocalCrossentropy": {"apply_class_balancing": True, "alpha": 0.7, "gamma": 1.5, "label_smoothing": 0.1},
    "CategoricalCrossentropy": {"label_smoothing": 0.2},
    "CategoricalFocalCrossentropy": {"alpha": 0.7, "gamma": 1.5, "label_smoothing": 0.1},
    "Huber": {"delta": 0.3},
}
MARGINS = ("Hinge", "SquaredHinge", "CategoricalHinge")


def batch(activation: str, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (2, 6, 8, classes)).astype(np.float32)
    if activation == "softmax":
        return np.eye(classes, dtype=np.uint8)[random.integers(0, classes, (2, 6, 8))], logits
    return (random.random(logits.shape) > 0.6).astype(np.uint8), logits


def computed(loss: Any, activation: Any, target: np.ndarray, logits: Any, weights: Any = None) -> Any:
    return build_loss(parse_loss(loss), activation, weights)(
        tf.constant(target), Outputs(tf.convert_to_tensor(logits)), DONE
    )


@every_loss
def test_the_value_is_what_keras_computes(name: str, activation: str) -> None:
    target, logits = batch(activation)
    given = ARGUMENTS.get(name, {})
    kind = getattr(tf.keras.losses, name)
    truth = target.astype(np.float32)
    probabilities = tf.sigmoid(logits) if activation == "sigmoid" else tf.nn.softmax(logits)
    expected = kind(**given)(
        np.argmax(truth, -1) if "Sparse" in name else truth, logits if name in MARGINS else probabilities
    )
    found = computed({name: given}, activation, target, logits)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(
    "name", [name for name, kind in KERAS_LOSSES.items() if "from_logits" in kind.arguments.model_fields]
)
def test_from_logits_makes_no_difference_and_no_infinite_slope(name: str) -> None:
    (activation,) = KERAS_LOSSES[name].formulas
    target, logits = batch(activation)
    values = [float(computed({name: {"from_logits": given}}, activation, target, logits)) for given in (False, True)]
    assert values[0] == values[1]
    wrong = tf.constant(np.where(target == 1, -50, 50).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(wrong)
        value = computed(name, activation, target, wrong)
    assert np.isfinite(tape.gradient(value, wrong)).all()
    if "Focal" not in name:  # Keras computes focal losses from probabilities, which it clips
        assert float(value) >= 50


@every_loss
def test_ignored_pixels_might_as_well_not_be_there(name: str, activation: str) -> None:
    target, logits = batch(activation)
    wider = np.concatenate([target, np.full((2, 6, 5, 3), 255, np.uint8)], axis=2)
    for elsewhere in (-1e4, np.nan):
        more = np.concatenate([logits, np.full((2, 6, 5, 3), elsewhere, np.float32)], axis=2)
        for weights in (None, [1.0, 2.0, 4.0]):
            expected = float(computed(name, activation, target, logits, weights))
            assert float(computed(name, activation, wider, more, weights)) == pytest.approx(expected, rel=1e-5)
    empty = computed(name, activation, np.full_like(target, 255), logits)
    assert float(empty) == 0


@every_loss
def test_class_weights_weigh_classes(name: str, activation: str) -> None:
    target, logits = batch(activation)
    plain = float(computed(name, activation, target, logits))
    assert float(computed(name, activation, target, logits, [3.0] * 3)) == pytest.approx(plain, rel=1e-5)
    assert float(computed(name, activation, target, logits, [1.0, 0.0, 9.0])) != pytest.approx(plain, rel=1e-3)


def test_the_cross_entropies_are_those_of_the_toolkit() -> None:
    for name, own, activation in (
        ("BinaryCrossentropy", "binary_crossentropy", "sigmoid"),
        ("CategoricalCrossentropy", "categorical_crossentropy", "softmax"),
        ("SparseCategoricalCrossentropy", "categorical_crossentropy", "softmax"),
        ("MeanSquaredError", "mse_loss", "sigmoid"),
    ):
        target, logits = batch(activation)
        for weights in (None, [1.0, 2.0, 4.0]):
            expected = float(computed(own, activation, target, logits, weights))
            assert float(computed(name, activation, target, logits, weights)) == pytest.approx(expected, rel=1e-6)


def test_a_sum_of_keras_and_the_toolkit_runs_in_a_graph() -> None:
    target, logits = batch("sigmoid", 1)
    loss = build_loss(
        parse_loss("0.5*BinaryCrossentropy(from_logits=true) + dice_loss + 2*huber(delta=0.1)"), "sigmoid"
    )
    arguments = (tf.constant(target), Outputs(tf.constant(logits)), DONE)
    parts = [
        float(computed(each, "sigmoid", target, logits))
        for each in ("BinaryCrossentropy", "dice_loss", "Huber(delta=0.1)")
    ]
    expected = 0.5 * parts[0] + parts[1] + 2 * parts[2]
    assert float(loss(*arguments)) == pytest.approx(expected, rel=1e-5)
    assert float(compiled(loss)(*arguments)) == pytest.approx(expected, rel=1e-5)


def test_every_loss_of_keras_is_known_with_its_arguments_and_defaults() -> None:
    """But `name`, and `ignore_class`: ignored pixels are known from the data."""
    there = {
        name: kind
        for name, kind in vars(tf.keras.losses).items()
        if isinstance(kind, type) and issubclass(kind, tf.keras.losses.Loss) and kind is not tf.keras.losses.Loss
    }
    assert set(KERAS_LOSSES) == set(there)
    for name, kind in there.items():
        parameters = inspect.signature(kind).parameters
        accepted = {key: one.default for key, one in parameters.items() if key not in ("name", "ignore_class")}
        assert KERAS_LOSSES[name].arguments().model_dump() == accepted


def test_every_function_of_keras_is_known() -> None:
    functions = {
        name
        for name, found in vars(tf.keras.losses).items()
        if inspect.isfunction(found) or hasattr(found, "__wrapped__")
    } - {"get", "serialize", "deserialize"}
    assert len(functions) > 25
    for name in functions - set(LOSSES):
        assert parse_loss(name)[0].name in KERAS_LOSSES
