from collections.abc import Callable
from pathlib import Path

import numpy as np

from toolkit.config.data.data import SourceKeys
from toolkit.core.masks.labels import Classes
from toolkit.files.data.finding import find_source
from toolkit.files.inspection.data_summary import class_shares, summary_of
from toolkit.files.inspection.examining import examine_labelled
from toolkit.messages import Silent

CLASSES = Classes(("one", "two"), "sigmoid", ((1,), (2,)), (9,))


def test_images_and_masks_are_summed_up(draw: Callable[..., Path], tmp_path: Path) -> None:
    for image_id, mask in (("a", [[1, 1, 2, 9]]), ("b", [[0, 0, 0, 0]]), ("c", [[1, 0, 0, 0]])):
        draw(f"images/{image_id}.png", np.array([[10, 20, 30, 40]], np.uint8))
        draw(f"masks/{image_id}.png", np.array(mask, np.uint8))
    draw("images/d.png", np.zeros((3, 4), np.uint8))
    data = find_source(SourceKeys(images=tmp_path / "images", masks=tmp_path / "masks"), CLASSES, 3, "data")
    facts = examine_labelled(data, Silent(), "examining")
    found = summary_of(facts, data.images, data.masks)
    assert (found.images, found.unusable, found.constant, found.values) == (4, 1, 0, (10, 40))
    assert (found.sizes, found.kinds) == ({"1×4": 3}, {"8-bit grey PNG": 4})
    assert (found.masks, found.mask_kinds, found.empty) == ("files", {"8-bit grey PNG": 3}, 1)
    assert found.ignored == 1 / 12
    assert ("empty masks", "1 (33%)") in found.rows()
    alone = summary_of(facts, data.images)
    assert (alone.masks, alone.empty) == ("", None)
    one, two = class_shares(facts, CLASSES, data.masks)
    assert (one.values, one.pixels, one.images) == ("1", 3 / 11, 2)
    assert two.row() == ("two", "2", "9.091%", "1", "33%")


def test_the_most_frequent_sizes_are_listed(draw: Callable[..., Path], tmp_path: Path) -> None:
    for number in range(5):
        for copy in range(1 + (number == 3)):
            draw(f"images/{number}{copy}.png", np.eye(2 + number, dtype=np.uint8))
            draw(f"masks/{number}{copy}.png", np.eye(2 + number, dtype=np.uint8))
    data = find_source(SourceKeys(images=tmp_path / "images", masks=tmp_path / "masks"), CLASSES, 3, "data")
    found = summary_of(examine_labelled(data, Silent(), "examining"), data.images)
    assert ("sizes", "5×5 (2), 2×2 (1), 3×3 (1), 4×4 (1), …") in found.rows()
