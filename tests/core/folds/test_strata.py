import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.folds.strata import (
    NO_STRATA,
    Strata,
    as_labels,
    by_column,
    by_coverage,
    groups_of_names,
    groups_of_positions,
    together,
    united,
)


def test_coverage_is_binned_with_a_separate_bin_for_empty_images() -> None:
    coverage = np.concatenate([np.zeros(3), np.linspace(0.1, 0.8, 8)])
    labels = as_labels(by_coverage(coverage))
    assert labels is not None
    assert labels.sum(axis=1).tolist() == [1] * 11
    assert labels.sum(axis=0).tolist() == [3, 2, 2, 2, 2]


def test_equal_numbers_are_never_in_two_bins() -> None:
    labels = as_labels(Strata(number=np.array([5.0] * 9 + [7.0])))
    assert labels is not None
    assert all(labels[place].tolist() == labels[0].tolist() for place in range(9))


@pytest.mark.parametrize("values", [["b", "a", "", "a"], ["1", "2", "", "2"], ["NA", "None", "", "None"]])
def test_each_of_a_few_values_of_a_column_is_a_label(values: list[str]) -> None:
    strata = by_column(values)
    assert strata.number is None
    assert strata.labels is not None
    assert strata.labels.shape == (4, 3)
    assert (strata.labels[1] == strata.labels[3]).all()
    assert (strata.labels.sum(axis=1) == 1).all()


def test_a_column_of_many_numbers_is_a_number() -> None:
    strata = by_column([*(f" {number}" for number in range(-5, 7)), "", "1e3"])
    assert strata.labels is None
    assert strata.number is not None
    assert strata.number.tolist() == [*range(-5, 7), -np.inf, 1000]


def test_a_column_of_many_words_gives_labels() -> None:
    assert by_column([str(number) for number in range(20)] + ["x"]).number is None


def test_several_strata_are_combined_as_labels() -> None:
    both = together([by_column(["a", "b", "a", "b"]), by_coverage(np.array([0, 0, 0.5, 0.5]))])
    assert both.labels is not None
    assert both.labels.astype(int).tolist() == [[1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1]]
    assert together([]) == NO_STRATA
    alone = by_coverage(np.array([0, 0.5]))
    assert together([alone]) is alone


def test_strata_of_some_images() -> None:
    strata = Strata(np.arange(4.0), np.eye(4, dtype=np.bool_)).of(np.array([2, 0]))
    assert strata.number is not None
    assert strata.number.tolist() == [2, 0]
    assert strata.labels is not None
    assert strata.labels.argmax(axis=1).tolist() == [2, 0]


def hang_together(kinds: list[np.ndarray]) -> np.ndarray:
    """By brute force: `bool (images, images)`, whether two images are connected."""
    linked = np.any([kind[:, None] == kind for kind in kinds], axis=0)
    for _ in range(len(linked)):
        linked = (linked.astype(int) @ linked.astype(int)) > 0
    return linked


@given(st.integers(1, 3), st.integers(1, 12), st.integers(0, 2**16))
def test_united_groups_equal_brute_force(kinds_count: int, images: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    kinds = [random.integers(0, images, images) for _ in range(kinds_count)]
    groups = united(kinds)
    assert ((groups[:, None] == groups) == hang_together(kinds)).all()
    first = [groups.tolist().index(group) for group in range(groups.max() + 1)]
    assert first == sorted(first)  # numbered in the order of their first image


def test_groups_by_names_and_by_positions() -> None:
    assert groups_of_names(["q", "NA", "q", "p"]).tolist() == [2, 0, 2, 1]
    assert groups_of_positions(5, [(1, 3), (0, 4)]).tolist() == [0, 1, 2, 1, 0]
