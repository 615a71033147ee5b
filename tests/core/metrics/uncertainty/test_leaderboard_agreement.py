import itertools

import numpy as np
import pytest
from scipy import stats

from toolkit.core.metrics.uncertainty.leaderboard_agreement import agreement


def test_correlations_are_those_of_scipy() -> None:
    random = np.random.default_rng(0)
    for count in (4, 5, 12, 40):
        one = random.random(count)
        other = np.round(one + 0.5 * random.random(count), 1)  # with ties
        found = agreement(one.tolist(), other.tolist())
        assert found.points == count
        assert found.spearman == pytest.approx(stats.spearmanr(one, other).statistic)
        assert found.pearson == pytest.approx(stats.pearsonr(one, other).statistic)
        assert found.first_spread == pytest.approx(one.std(ddof=1))
        assert found.gap == pytest.approx((other - one).mean())


def test_chance_is_the_share_of_all_orders_that_agree_as_well() -> None:
    one, other = [0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.8, 0.7]
    mine = stats.spearmanr(one, other).statistic
    orders = list(itertools.permutations(other))
    as_good = [order for order in orders if stats.spearmanr(one, order).statistic >= mine - 1e-9]
    assert agreement(one, other).chance == pytest.approx(len(as_good) / len(orders))
    assert agreement(one, one).chance == pytest.approx(1 / 24)


def test_chance_for_many_points_is_sampled_reproducibly() -> None:
    one = np.arange(12.0)
    other = np.random.default_rng(3).permutation(one)
    found = agreement(one.tolist(), other.tolist())
    exact = stats.spearmanr(one, other, alternative="greater").pvalue
    assert found.chance == pytest.approx(exact, abs=0.02)
    assert found == agreement(one.tolist(), other.tolist())
    assert 0 < (agreement(one.tolist(), one.tolist()).chance or 0) < 0.001


def test_undefined_values_are_none() -> None:
    single = agreement([0.8], [0.7])
    assert (single.spearman, single.pearson, single.chance, single.first_spread) == (None, None, None, None)
    assert single.gap == pytest.approx(-0.1)
    assert agreement([0.8, 0.9], [0.7, 0.8]).spearman is None
    three = agreement([0.7, 0.8, 0.9], [0.6, 0.7, 0.8])
    assert (three.spearman, three.pearson, three.chance) == (None, None, None)
    constant = agreement([0.8, 0.8, 0.8, 0.8], [0.6, 0.7, 0.8, 0.9])
    assert constant.spearman is constant.pearson is None
    for bad in (([], []), ([1.0], [1.0, 2.0])):
        with pytest.raises(ValueError, match="two lists"):
            agreement(*bad)
