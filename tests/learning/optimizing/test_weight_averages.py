from typing import Any

import numpy as np
import pytest

from toolkit.learning.optimizing.weight_averages import (
    ExponentialAverage,
    StochasticAverage,
    first_averaged_epoch,
    reestimate_batch_norm,
    soup,
)
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.tf

layers = tf.keras.layers


def small_network() -> Any:
    """Two batch norms, one of them frozen, and dropout before the other."""
    inputs = layers.Input((8, 8, 3))
    hidden = layers.BatchNormalization(name="frozen", trainable=False)(inputs)
    hidden = layers.Dropout(0.5)(layers.Conv2D(4, 3, activation="relu")(hidden))
    hidden = layers.BatchNormalization(name="free", momentum=0.9)(hidden)
    return tf.keras.Model(inputs, layers.Conv2D(1, 1)(hidden))


def images(seed: int, number: int = 4) -> Any:
    return tf.constant(np.random.default_rng(seed).normal(seed, 2, (number, 8, 8, 3)).astype(np.float32))


def weights(seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(size=shape).astype(np.float32) for shape in ((3, 2), (4,), ())]


def test_the_exponential_average_follows_its_formula_in_a_graph() -> None:
    followed = [tf.Variable([1.0, 2.0]), tf.Variable(3.0)]
    average = ExponentialAverage(followed, 0.5)

    @tf.function
    def step(value: Any) -> None:
        followed[0].assign(value)
        average.update()

    expected, values = np.array([1.0, 2.0]), np.random.default_rng(0).normal(size=(12, 2))
    for number, value in enumerate(values):
        step(tf.constant(value, tf.float32))
        decay = min(0.5, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * value
    np.testing.assert_allclose(average.weights()[0], expected, rtol=1e-5)
    np.testing.assert_allclose(average.weights()[1], 3)


def test_the_exponential_average_goes_on_from_its_variables() -> None:
    followed = tf.Variable([1.0, 2.0])
    whole, first, second = (ExponentialAverage([followed], 0.8) for _ in range(3))
    for number in range(10):
        followed.assign(tf.constant([number**2, -number], tf.float32))
        whole.update()
        (first if number < 5 else second).update()
        if number == 4:
            for variable, saved in zip(second.variables, [v.numpy() for v in first.variables], strict=True):
                variable.assign(saved)
    np.testing.assert_array_equal(whole.weights()[0], second.weights()[0])


def test_the_exponential_average_copies_whole_numbers_and_starts_again() -> None:
    counter, weight = tf.Variable(1, dtype=tf.int64), tf.Variable(1.0)
    average = ExponentialAverage([counter, weight], 0.9)
    counter.assign(7)
    weight.assign(2.0)
    average.update()
    assert average.weights() == [7, pytest.approx(1.9)]
    average.restart()
    assert [variable.numpy() for variable in average.variables] == [0, 7, 2.0]


def test_the_stochastic_average_is_the_mean_and_goes_on_from_its_state() -> None:
    members = [weights(seed) for seed in range(5)]
    average = StochasticAverage()
    for number, member in enumerate(members):
        average.add(member)
        if number == 2:
            other = StochasticAverage(average.count, average.mean)
        elif number > 2:
            other.add(member)
    for part, mean, again in zip(zip(*members, strict=True), average.mean, other.mean, strict=True):
        np.testing.assert_allclose(mean, np.mean(part, axis=0), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(mean, again)
        assert mean.dtype == np.float32


def test_the_stochastic_average_keeps_its_own_arrays() -> None:
    first = weights(0)
    average = StochasticAverage()
    average.add(first)
    before = [part.copy() for part in average.mean]
    first[0][:] = 100
    np.testing.assert_array_equal(average.mean[0], before[0])


@pytest.mark.parametrize(
    ("start", "epochs", "first"), [(0.75, 8, 6), (0.75, 10, 8), (0.0, 5, 0), (0.3, 10, 3), (0.9, 3, 2), (0.99, 1, 0)]
)
def test_averaging_begins_when_a_share_of_the_stage_is_done(start: float, epochs: int, first: int) -> None:
    assert first_averaged_epoch(start, epochs) == first


def test_a_soup_is_the_mean_whatever_the_order() -> None:
    members = [weights(seed) for seed in range(3)]
    mixed = soup(members)
    for part, mean, other in zip(zip(*members, strict=True), mixed, soup(members[::-1]), strict=True):
        np.testing.assert_allclose(mean, np.mean(part, axis=0, dtype=np.float64), rtol=1e-6)
        np.testing.assert_allclose(mean, other, rtol=1e-6)
        assert mean.dtype == np.float32
    for part, same in zip(members[0], soup([members[0]] * 3), strict=True):
        np.testing.assert_array_equal(part, same)


def test_weights_of_different_networks_cannot_be_mixed() -> None:
    with pytest.raises(ValueError, match="at least one"):
        soup([])
    with pytest.raises(ValueError, match="different networks"):
        soup([weights(0), weights(0)[:2]])
    average = StochasticAverage()
    average.add(weights(0))
    with pytest.raises(ValueError, match="different networks"):
        average.add(weights(0)[::-1])


def test_batch_norm_gets_the_mean_of_the_statistics_of_the_batches() -> None:
    model = small_network()
    free = model.get_layer("free")
    before = tf.keras.Model(model.input, free.input)  # without training: dropout passes everything on
    batches = [images(seed) for seed in range(3)]
    seen = [before(batch, training=False).numpy() for batch in batches]
    reestimate_batch_norm(model, batches)
    mean = np.mean([part.mean(axis=(0, 1, 2)) for part in seen], axis=0)
    variance = np.mean([part.var(axis=(0, 1, 2), ddof=1) for part in seen], axis=0)
    np.testing.assert_allclose(free.moving_mean.numpy(), mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(free.moving_variance.numpy(), variance, rtol=1e-4)


def test_nothing_but_the_statistics_of_trainable_batch_norms_changes() -> None:
    model = small_network()
    before, state = model.get_weights(), [(layer.name, layer.get_config()) for layer in model.layers]
    reestimate_batch_norm(model, [images(1), images(2)])
    changed = [
        weight.name
        for weight, old in zip(model.weights, before, strict=True)
        if not np.array_equal(weight.numpy(), old)
    ]
    assert changed == ["free/moving_mean:0", "free/moving_variance:0"]
    assert [(layer.name, layer.get_config()) for layer in model.layers] == state
    dropped = [model(images(0), training=True).numpy() for _ in range(2)]
    assert not np.array_equal(*dropped)  # dropout is back


def test_batch_norm_comes_out_the_same_each_time_and_whatever_was_there() -> None:
    model = small_network()
    found = []
    for old in (0.0, 5.0):
        free = model.get_layer("free")
        free.moving_mean.assign(tf.fill([4], old))
        reestimate_batch_norm(model, [images(seed) for seed in range(3)])
        found.append(free.moving_mean.numpy())
    np.testing.assert_array_equal(*found)


def test_the_settings_come_back_when_a_batch_fails() -> None:
    model = small_network()

    def broken() -> Any:
        yield images(0)
        raise OSError("a disk went away")

    with pytest.raises(OSError, match="went away"):
        reestimate_batch_norm(model, broken())
    assert model.get_layer("free").momentum == 0.9


def test_no_images_give_no_statistics() -> None:
    with pytest.raises(ValueError, match="at least one batch"):
        reestimate_batch_norm(small_network(), [])
    reestimate_batch_norm(tf.keras.Sequential([layers.Dense(1, input_shape=(2,))]), [])
