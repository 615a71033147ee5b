import numpy as np

from toolkit.core.sampling.systematic import systematic_sample


def test_each_member_is_drawn_its_share_rounded_up_or_down() -> None:
    shares = np.random.default_rng(0).random(9) * (np.arange(9) != 4)
    members = np.array([1, 3, 4, 6, 8])
    for seed in range(50):
        drawn = systematic_sample(members, 13, shares, np.random.default_rng(seed))
        expected = 13 * shares / shares[members].sum()
        counts = np.bincount(drawn, minlength=9)
        assert counts.sum() == 13
        assert set(np.flatnonzero(counts)) <= set(members)
        assert (np.abs(counts - expected)[members] < 1).all()


def test_the_mean_over_many_draws_is_exact() -> None:
    shares, members = np.array([1.0, 2.5, 0.5]), np.arange(3)
    draws = [systematic_sample(members, 2, shares, np.random.default_rng(seed)) for seed in range(4000)]
    mean = np.bincount(np.concatenate(draws), minlength=3) / 4000
    np.testing.assert_allclose(mean, [0.5, 1.25, 0.25], atol=0.03)
