from functools import cache

import cv2
import numpy as np
import pytest

from toolkit.core.simulated.ccd import CCD_CLASSES, simulate_ccd
from toolkit.core.simulated.image import SimulatedImage

BACKGROUND, GLOWING, HOT, CLUSTER = range(4)
COUNT = 120


@cache
def drawn() -> list[SimulatedImage]:
    return [simulate_ccd(index, seed=1) for index in range(COUNT)]


def shares(size: tuple[int, int], count: int) -> np.ndarray:
    images = [simulate_ccd(index, seed=2, size=size) for index in range(count)]
    return sum(np.bincount(one.labels.ravel(), minlength=4) for one in images) / (count * size[0] * size[1])


def values(label: int) -> np.ndarray:
    """The distribution of the grey values of a class, `float (256,)`."""
    counts = sum(np.bincount(one.image[one.labels == label], minlength=256) for one in drawn())
    return counts / counts.sum()


@pytest.mark.parametrize("size", [(256, 256), (64, 160), (31, 17)])
def test_images_are_grey_and_have_the_four_classes(size: tuple[int, int]) -> None:
    for index in range(4):
        one = simulate_ccd(index, seed=0, size=size)
        assert one.image.shape == one.labels.shape == size
        assert one.image.dtype == one.labels.dtype == np.uint8
        assert one.labels.max() < len(CCD_CLASSES)
        assert one.objects is None


def test_an_image_depends_only_on_seed_and_index() -> None:
    for index in (50, 3, 17):
        again = simulate_ccd(index, seed=1)
        assert np.array_equal(again.image, drawn()[index].image)
        assert np.array_equal(again.labels, drawn()[index].labels)
    assert not np.array_equal(simulate_ccd(3, seed=2).image, drawn()[3].image)


def test_classes_have_the_shares_of_the_original() -> None:
    """60793, 4352, 291 and 100 of the 65536 pixels of an image."""
    found = sum(np.bincount(one.labels.ravel(), minlength=4) for one in drawn()) / COUNT
    assert found[:3] == pytest.approx([60793, 4352, 291], rel=0.2)
    assert found[3] == pytest.approx(100, rel=0.35)  # few large tracks hold many of the pixels


def test_shares_do_not_depend_on_the_size() -> None:
    found = shares((64, 96), 400) * 65536
    assert found[:3] == pytest.approx([60793, 4352, 291], rel=0.2)
    assert found[3] == pytest.approx(100, rel=0.35)


def test_most_images_show_every_class() -> None:
    for label, least in ((BACKGROUND, 1), (GLOWING, 0.88), (HOT, 1), (CLUSTER, 0.9)):
        assert np.mean([(one.labels == label).any() for one in drawn()]) >= least


def test_grey_values_do_not_distinguish_hot_pixels_from_clusters() -> None:
    hot, cluster = values(HOT), values(CLUSTER)
    assert np.minimum(hot, cluster).sum() > 0.7
    # Not even the best rule on the value of a pixel alone finds clusters: something else is always more likely there.
    counts = np.stack(
        [sum(np.bincount(one.image[one.labels == label], minlength=256) for one in drawn()) for label in range(4)]
    )
    found = counts[CLUSTER][counts.argmax(axis=0) == CLUSTER].sum() / counts[CLUSTER].sum()
    assert found < 0.2


def test_hot_pixels_are_single_or_in_columns_and_clusters_are_blobs() -> None:
    for one in drawn()[:40]:
        hot = (one.labels == HOT).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(hot, connectivity=4)
        single = stats[1:, cv2.CC_STAT_WIDTH] == 1
        assert single.mean() > 0.9
    sizes = []
    for one in drawn():
        _, _, stats, _ = cv2.connectedComponentsWithStats((one.labels == CLUSTER).astype(np.uint8), connectivity=8)
        sizes += stats[1:, cv2.CC_STAT_AREA].tolist()
    assert 6 < np.median(sizes) < 25
    assert max(sizes) > 80


def test_glow_lies_along_the_edges() -> None:
    for one in drawn():
        glowing = one.labels == GLOWING
        if glowing.any():
            rim = glowing.copy()
            rim[1:-1, 1:-1] = False
            assert rim.any()
            assert glowing.mean() < 0.2
            assert one.image[glowing].mean() > one.image[one.labels == BACKGROUND].mean() + 10
