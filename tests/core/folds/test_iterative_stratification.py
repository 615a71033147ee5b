import numpy as np
import pytest

from toolkit.core.folds.iterative_stratification import stratify


def equal(parts: int) -> np.ndarray:
    return np.full(parts, 1 / parts)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("images", "labels", "parts"), [(20, 2, 2), (37, 5, 4), (101, 7, 5), (6, 6, 3)])
def test_counts_of_exclusive_labels_differ_by_one_at_most(images: int, labels: int, parts: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    codes = random.integers(0, labels, images)
    found = stratify(codes[:, None] == np.arange(labels), equal(parts), random)
    for chosen in (slice(None), *(codes == label for label in range(labels))):
        counts = np.bincount(found[chosen], minlength=parts)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("seed", range(5))
def test_rare_and_common_labels_have_their_share_in_every_part(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.random((400, 8)) < np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9])
    shares = np.array([0.5, 0.3, 0.2])
    found = stratify(labels, shares, random)
    counts = np.stack([labels[found == part].sum(axis=0) for part in range(3)])
    expected = shares[:, None] * labels.sum(axis=0)
    assert np.abs(counts - expected).max() <= 0.05 * 400
    assert np.abs((counts - expected)[:, :3]).max() <= 2  # the rarest are dealt out first
    assert np.abs(np.bincount(found) - shares * 400).max() <= 12


def test_the_rarest_label_is_spread_better_than_at_random() -> None:
    random = np.random.default_rng(0)
    labels = np.zeros((200, 3), np.bool_)
    labels[:, 0] = random.random(200) < 0.6
    labels[:5, 1] = True
    labels[3:8, 2] = True
    for seed in range(20):
        found = stratify(labels, equal(5), np.random.default_rng(seed))
        assert sorted(found[labels[:, 1]]) == [0, 1, 2, 3, 4]
        assert sorted(found[labels[:, 2]]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("labels", [0, 3])
def test_images_without_labels_even_out_the_parts(labels: int) -> None:
    found = stratify(np.zeros((11, labels), np.bool_), equal(4), np.random.default_rng(0))
    assert sorted(np.bincount(found)) == [2, 3, 3, 3]


def test_divisions_are_reproducible_and_depend_on_the_seed() -> None:
    labels = np.random.default_rng(0).random((60, 4)) < 0.4
    drawn = [tuple(stratify(labels, equal(3), np.random.default_rng(seed))) for seed in (0, 0, 1, 2)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 3
