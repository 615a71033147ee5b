import numpy as np
import pytest

from toolkit.core.sampling.label_certainty import certainty


def plane(*values: int) -> np.ndarray:
    return np.array(values, np.uint8).reshape(1, -1, 1)


def test_a_certain_mask_and_a_certain_background_are_certain() -> None:
    for label in (plane(255, 0, 0), plane(0, 0, 0)):
        assert certainty(label, [label], "sigmoid") == 1


def test_it_is_the_dice_of_mask_and_probabilities() -> None:
    label = plane(204, 51, 0)
    assert certainty(label, [label], "sigmoid") == pytest.approx(2 * 204 / (255 + 255))


def test_an_empty_label_is_as_certain_as_its_most_probable_pixel_is_absent() -> None:
    label = plane(102, 0, 0)
    assert certainty(label, [label], "sigmoid") == pytest.approx(1 - 0.4)


def test_networks_that_disagree_lower_it() -> None:
    label = plane(255, 255, 0)
    agreeing, other = (
        certainty(label, [label, label], "sigmoid"),
        certainty(label, [label, plane(0, 0, 255)], "sigmoid"),
    )
    assert agreeing == 1
    assert other == pytest.approx(0.5)


def test_the_least_certain_class_decides_and_the_background_does_not_count() -> None:
    label = np.array([[[0, 255, 0], [100, 0, 155]]], np.uint8)
    assert certainty(label, [label], "softmax") == pytest.approx(2 * 155 / (155 + 255))
