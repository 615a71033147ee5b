import numpy as np

from toolkit.core.folds.assignment import HOLDOUT, TRAIN
from toolkit.core.folds.unseen import ImageSet, held_back, trained_on, unseen_by

IDS = ("a", "b", "c", "d", "e")
PICTURES = ("A", "B", "", "D", "E")
FOLDS = np.array([0, 1, 1, TRAIN, HOLDOUT])


def test_a_fold_keeps_back_what_it_holds_out_and_the_hold_out() -> None:
    assert held_back(IDS, PICTURES, FOLDS, 1) == ImageSet(frozenset("bce"), frozenset("BE"))
    assert trained_on(IDS, PICTURES, FOLDS, 1) == ImageSet(frozenset("ad"), frozenset("AD"))


def test_with_equal_folds_only_the_same_fold_may_teach() -> None:
    seen = [trained_on(IDS, PICTURES, FOLDS, fold) for fold in (0, 1)]
    for fold in (0, 1):
        assert unseen_by(held_back(IDS, PICTURES, FOLDS, fold), seen) == [fold]


def test_an_image_is_recognised_by_its_pixels_under_another_name() -> None:
    held = held_back(IDS, PICTURES, FOLDS, 1)
    assert unseen_by(held, [ImageSet(pictures=frozenset("B")), ImageSet(pictures=frozenset("X")), ImageSet()]) == [1, 2]
    assert held.shared(ImageSet(frozenset("c"), frozenset("B"))) == ["c", "B"]


def test_with_other_folds_all_networks_that_saw_nothing_may_teach() -> None:
    finer = np.array([0, 1, 2, 3, 3])
    seen = [trained_on(IDS, PICTURES, finer, fold) for fold in range(4)]
    coarse = np.array([0, 0, 0, 1, 1])
    assert unseen_by(held_back(IDS, PICTURES, coarse, 0), seen) == []
    assert unseen_by(held_back(IDS, PICTURES, coarse, 1), seen) == [3]


def test_what_both_saw_is_united() -> None:
    assert ImageSet(frozenset("a")) | ImageSet(frozenset("b"), frozenset("B")) == ImageSet(
        frozenset("ab"), frozenset("B")
    )
