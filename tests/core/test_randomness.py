import numpy as np
import pytest

from toolkit.core.randomness import derived_seed, generator


@pytest.mark.parametrize(
    ("purpose", "parts", "seed"), [("folds", (0,), 1441296160), ("negatives", (1, 2, 3, 4), 2073428079)]
)
def test_a_seed_is_the_same_on_every_machine_and_in_every_version(
    purpose: str, parts: tuple[int, ...], seed: int
) -> None:
    assert derived_seed(purpose, *parts) == seed


def test_purposes_and_numbers_never_share_a_seed() -> None:
    purposes = ("folds", "negatives", "order", "augmentation")
    parts = [(), (0,), (0, 0), (1,), (-1,), (1, 23), (12, 3), (123,), (3, 12), (2**31 - 1,), (2**40,)]
    seeds = {derived_seed(purpose, *some) for purpose in purposes for some in parts}
    assert len(seeds) == len(purposes) * len(parts)


def test_seeds_fill_the_range_of_31_bits() -> None:
    seeds = np.array([derived_seed("range", index) for index in range(5000)])
    assert seeds.min() >= 0
    assert seeds.max() < 2**31
    assert np.histogram(seeds, bins=10, range=(0, 2**31))[0].min() > 400


def test_numpy_integers_are_accepted() -> None:
    assert derived_seed("folds", np.int64(5), np.uint8(2)) == derived_seed("folds", 5, 2)


def test_generators_are_reproducible_and_independent() -> None:
    first = generator("order", 1, 2).random(8)
    assert np.array_equal(generator("order", 1, 2).random(8), first)
    assert not np.array_equal(generator("order", 2, 1).random(8), first)
    assert not np.array_equal(generator("folds", 1, 2).random(8), first)
