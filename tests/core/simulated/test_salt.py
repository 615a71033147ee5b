from functools import cache

import cv2
import numpy as np
import pytest

from toolkit.core.simulated.salt import SimulatedImage, simulate_salt

COUNT = 300


@cache
def drawn() -> list[SimulatedImage]:
    """Smaller than the default to keep the tests fast; shares and shapes do not depend on it."""
    return [simulate_salt(index, seed=3, size=(48, 48)) for index in range(COUNT)]


def salted() -> list[SimulatedImage]:
    return [one for one in drawn() if one.mask.any()]


@pytest.mark.parametrize("size", [(101, 101), (48, 120), (130, 70), (256, 256), (16, 16)])
def test_image_and_mask_have_the_requested_size(size: tuple[int, int]) -> None:
    for index in range(4):
        one = simulate_salt(index, seed=0, size=size)
        assert one.image.shape == one.mask.shape == size
        assert one.image.dtype == np.uint8
        assert one.mask.dtype == np.bool_


def test_the_default_size_is_the_competitions() -> None:
    assert simulate_salt(0, seed=0).image.shape == (101, 101)


def test_equal_index_and_seed_give_an_equal_image() -> None:
    for index in range(5):
        first, second = simulate_salt(index, seed=7), simulate_salt(index, seed=7)
        assert np.array_equal(first.image, second.image)
        assert np.array_equal(first.mask, second.mask)


@pytest.mark.train  # takes a second
def test_an_image_does_not_depend_on_the_others() -> None:
    for index in (250, 17, 3):
        again = simulate_salt(index, seed=3, size=(48, 48))
        assert np.array_equal(again.image, drawn()[index].image)
        assert np.array_equal(again.mask, drawn()[index].mask)


def test_the_global_random_state_is_neither_read_nor_changed() -> None:
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    simulate_salt(0, seed=0)
    assert np.array_equal(before, np.random.get_state()[1])


def test_other_indices_and_seeds_give_other_images() -> None:
    textured = [one.image for one in drawn() if one.image.min() < one.image.max()]
    assert len({image.tobytes() for image in textured}) == len(textured)
    differing = [
        not np.array_equal(simulate_salt(index, seed=4, size=(48, 48)).image, drawn()[index].image)
        for index in range(10)
    ]
    assert sum(differing) >= 9


def test_about_two_in_five_masks_are_empty() -> None:
    assert 0.33 <= 1 - len(salted()) / COUNT <= 0.47


def test_some_images_are_constant_and_those_hold_no_salt() -> None:
    constant = [one for one in drawn() if one.image.min() == one.image.max()]
    assert 1 <= len(constant) <= 0.05 * COUNT
    assert not any(one.mask.any() for one in constant)


def test_all_other_images_use_the_whole_grey_range() -> None:
    textured = [one.image for one in drawn() if one.image.min() < one.image.max()]
    assert all(image.min() == 0 and image.max() == 255 for image in textured)
    assert np.ptp([image.mean() for image in textured]) > 60


def test_coverage_varies_widely() -> None:
    coverage = np.array([one.mask.mean() for one in salted()])
    assert (coverage < 0.05).mean() > 0.05
    assert (coverage > 0.6).mean() > 0.15
    assert ((coverage > 0.15) & (coverage < 0.5)).mean() > 0.2
    assert coverage.max() > 0.9


def test_salt_nearly_always_touches_the_border() -> None:
    touching = [
        one.mask[0].any() or one.mask[-1].any() or one.mask[:, 0].any() or one.mask[:, -1].any() for one in salted()
    ]
    assert np.mean(touching) > 0.9


def test_masks_are_one_or_two_smooth_bodies() -> None:
    changed = []
    for one in salted():
        mask = one.mask.astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        areas = np.sort(stats[1:, cv2.CC_STAT_AREA])
        assert areas[-2:].sum() >= 0.9 * mask.sum()
        assert len(areas) <= 3
        changed.append((cv2.medianBlur(mask, 3) != mask).mean())
    assert np.mean(changed) < 0.005


def test_salt_looks_different_from_the_ground_but_not_always() -> None:
    contrast = np.array(
        [one.image[one.mask].std() / one.image[~one.mask].std() for one in salted() if 0.1 < one.mask.mean() < 0.9]
    )
    assert np.median(contrast) < 0.75
    assert (contrast > 0.85).mean() > 0.1
