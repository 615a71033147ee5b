import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.config.data.classes import task_classes
from toolkit.config.data.data import SourceKeys
from toolkit.core.masks.labels import BINARY, Activation, Classes
from toolkit.files.data.finding import find_source
from toolkit.files.inspection.checking import training_findings
from toolkit.files.inspection.data_findings import DataFinding
from toolkit.files.inspection.data_summary import codes_of
from toolkit.files.inspection.examining import examine_labelled
from toolkit.files.inspection.value_findings import united_labels
from toolkit.messages import Silent

Draw = Callable[..., Path]


def findings(
    keys: SourceKeys, names: tuple[str, ...] = ("foreground",), activation: Activation = "sigmoid"
) -> list[DataFinding]:
    data = find_source(keys, task_classes(names, activation, keys), 3, "data")
    return training_findings(data, examine_labelled(data, Silent(), "examining"))


def of(found: list[DataFinding], check: str) -> list[DataFinding]:
    return [one for one in found if one.check == check]


@pytest.fixture
def keys(draw: Draw, tmp_path: Path) -> SourceKeys:
    """Four images; each mask has every value from 0 to 3, in several components."""
    values = np.tile(np.arange(4, dtype=np.uint8).repeat(2), (8, 2))
    for number in range(4):
        draw(f"images/{number}.png", np.random.default_rng(number).integers(0, 256, (8, 16), np.uint8))
        draw(f"masks/{number}.png", np.roll(values, number))
    return SourceKeys(images=tmp_path / "images", masks=tmp_path / "masks")


def test_values_that_a_single_class_unites_are_reported(keys: SourceKeys) -> None:
    (told,) = of(findings(keys), "values")
    assert told.level == "warning"
    assert "masks hold the values 0, 1, 2, 3, but there is one class, foreground" in told.message
    assert "data.mask_values: [[1, 2, 3]]" in told.advice
    assert not of(findings(keys.model_copy(update={"mask_values": ((1, 2, 3),)})), "values")
    assert not of(findings(keys, ("a", "b", "c", "d"), "softmax"), "values")


def test_binary_masks_and_numbered_objects_are_not_taken_for_classes(draw: Draw, tmp_path: Path) -> None:
    for number in range(6):
        objects = np.zeros((8, 16), np.uint8)
        for place in range(1, 3 + number):
            objects[::2][place % 4, 2 * place : 2 * place + 1] = place
        for name, mask in (("images", np.random.default_rng(number).integers(0, 256, (8, 16), np.uint8)),
                           ("objects", objects), ("masks", (objects > 0) * np.uint8(255))):  # fmt: skip
            draw(f"{name}/{number}.png", mask)
    for masks in ("masks", "objects"):
        assert not of(findings(SourceKeys(images=tmp_path / "images", masks=tmp_path / masks)), "values")


def test_colours_without_data_colors_are_listed(keys: SourceKeys, draw: Draw, tmp_path: Path) -> None:
    colours = np.array([(0, 0, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0)], np.uint8)
    for number in range(4):
        draw(f"masks/{number}.png", colours[np.tile(np.arange(4).repeat(2), (8, 2))])
    (told,) = of(findings(keys, ("a", "b", "c", "d"), "softmax"), "files")
    assert "data.colors" in told.advice
    assert "4 colours" in told.advice
    for colour in ("#000000", "#ff0000", "#00ff00", "#0000ff"):
        assert colour in told.advice
    assert "mask_values" not in told.advice
    (told,) = of(findings(keys), "values")
    assert "4 colours" in told.message
    assert "data.colors" in told.advice


def test_a_colour_that_differs_a_little_is_a_fault_of_the_configuration(keys: SourceKeys, draw: Draw) -> None:
    for number in range(4):
        draw(f"masks/{number}.png", np.full((8, 16, 3), (255, 0, 0), np.uint8))  # blue
    colours = {"sea": (0, 0, 254), "land": (0, 255, 0)}
    named = keys.model_copy(update={"colors": colours})
    (told,) = of(findings(named, ("sea", "land")), "files")
    assert "data.colors" in told.advice
    assert "Repair" not in told.advice


def written(keys: SourceKeys, draw: Draw, masks: list[np.ndarray]) -> list[DataFinding]:
    """The findings about values if the masks are these."""
    for number, mask in enumerate(masks):
        draw(f"masks/{number}.png", mask)
    return of(findings(keys), "values")


@pytest.fixture
def binary() -> list[np.ndarray]:
    masks = []
    for number in range(4):
        mask = np.zeros((8, 16), np.uint8)
        mask[2:6, 2 + number : 9 + number] = 1
        masks.append(mask)
    return masks


def test_sound_masks_have_no_finding(keys: SourceKeys, draw: Draw, binary: list[np.ndarray]) -> None:
    opaque = [np.dstack([mask * 255] * 3 + [mask * 0 + 255]) for mask in binary]
    for masks in (binary, [mask * 255 for mask in binary], [mask * np.uint16(65535) for mask in binary], opaque):
        assert not written(keys, draw, masks)


def test_ignored_pixels_do_not_become_foreground_in_silence(
    keys: SourceKeys, draw: Draw, binary: list[np.ndarray]
) -> None:
    for mask in binary:
        mask[0] = 255
    (told,) = written(keys, draw, binary)
    assert told.level == "error"
    assert "Write under data: ignore: 255." in told.advice
    assert not of(findings(keys.model_copy(update={"ignore": 255})), "values")


def test_specks_of_compression_do_not_become_foreground_in_silence(
    keys: SourceKeys, draw: Draw, binary: list[np.ndarray]
) -> None:
    random = np.random.default_rng(0)
    masks = [np.clip(mask * 255 + random.integers(-30, 30, mask.shape), 0, 255) for mask in binary]
    (told,) = written(keys, draw, [mask.astype(np.uint8) for mask in masks])
    assert told.level == "error"
    assert "value_ranges: {foreground: [128, 255]}" in told.advice
    ranges = keys.model_copy(update={"value_ranges": {"foreground": (128, 255)}})
    assert not of(findings(ranges), "values")


def test_grey_levels_in_jpeg_files_are_told(draw: Draw, tmp_path: Path) -> None:
    for number in range(4):
        draw(f"images/{number}.png", np.random.default_rng(number).integers(0, 256, (64, 64), np.uint8))
        mask = np.zeros((64, 64), np.uint8)
        mask[8:30, 8 + number : 40], mask[40:60, 8:50] = 128, 255
        draw(f"masks/{number}.jpg", mask)
    keys = SourceKeys(images=tmp_path / "images", masks=tmp_path / "masks")
    (told,) = of(findings(keys), "values")
    assert "value_ranges: {level_0: [0, 63], level_128: [64, 191], level_255: [192, 255]}" in told.advice
    assert not of(findings(keys.model_copy(update={"value_ranges": {"foreground": (64, 255)}})), "values")


def test_an_alpha_channel_that_is_the_mask_is_told(keys: SourceKeys, draw: Draw, binary: list[np.ndarray]) -> None:
    (told,) = written(keys, draw, [np.dstack([mask * 0 + 200] * 3 + [mask * 255]) for mask in binary])
    assert told.level == "error"
    assert "mask_encoding: channels; mask_values: [3]" in told.advice
    (told,) = of(findings(keys.model_copy(update={"mask_values": ((200,),)})), "alpha")
    assert told.level == "warning"


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_channel_for_each_class_is_told(
    keys: SourceKeys, binary: list[np.ndarray], activation: Activation, tmp_path: Path
) -> None:
    for number, mask in enumerate(binary):
        (tmp_path / f"masks/{number}.png").unlink()
        mask[0] = 2
        mask[1] = 3
        planes = np.eye(4, dtype=np.uint8)[mask]
        planes[..., 0] |= np.uint8(activation == "sigmoid")
        np.save(tmp_path / f"masks/{number}.npy", planes)
    (told,) = of(findings(keys), "values")
    assert told.level == "error"
    assert "4 channels" in told.message
    assert "mask_encoding: channels" in told.advice
    assert f"classes: [class_0, class_1, class_2, class_3]; activation: {activation}" in told.advice
    names = ("a", "b", "c", "d")
    (told,) = of(findings(keys, names, activation), "values")
    assert "read as numbers of classes" in told.message
    assert not of(findings(keys.model_copy(update={"mask_encoding": "channels"}), names, activation), "values")


def test_a_background_that_is_not_0_is_told(keys: SourceKeys, draw: Draw, binary: list[np.ndarray]) -> None:
    (told,) = written(keys, draw, [mask + 1 for mask in binary])
    assert "mask_values: [2]" in told.advice


def test_palettes_read_by_colour_are_noted(keys: SourceKeys, draw: Draw, binary: list[np.ndarray]) -> None:
    for number, mask in enumerate(binary):
        path = draw(f"masks/{number}.png", mask)
        image = Image.fromarray(1 - mask)
        image.putpalette([255, 255, 255, 0, 0, 0])
        image.save(path)
    (told,) = of(findings(keys), "palettes")
    assert told.level == "note"
    assert "palette: index" in told.advice


def test_masks_that_are_the_same_everywhere_are_told(keys: SourceKeys, draw: Draw, binary: list[np.ndarray]) -> None:
    for number in range(6):
        draw(f"images/{number}.png", np.random.default_rng(number).integers(0, 256, (8, 16), np.uint8))
    (told,) = written(keys, draw, [binary[0]] * 6)
    assert "nearly the same in all images" in told.message


def test_files_of_each_class_with_blurred_values_are_told(keys: SourceKeys, draw: Draw) -> None:
    random = np.random.default_rng(0)
    for number in range(4):
        draw(f"masks/cell/{number}.png", random.integers(0, 256, (8, 16), np.uint8))
    (told,) = of(findings(keys.model_copy(update={"mask_name": "{class}/{id}.png"}), ("cell",)), "values")
    assert "belongs to the class of the file" in told.message


def test_files_of_each_class_with_a_channel_for_each_class_are_told(keys: SourceKeys, tmp_path: Path) -> None:
    (tmp_path / "masks/cell").mkdir()
    for number in range(4):
        planes = np.eye(4, dtype=np.uint8)[np.indices((8, 16))[0] // 2]
        np.save(tmp_path / f"masks/cell/{number}.npy", planes)
    found = of(findings(keys.model_copy(update={"mask_name": "{class}/{id}.npy"}), ("cell",)), "values")
    assert any("belongs to the class of the file" in one.message for one in found)


def test_labels_that_no_class_has_are_reported_with_the_nearest(draw: Draw, tmp_path: Path) -> None:
    for number in range(4):
        draw(f"images/{number}.png", np.random.default_rng(number).integers(0, 256, (8, 16), np.uint8))
        points = [[1, 1], [6, 1], [6, 6]]
        shapes = [{"label": "Cluster" if number < 3 else "cluster", "points": points, "shape_type": "polygon"}]
        tree = {"imageHeight": 8, "imageWidth": 16, "shapes": shapes}
        (tmp_path / "drawn").mkdir(exist_ok=True)
        (tmp_path / "drawn" / f"{number}.json").write_text(json.dumps(tree))
    keys = SourceKeys(images=tmp_path / "images", masks=tmp_path / "drawn", mask_name="{id}.json")
    (told,) = of(findings(keys, ("background", "cluster"), "softmax"), "labels")
    assert told.level == "warning"
    assert "Cluster (in 3 files; did you mean cluster?)" in told.message
    assert told.ids == ("0", "1", "2")
    assert not of(findings(keys), "labels")  # a single unnamed class has every shape
    assert not of(findings(keys, ("cluster", "Cluster")), "labels")


@pytest.mark.parametrize(
    ("keys", "classes", "codes"),
    [
        ({"value_ranges": {"dark": (0, 49), "light": (50, 255)}}, (("dark", "light"), "sigmoid"), ["0–49", "50–255"]),
        (
            {"value_ranges": {"low": (10, 49), "high": (50, 255)}},
            (("rest", "low", "high"), "softmax"),
            ["all other values", "10–49", "50–255"],
        ),
        (
            {"masks": "masks", "colors": {"sea": "#0000ff", "land": "#00ff00"}},
            (("sea", "land"), "sigmoid"),
            ["#0000ff", "#00ff00"],
        ),
        ({"masks": "masks", "mask_encoding": "bits"}, (("a", "b"), "sigmoid"), ["bit 0", "bit 1"]),
        ({"masks": "masks"}, (("a", "b"), "sigmoid"), ["1", "2"]),
        ({"masks": "masks"}, (("one",), "sigmoid"), ["above 0"]),
    ],
)
def test_classes_are_told_by_what_marks_them_in_the_files(
    draw: Draw,
    tmp_path: Path,
    keys: dict[str, object],
    classes: tuple[tuple[str, ...], Activation],
    codes: list[str],
) -> None:
    names, activation = classes
    draw("images/a.png")
    draw("masks/a.png", np.zeros((6, 9), np.uint8))
    folders = {key: tmp_path / str(value) for key, value in keys.items() if key == "masks"}
    source = SourceKeys.model_validate({**keys, **folders, "images": tmp_path / "images"})
    data = find_source(source, task_classes(names, activation, source), 3, "data")
    assert codes_of(data.classes, data.masks) == codes


def test_labels_that_a_single_class_unites_are_a_note(tmp_path: Path, draw: Draw) -> None:
    draw("images/a.png", np.zeros((8, 8), np.uint8))
    boxes = [
        {"label": label, "points": [[1, 1], [4, 4]], "shape_type": "rectangle"} for label in ("cat", "dog", "void")
    ]
    tree = {"imageHeight": 8, "imageWidth": 8, "shapes": boxes}
    (tmp_path / "shapes").mkdir()
    (tmp_path / "shapes/a.json").write_text(json.dumps(tree))
    keys = SourceKeys(images=tmp_path / "images", masks=tmp_path / "shapes")
    (found,) = united_labels(find_source(keys, BINARY, 3, "data"))
    assert (found.level, found.advice) == ("note", "For several classes: classes: [cat, dog]")
    two = Classes(("cat", "dog"), "sigmoid", ((), ()))
    assert list(united_labels(find_source(keys, two, 3, "data"))) == []
