import base64
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from toolkit.report.page.blocks import Live
from toolkit.report.page.sections.gallery import gallery
from toolkit.report.page.values import PageValues


def test_maps_are_kept_without_loss(example_values: PageValues) -> None:
    section = gallery(example_values)
    assert section is not None
    (block,) = section.blocks
    assert isinstance(block, Live)
    shown = example_values.gallery.images[0]  # type: ignore[union-attr]
    content = base64.b64decode(block.data["images"][0]["planes"]["0"]["maps"].partition(",")[2])
    maps = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    planes = shown.planes[0]
    assert np.array_equal(maps, np.stack([planes.levels, planes.truth, planes.mask], -1))
    assert block.values["groups"] == [("worst", "worst"), ("best", "best"), ("label", "label in doubt")]
    assert block.values["folds"] == [0, 1, 2]


def test_classes_have_their_own_scores_and_doubts(made_up: Any) -> None:
    made = made_up(("first", "second"), "dice")
    section = gallery(made.values())
    assert section is not None
    (block,) = section.blocks
    assert isinstance(block, Live)
    pairs = made.of_classes(made.recipe)
    shown = [[image["planes"][str(index)]["kept"] for index in range(2)] for image in block.data["images"]]
    assert np.array_equal(shown, pairs)
    assert [image["planes"]["1"]["doubt"] > 0 for image in block.data["images"]][:6] == [*[False] * 4, True, False]


def test_without_images_there_is_no_section_but_the_reason(example_values: PageValues) -> None:
    assert gallery(replace(example_values, gallery=None)) is None
    section = gallery(replace(example_values, gallery=None, missing={"gallery": "the masks are gone"}))
    assert section is not None
