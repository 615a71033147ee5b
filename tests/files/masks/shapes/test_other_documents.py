from typing import Any

import pytest

from toolkit.files.masks.shapes.other_documents import kind_of


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ([{"id": 1, "annotations": [], "data": {"image": "a.png"}}], "label-studio-converter"),
        ({"_via_img_metadata": {}, "_via_settings": {}}, "VIA"),
        ({"a.png12": {"filename": "a.png", "regions": []}}, "VIA"),
        ({"imgHeight": 2, "imgWidth": 2, "objects": []}, "csCreateTrainIdLabelImgs"),
        ({"size": {}, "objects": []}, "Supervisely"),
        ({"shapes": []}, "labelme"),
        ({"images": [], "categories": []}, "without annotations"),
    ],
)
def test_documents_of_tools_are_told_by_their_keys(tree: Any, told: str) -> None:
    assert told in kind_of(tree)


@pytest.mark.parametrize("tree", [None, [], {}, [1], "text", {"images": [], "annotations": []}])
def test_other_json_has_no_kind(tree: Any) -> None:
    assert kind_of(tree) == ""
