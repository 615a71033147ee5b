"""What an image without a label means: the same for mask files, files per class, COCO and labelme.

Tables are in tests/files/masks/test_rle_tables.py.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolkit.config.loading import load_config
from toolkit.core.images.windows import Window
from toolkit.errors import DataError
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.inspection.checking import check_training_data, file_findings
from toolkit.files.inspection.data_summary import summary_of
from toolkit.files.inspection.examining import examine_labelled
from toolkit.messages import Silent

SIZE = (6, 9)
Draw = Callable[..., Path]
SQUARE = [[1, 1], [4, 1], [4, 4], [1, 4]]


def files(draw: Draw) -> str:
    draw("masks/a.png", mask())
    return "masks: masks"


def inverted(draw: Draw) -> str:
    draw("masks/a.png", 1 - mask())
    return "masks: masks, mask_values: [0]"


def instances(draw: Draw) -> str:
    draw("masks/a.png", 7 * mask())
    return "masks: masks, mask_encoding: instances"


def classes_in_folders(draw: Draw) -> str:
    draw("masks/foreground/a.png", mask())
    return 'masks: masks, mask_name: "{class}/{id}.png"'


def labelme(draw: Draw) -> str:
    folder = draw("masks/none.txt.png").parent
    (folder / "none.txt.png").unlink()
    shape = {"label": "foreground", "points": SQUARE, "shape_type": "polygon"}
    content = {"shapes": [shape], "imageHeight": SIZE[0], "imageWidth": SIZE[1]}
    (folder / "a.json").write_text(json.dumps(content))
    return "masks: masks"


def coco(draw: Draw) -> str:
    path = draw("images/a.png").parents[1] / "coco.json"
    flat = [float(number) for point in SQUARE for number in point]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": SIZE[0], "width": SIZE[1]}],
        "categories": [{"id": 1, "name": "foreground"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [flat]}],
    }
    path.write_text(json.dumps(content))
    return "masks: coco.json"


def mask() -> np.ndarray:
    drawn = np.zeros(SIZE, np.uint8)
    drawn[1:4, 1:4] = 1
    return drawn


@pytest.fixture(params=[files, inverted, instances, classes_in_folders, labelme, coco], ids=lambda kind: kind.__name__)
def find(request: pytest.FixtureRequest, draw: Draw, tmp_path: Path) -> Callable[[str], LabelledImages]:
    """Images a and b, of which only a has a label."""

    def find(unlabelled: str) -> LabelledImages:
        for name in ("images/a.png", "images/b.png"):
            draw(name)
        keys = f"{{images: images, {request.param(draw)}{unlabelled}}}"
        (tmp_path / "config.yaml").write_text(f"data: {keys}\nstages: [{{epochs: 1}}]\n")
        return find_labelled(load_config(tmp_path / "config.yaml").config)

    return find


def test_by_default_it_is_an_error_that_names_the_key(find: Callable[[str], LabelledImages]) -> None:
    for keys in ("", ", unlabelled: error"):
        with pytest.raises(DataError, match="b: the mask is missing") as told:
            check_training_data(find(keys), Silent())
        assert "unlabelled: empty" in told.value.advice
        assert "unlabelled: leave_out" in told.value.advice


def test_left_out_images_are_not_used(find: Callable[[str], LabelledImages]) -> None:
    data = find(", unlabelled: leave_out")
    assert data.images.ids == ("a",)
    assert check_training_data(data, Silent()).coverage[0] > 0


def test_an_empty_image_is_background_whatever_the_values_mean(find: Callable[[str], LabelledImages]) -> None:
    data = find(", unlabelled: empty")
    assert data.images.ids == ("a", "b")
    assert data.read_labels("a").any()
    assert not data.read_labels("b").any()
    assert data.window_labels("b", Window(1, 2, 3, 4)).shape == (3, 4)
    assert not data.window_labels("b", Window(1, 2, 3, 4)).any()
    objects = data.read_objects("b")
    assert objects is None or not objects.any()
    facts = examine_labelled(data, Silent(), "")
    assert [one.coverage > 0 for one in facts] == [True, False]
    assert summary_of(facts, data.images, data.masks).empty == 1
    assert not any(found.level == "error" for found in file_findings(facts, data.images, data.masks))


def test_exclusive_classes_get_their_background(draw: Draw, tmp_path: Path) -> None:
    for name in ("images/a.png", "images/b.png"):
        draw(name)
    draw("masks/a.png", 2 * mask())
    (tmp_path / "config.yaml").write_text(
        "data: {images: images, masks: masks, unlabelled: empty, mask_values: {sky: 0, road: 1, car: 2}}\n"
        "activation: softmax\nloss: categorical_crossentropy\nstages: [{epochs: 1}]\n"
    )
    data = find_labelled(load_config(tmp_path / "config.yaml").config)
    assert data.read_labels("a").max() == 2
    assert not data.read_labels("b").any()
