import itertools

import numpy as np
import pytest

from toolkit.core.recipe.probabilities import (
    count_levels,
    mean_presence,
    quantise,
    to_levels,
    to_probability,
    to_stored,
    weighted_mean,
)
from toolkit.core.tuning.area_histograms import THRESHOLDS


def probabilities(count: int = 20_000) -> np.ndarray:
    return np.random.default_rng(0).random(count, np.float32)


def around(threshold: float) -> np.ndarray:
    """The closest `float32` numbers on both sides of a threshold, and some farther away."""
    below = above = np.float32(threshold)
    found = [above]
    for _ in range(5):
        below, above = np.nextafter(below, np.float32(0)), np.nextafter(above, np.float32(1))
        found += [below, above]
    return np.array([*found, threshold - 1e-6, threshold + 1e-6, threshold - 1e-3, threshold + 1e-3], np.float32)


def test_quantising_errors_are_at_most_half_a_level() -> None:
    values = np.concatenate([probabilities(), np.linspace(0, 1, 5001, dtype=np.float32)])
    assert np.abs(to_probability(quantise(values)) - values.astype(np.float64)).max() <= 1 / 510 + 1e-7


def test_levels_keep_their_value() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(quantise(to_probability(levels)), levels)
    assert to_probability(levels)[[0, 255]].tolist() == [0, 1]


def test_values_slightly_outside_0_to_1_are_clipped() -> None:
    assert quantise(np.array([-1e-6, -0.5, 1 + 1e-6, 1.5], np.float32)).tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("stored_type", ["uint8", "float16"])
def test_storing_keeps_the_side_of_thresholds(stored_type: str) -> None:
    values = probabilities()
    for threshold in THRESHOLDS:
        pixels = around(threshold)
        if stored_type == "float16":
            pixels, values = pixels.astype(np.float16).astype(np.float32), values.astype(np.float16).astype(np.float32)
        for some in (pixels, values):
            levels = to_levels(to_stored(some, stored_type))
            assert np.array_equal(to_probability(levels) > threshold, some > threshold)


def test_one_half_is_stored_as_not_above_one_half() -> None:
    stored = to_stored(np.array([0.5, np.nextafter(np.float32(0.5), np.float32(1))], np.float32), "uint8")
    assert (to_probability(stored) > 0.5).tolist() == [False, True]


@pytest.mark.parametrize(("stored_type", "error"), [("uint8", 1 / 510 + 1e-7), ("float16", 2**-12)])
def test_storing_keeps_shape_and_value(stored_type: str, error: float) -> None:
    values = probabilities(24).reshape(2, 3, 4)
    stored = to_stored(values, stored_type)
    assert (stored.shape, stored.dtype) == ((2, 3, 4), np.dtype(stored_type))
    restored = to_probability(stored)
    assert restored.dtype == np.float32
    assert 0 < np.abs(restored - values).max() <= error


def test_levels_of_both_stored_types_agree() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_levels(levels), levels)
    assert np.array_equal(to_levels(to_stored(to_probability(levels), "float16")), levels)


def maps(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(1).random((count, 6, 5), np.float32))


def test_weighted_mean_by_hand() -> None:
    first, second = np.array([[0.0, 1.0]], np.float32), np.array([[1.0, 0.5]], np.float32)
    mean = weighted_mean([first, second], [3, 1])
    assert mean.dtype == np.float32
    assert mean.tolist() == [[0.25, 0.875]]


def test_equal_weights_give_the_mean() -> None:
    np.testing.assert_allclose(weighted_mean(maps(5), [1] * 5), np.mean(maps(5), axis=0), atol=1e-6)


@pytest.mark.parametrize("factor", [0.01, 0.2, 7, 1e6])
def test_only_the_ratio_of_weights_matters(factor: float) -> None:
    weights = [0.5, 1, 2]
    scaled = [factor * weight for weight in weights]
    np.testing.assert_allclose(weighted_mean(maps(3), scaled), weighted_mean(maps(3), weights), atol=1e-7)


def test_the_order_of_members_does_not_matter() -> None:
    members, weights = maps(3), [0.2, 1.0, 3.0]
    expected = weighted_mean(members, weights)
    for order in itertools.permutations(range(3)):
        mean = weighted_mean([members[i] for i in order], [weights[i] for i in order])
        np.testing.assert_allclose(mean, expected, atol=1e-7)


def test_a_mean_lies_between_its_members() -> None:
    mean = weighted_mean(maps(4), [0.1, 5, 2, 0.7])
    assert (mean >= np.min(maps(4), axis=0)).all()
    assert (mean <= np.max(maps(4), axis=0)).all()


@pytest.mark.parametrize("weight", [0.1, 1, 3])
def test_the_mean_of_equal_members_is_each_of_them(weight: float) -> None:
    (member,) = maps(1)
    assert np.array_equal(weighted_mean([member], [weight]), member)
    assert np.array_equal(weighted_mean([member] * 3, [weight, 2, 0.3]), member)


def test_members_are_not_changed() -> None:
    members = maps(2)
    weighted_mean(members, [1, 2])
    assert np.array_equal(members, maps(2))


def test_every_member_needs_a_weight() -> None:
    with pytest.raises(ValueError, match="shorter"):
        weighted_mean(maps(3), [1, 1])


def test_presence_is_averaged_over_members_with_a_head() -> None:
    first, second = np.array([0.2, 1], np.float32), np.array([0.8, 0], np.float32)
    found = mean_presence([first, None, second], [3, 5, 1])
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [0.35, 0.75])
    assert mean_presence([None, None], [1, 2]) is None


def test_levels_are_counted_by_class() -> None:
    stored = np.random.default_rng(0).integers(0, 256, (7, 9, 2)).astype(np.uint8)
    counts = count_levels(stored)
    assert counts.shape == (2, 256)
    assert [counts[1, level] for level in range(256)] == [(stored[..., 1] == level).sum() for level in range(256)]
    half = (stored.astype(np.float32) / 255).astype(np.float16)
    assert np.array_equal(count_levels(half), count_levels(to_levels(half)))
