import itertools

import numpy as np
import pytest

from toolkit.core.ensembling.means import MEANS, Blender, Mean, round_levels
from toolkit.core.recipe.probabilities import quantise

SHAPE = (7, 9, 2)


def levels(seed: int, classes: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*SHAPE[:2], classes)).astype(np.uint8)


def exclusive(seed: int) -> np.ndarray:
    shares = np.random.default_rng(seed).dirichlet((0.3, 0.3, 0.3), SHAPE[:2]).astype(np.float32)
    return quantise(shares)


def blend(mean: Mean, maps: list[np.ndarray], weights: list[float], activation: str = "sigmoid") -> np.ndarray:
    blended = Blender(mean, activation).blend(dict(enumerate(maps)), weights, "uint8")  # type: ignore[arg-type]
    assert blended.dtype == np.float32
    found = quantise(blended)
    assert np.array_equal(found.astype(np.float32) / np.float32(255), blended)  # rounded to levels already
    return found


def voted(stored: np.ndarray) -> np.ndarray:
    return np.where(stored > 127, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("weight", [0.3, 1, 7])
def test_a_blend_of_one_is_that_one(mean: Mean, weight: float) -> None:
    one = levels(0)
    assert np.array_equal(blend(mean, [one], [weight]), voted(one) if mean == "vote" else one)


@pytest.mark.parametrize("mean", MEANS)
def test_exclusive_classes_of_one_keep_their_levels_but_for_rounding(mean: Mean) -> None:
    one = exclusive(0)
    found = blend(mean, [one], [1], "softmax")
    if mean == "vote":
        assert np.array_equal(found.argmax(axis=-1), one.argmax(axis=-1))
        assert set(np.unique(found)) == {0, 255}
    else:
        assert np.abs(found.astype(int) - one).max() <= 1


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("weights", [[1, 1, 1], [0.6, 0.1, 0.3]])
def test_the_order_of_members_does_not_matter(mean: Mean, weights: list[float]) -> None:
    maps = [levels(seed) for seed in range(3)]
    expected = blend(mean, maps, weights)
    for order in itertools.permutations(range(3)):
        assert np.array_equal(blend(mean, [maps[i] for i in order], [weights[i] for i in order]), expected)


@pytest.mark.parametrize("mean", MEANS)
def test_no_weight_is_as_if_it_were_not_there(mean: Mean) -> None:
    maps = [levels(seed) for seed in range(3)]
    expected = blend(mean, maps[:2], [0.7, 0.3])
    assert np.array_equal(blend(mean, maps, [0.7, 0.3, 0]), expected)
    assert np.array_equal(blend(mean, [maps[2], *maps[:2]], [0, 0.7, 0.3]), expected)


@pytest.mark.parametrize("mean", MEANS)
def test_a_member_that_is_there_twice_counts_twice(mean: Mean) -> None:
    one, other = levels(0), levels(1)
    assert np.array_equal(blend(mean, [one, one, other], [1, 1, 1]), blend(mean, [one, other], [2, 1]))


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("factor", [0.01, 3, 1e4])
def test_only_the_ratio_of_weights_matters(mean: Mean, factor: float) -> None:
    maps, weights = [levels(seed) for seed in range(3)], [0.5, 1, 2]
    scaled = [factor * weight for weight in weights]
    assert np.array_equal(blend(mean, maps, scaled), blend(mean, maps, weights))


@pytest.mark.parametrize("mean", MEANS)
def test_a_member_without_the_image_is_left_out(mean: Mean) -> None:
    one, other = levels(0), levels(1)
    blender = Blender(mean)
    alone = blender.blend({1: one}, [5, 2, 1], "uint8")
    both = blender.blend({0: other, 1: one}, [5, 2, 1], "uint8")
    assert np.array_equal(alone, blender.blend({0: one}, [1], "uint8"))
    assert np.array_equal(both, blender.blend({0: other, 1: one}, [5, 2], "uint8"))


def test_what_has_no_weight_cannot_be_blended() -> None:
    with pytest.raises(ValueError, match="no member with a weight"):
        Blender().blend({1: levels(0)}, [1, 0], "uint8")


def test_a_mean_of_probabilities_by_hand() -> None:
    one, other = np.array([[[0], [255], [10]]], np.uint8), np.array([[[255], [128], [11]]], np.uint8)
    assert blend("probability", [one, other], [3, 1]).ravel().tolist() == [64, 223, 10]
    assert blend("probability", [one, other], [1, 1]).ravel().tolist() == [127, 191, 10]  # half a level goes down


def test_a_mean_of_logits_by_hand() -> None:
    one, other = np.array([[[230]]], np.uint8), np.array([[[127]]], np.uint8)
    first, second = (np.log(level / (255 - level)) for level in (230, 127))
    expected = 255 / (1 + np.exp(-(first + second) / 2))
    assert abs(int(blend("logit", [one, other], [1, 1])[0, 0, 0]) - expected) < 1
    sure, unsure = np.array([[[255]]], np.uint8), np.array([[[100]]], np.uint8)
    assert blend("logit", [sure, unsure], [1, 1])[0, 0, 0] > 177  # more than the mean: who is sure counts more


def test_exclusive_logits_add_up_to_one() -> None:
    found = blend("logit", [exclusive(0), exclusive(1)], [1, 2], "softmax")
    assert np.abs(found.sum(axis=-1).astype(int) - 255).max() <= 2


def test_votes_by_hand() -> None:
    maps = [np.array([[[level]]], np.uint8) for level in (128, 255, 127)]
    assert blend("vote", maps, [1, 1, 1])[0, 0, 0] == 170
    assert blend("vote", maps, [1, 1, 3])[0, 0, 0] == 102
    assert blend("vote", maps[1:], [1, 1])[0, 0, 0] == 127  # a tie is no majority: 0.5 is not above 0.5


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_half_precision_gives_the_same_up_to_a_level(mean: Mean, activation: str) -> None:
    maps = [exclusive(seed) for seed in range(2)]
    halves = [(stored.astype(np.float32) / 255).astype(np.float16) for stored in maps]
    found = blend(mean, halves, [1, 2], activation).astype(int)
    assert np.abs(found - blend(mean, maps, [1, 2], activation)).max() <= 1


def test_maps_kept_in_half_precision_are_not_rounded_to_levels() -> None:
    one = np.array([[[0.3]]], np.float16)
    blended = Blender().blend({0: one, 1: np.array([[[0.4]]], np.float16)}, [1, 1], "float16")
    assert blended[0, 0, 0] == pytest.approx(0.35, abs=1e-3)
    assert (blended * 255 % 1 != 0).all()


def test_levels_round_half_down() -> None:
    assert round_levels(np.array([0.5, 1.5, 1.5000001, 1.51, 254.9, 255.2, -0.1])).tolist() == [0, 1, 1, 2, 255, 255, 0]
