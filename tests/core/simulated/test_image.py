import numpy as np

from toolkit.core.simulated.image import SimulatedImage, blurred, smooth_field


def test_the_mask_is_everything_but_background() -> None:
    labels = np.array([[0, 1], [3, 0]], np.uint8)
    assert SimulatedImage(labels, labels).mask.tolist() == [[False, True], [True, False]]


def test_a_smooth_field_has_about_unit_variance_and_no_steps() -> None:
    fields = [smooth_field(np.random.default_rng(seed), (60, 90), 12) for seed in range(20)]
    assert all(field.shape == (60, 90) for field in fields)
    assert 0.4 < np.var(fields) < 1.6
    assert max(np.abs(np.diff(field, axis=1)).max() for field in fields) < 1


def test_blurring_keeps_the_mean_and_lowers_the_variance() -> None:
    noise = np.random.default_rng(0).standard_normal((50, 50), dtype=np.float32)
    assert abs(blurred(noise, 2).mean() - noise.mean()) < 0.02
    assert blurred(noise, 2).std() < 0.3 * noise.std()
