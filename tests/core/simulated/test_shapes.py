from functools import cache

import numpy as np
import pytest

from toolkit.core.simulated.image import SimulatedImage
from toolkit.core.simulated.shapes import SHAPE_CLASSES, simulate_shapes

COUNT = 150


@cache
def drawn() -> list[SimulatedImage]:
    return [simulate_shapes(index, seed=1, size=(64, 64)) for index in range(COUNT)]


@pytest.mark.parametrize("size", [(128, 128), (64, 160), (33, 16)])
def test_images_have_colours_labels_and_objects(size: tuple[int, int]) -> None:
    for index in range(4):
        one = simulate_shapes(index, seed=0, size=size)
        assert one.image.shape == (*size, 3)
        assert one.image.dtype == one.labels.dtype == np.uint8
        assert one.labels.max() < len(SHAPE_CLASSES)
        assert one.objects is not None
        assert one.objects.dtype == np.int32
        assert one.objects.shape == one.labels.shape == size


def test_an_image_depends_only_on_seed_and_index() -> None:
    for index in (50, 3, 17):
        again = simulate_shapes(index, seed=1, size=(64, 64))
        assert np.array_equal(again.image, drawn()[index].image)
        assert np.array_equal(again.labels, drawn()[index].labels)
        assert np.array_equal(again.objects, drawn()[index].objects)
    assert not np.array_equal(simulate_shapes(3, seed=2, size=(64, 64)).image, drawn()[3].image)


def test_every_object_has_one_class_and_is_visible() -> None:
    for one in drawn():
        assert one.objects is not None
        assert np.array_equal(one.objects > 0, one.mask)
        numbers = np.unique(one.objects[one.mask])
        assert numbers.tolist() == list(range(1, len(numbers) + 1))
        for number in numbers:
            assert len(np.unique(one.labels[one.objects == number])) == 1
            assert np.count_nonzero(one.objects == number) >= 4


def test_every_class_occurs_and_some_images_are_empty() -> None:
    occurs = np.array([np.bincount(one.labels.ravel(), minlength=7) > 0 for one in drawn()])
    assert (occurs.mean(axis=0)[1:] > 0.25).all()
    assert 0 < np.mean([not one.mask.any() for one in drawn()]) < 0.12


def test_objects_of_one_class_may_touch() -> None:
    touching = 0
    for one in drawn():
        assert one.objects is not None
        right = (one.objects[:, 1:] != one.objects[:, :-1]) & (one.labels[:, 1:] == one.labels[:, :-1])
        touching += bool((right & (one.labels[:, 1:] > 0)).any())
    assert touching > COUNT / 10


def test_shapes_contrast_with_the_background() -> None:
    differences = []
    for one in drawn():
        assert one.objects is not None
        for number in range(1, one.objects.max() + 1):
            colour, ground = (one.image[some].mean(axis=0) for some in (one.objects == number, one.labels == 0))
            differences.append(np.abs(colour - ground).max())
    assert np.mean(np.array(differences) > 35) > 0.9
