import numpy as np

from toolkit.learning.augmentation.imgaug_transforms import grayscale, linear_contrast

RANDOM = np.random.default_rng(0)
LABELS = np.ones((1, 3), np.uint8)


def test_contrast_is_a_factor_of_the_distance_from_middle_grey() -> None:
    image = np.array([[[128], [138], [0]]], np.uint8)
    for factor, expected in ((1, [128, 138, 0]), (2, [128, 148, 0]), (0.5, [128, 133, 64]), (0, [128, 128, 128])):
        changed, labels = linear_contrast((factor, factor))(image, LABELS, RANDOM)
        assert changed[0, :, 0].tolist() == expected
        assert labels is LABELS


def test_grey_is_blended_by_the_share() -> None:
    image = np.array([[[255, 0, 0], [0, 255, 0], [10, 10, 10]]], np.uint8)
    assert np.array_equal(grayscale((0, 0))(image, LABELS, RANDOM)[0], image)
    full = grayscale((1, 1))(image, LABELS, RANDOM)[0]
    assert full.tolist() == [[[76] * 3, [150] * 3, [10] * 3]]
    half = grayscale((0.5, 0.5))(image, LABELS, RANDOM)[0]
    assert half[0, 2].tolist() == [10, 10, 10]
    assert np.abs(half.astype(float) - (full.astype(float) + image) / 2).max() <= 0.5


def test_other_channels_are_averaged() -> None:
    image = np.array([[[10, 20, 30, 40, 50]]], np.uint8)
    assert grayscale()(image, LABELS, RANDOM)[0].tolist() == [[[30] * 5]]
