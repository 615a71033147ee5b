from dataclasses import replace

import numpy as np

from toolkit.files.inspection.duplicate_findings import copies, like_extra, near_copies, shared_with_test
from toolkit.files.inspection.image_facts import ImageFacts

THUMBNAILS = np.random.default_rng(0).integers(0, 256, (4, 32, 32), np.uint8)


def facts(image_id: str, picture: str, drawn: str = "", thumbnail: int = 0) -> ImageFacts:
    return ImageFacts(image_id, picture=picture, drawn=drawn, thumbnail=THUMBNAILS[thumbnail])


def test_copies_are_reported_with_folds_and_with_masks_that_differ() -> None:
    several = [facts("a", "x", "1"), facts("b", "x", "1"), facts("c", "y", "2", 1), facts("d", "y", "3", 1)]
    unknown, different = copies(several, None)
    assert unknown.message == "4 of 4 images are copies of each other, in 2 groups"
    assert unknown.details == ("a = b", "c = d")
    assert different.message == "1 groups of exact copies have different masks"
    assert different.details == ("c = d",)
    divided, _ = copies(several, np.array([0, 0, 0, 1]))
    assert "1 of the groups are in several folds" in divided.message
    together, _ = copies(several, np.array([0, 0, 1, 1]))
    assert (together.level, together.message.endswith("each group is in one fold")) == ("note", True)


def test_constant_images_are_not_copies() -> None:
    assert not list(copies([replace(facts(name, "x"), is_constant=True) for name in "ab"], None))


def test_images_that_look_alike_are_near_copies_unless_their_pixels_are_the_same() -> None:
    (found,) = near_copies([facts("a", "x"), facts("b", "y"), facts("c", "z", thumbnail=1)], None)
    assert (found.check, found.ids) == ("near duplicates", ("a", "b"))
    assert not list(near_copies([facts("a", "x"), facts("b", "x")], None))


def test_training_images_among_test_and_extra_images_are_reported() -> None:
    train = [facts("a", "x"), facts("b", "y", thumbnail=1), facts("c", "z", thumbnail=2)]
    exact, near = shared_with_test(train, [facts("t", "x"), facts("u", "w", thumbnail=1)])
    assert (exact.message, exact.ids) == ("1 of 3 training images are also test images", ("a",))
    assert (near.message, near.ids) == ("1 of 3 training images look like test images", ("b",))
    (extra,) = like_extra(train, [facts("e", "v", thumbnail=2), facts("f", "q", thumbnail=3)], "more")
    assert extra.message.startswith("1 of 2 images of more look like images that folds hold out")
    assert extra.ids == ("e",)
