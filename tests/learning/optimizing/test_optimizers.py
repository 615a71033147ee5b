import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from toolkit.config.training.optimizers import OPTIMIZERS as KINDS
from toolkit.config.training.optimizers import parse_optimizer
from toolkit.learning.optimizing.optimizers import NEVER_DECAYED, OPTIMIZERS, Nadam, build_optimizer
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.tf


def variables() -> list[Any]:
    """A kernel, a bias and the scale of a batch norm, as Keras names them."""
    random = np.random.default_rng(0)
    shapes = {"conv/kernel": (3, 3, 2, 4), "conv/bias": (4,), "bn_1/gamma": (4,)}
    return [tf.Variable(random.normal(size=shape).astype(np.float32), name=name) for name, shape in shapes.items()]


def gradients(step: int, of: list[Any]) -> list[Any]:
    random = np.random.default_rng(step)
    return [tf.constant(random.normal(size=variable.shape).astype(np.float32)) for variable in of]


def take_steps(optimizer: Any, of: list[Any], steps: range) -> None:
    @tf.function
    def step(given: list[Any]) -> None:
        optimizer.apply_gradients(zip(given, of, strict=True))

    for number in steps:
        optimizer.learning_rate.assign(0.01 + 0.001 * number)
        step(gradients(number, of))


def test_the_configuration_names_every_optimizer_of_keras_and_nothing_else() -> None:
    keras = vars(tf.keras.optimizers).items()
    classes = {
        name for name, kind in keras if inspect.isclass(kind) and issubclass(kind, tf.keras.optimizers.Optimizer)
    }
    assert set(KINDS) == set(OPTIMIZERS) == classes - {"Optimizer"}


@pytest.mark.parametrize("name", KINDS)
def test_arguments_and_defaults_are_those_of_keras(name: str) -> None:
    parameters = inspect.signature(getattr(tf.keras.optimizers, name)).parameters
    set_elsewhere = {"learning_rate", "name", "kwargs", "jit_compile", "adaptive_epsilon"}
    averaging = {"use_ema", "ema_momentum", "ema_overwrite_frequency"}
    expected = {key: p.default for key, p in parameters.items() if key not in set_elsewhere | averaging}
    assert KINDS[name]().model_dump() == expected


@pytest.mark.parametrize(
    "name",
    [name if name in ("Adam", "SGD", "Nadam") else pytest.param(name, marks=pytest.mark.train) for name in KINDS],
)
def test_after_saving_and_restoring_variables_the_next_steps_are_identical(name: str) -> None:
    call = parse_optimizer({name: {"weight_decay": 0.01, "clipnorm": 1.0}})
    whole, kept = variables(), variables()
    optimizer, first = build_optimizer(call, 0.01), build_optimizer(call, 0.01)
    for made, weights in ((optimizer, whole), (first, kept)):
        made.build(weights)
    take_steps(optimizer, whole, range(7))
    take_steps(first, kept, range(4))
    saved = [variable.numpy() for variable in first.variables]
    second = build_optimizer(call, 0.01)
    second.build(kept)
    assert len(saved) == len(second.variables) > 1 or name == "SGD"
    for variable, value in zip(second.variables, saved, strict=True):
        variable.assign(value)
    take_steps(second, kept, range(4, 7))
    for one, other in zip(whole, kept, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_steps_of_adam_are_those_of_keras(name: str, amsgrad: bool) -> None:
    ours, theirs = variables(), variables()
    arguments = {"weight_decay": 0.01, "clipnorm": 1.0, "epsilon": 1e-4, "beta_1": 0.8, "amsgrad": amsgrad}
    optimizer = build_optimizer(parse_optimizer({name: arguments}), 0.01)
    keras = getattr(tf.keras.optimizers, name)(learning_rate=0.01, jit_compile=False, **arguments)
    keras.exclude_from_weight_decay(var_names=NEVER_DECAYED)
    for made, weights in ((optimizer, ours), (keras, theirs)):
        made.build(weights)
        take_steps(made, weights, range(5))
    for one, other in zip([*ours, *optimizer.variables], [*theirs, *keras.variables], strict=True):
        assert one.name == other.name
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_every_optimizer_descends(name: str) -> None:
    weight = tf.Variable([[3.0, -2.0]], name="kernel")
    optimizer = build_optimizer(parse_optimizer(name), 0.1)
    for _ in range(20):
        optimizer.apply_gradients([(2 * weight, weight)])
    assert np.abs(weight.numpy()).sum() < 5


def test_nadam_in_a_graph_equals_that_of_keras_outside_of_one() -> None:
    ours, theirs = variables(), variables()
    take_steps(Nadam(0.01), ours, range(12))
    oracle = tf.keras.optimizers.Nadam(0.01, jit_compile=False)
    for number in range(12):
        oracle.learning_rate.assign(0.01 + 0.001 * number)
        oracle.apply_gradients(zip(gradients(number, theirs), theirs, strict=True))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=2e-5, atol=1e-6)


def test_the_product_of_nadam_holds_far_beyond_its_table() -> None:
    optimizer = Nadam(0.01, beta_1=0.9999)
    optimizer.iterations.assign(1499)
    expected = np.prod(0.9999 * (1 - 0.5 * 0.96 ** np.arange(1, 1501)))
    assert float(optimizer._beta_1_product()) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["AdamW", "SGD"])
def test_weight_decay_spares_biases_and_normalisation(name: str) -> None:
    weights = variables()
    before = [weight.numpy() for weight in weights]
    optimizer = build_optimizer(parse_optimizer({name: {"weight_decay": 0.5}}), 0.1)
    optimizer.apply_gradients([(tf.zeros_like(weight), weight) for weight in weights])
    np.testing.assert_allclose(weights[0].numpy(), before[0] * (1 - 0.5 * 0.1), rtol=1e-6)
    for weight, old in zip(weights[1:], before[1:], strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)


def test_weight_decay_recognises_the_variable_names_of_a_real_network() -> None:
    model = tf.keras.Sequential(
        [tf.keras.layers.Conv2D(2, 3, input_shape=(8, 8, 3)), tf.keras.layers.BatchNormalization()]
    )
    optimizer = build_optimizer(parse_optimizer("AdamW"), 0.1)
    decayed = [optimizer._use_weight_decay(variable) for variable in model.trainable_variables]
    assert decayed == [True, False, False, False]


@pytest.mark.parametrize(
    ("clipping", "expected"),
    [
        ({"clipvalue": 1.0}, [[1.0, 1.0], [1.0]]),
        ({"clipnorm": 1.0}, [[0.6, 0.8], [1.0]]),
        ({"global_clipnorm": 1.0}, [[3 / 13, 4 / 13], [12 / 13]]),
    ],
)
def test_gradients_are_clipped(clipping: Mapping[str, float], expected: list[list[float]]) -> None:
    weights = [tf.Variable([0.0, 0.0]), tf.Variable([0.0])]
    optimizer = build_optimizer(parse_optimizer({"SGD": clipping}), 1.0)
    optimizer.apply_gradients(zip([tf.constant([3.0, 4.0]), tf.constant([12.0])], weights, strict=True))
    for weight, step in zip(weights, expected, strict=True):
        np.testing.assert_allclose(-weight.numpy(), step, rtol=1e-6)


def test_an_optimizer_of_plugins_gets_the_learning_rate_and_its_arguments() -> None:
    call = parse_optimizer({"careful": {"momentum": 0.5}}, ["careful"])
    optimizer = build_optimizer(call, 0.25, {"careful": tf.keras.optimizers.SGD})
    assert float(optimizer.learning_rate) == 0.25
    assert optimizer.momentum == 0.5


@pytest.mark.parametrize("own", [lambda learning_rate: "no optimizer", lambda: None])
def test_the_error_of_an_invalid_optimizer_has_its_name(own: Any) -> None:
    with pytest.raises(ValueError, match="careful"):
        build_optimizer(parse_optimizer("careful", ["careful"]), 0.1, {"careful": own})
