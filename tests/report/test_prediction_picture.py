import numpy as np
import pytest

from toolkit.report import drawing
from toolkit.report.colours import CLASS_COLOURS, IGNORE_COLOUR, IGNORE_STRENGTH
from toolkit.report.prediction_picture import Truth, prediction_picture


def draw(height: int, width: int, classes: int = 1, channels: int = 3) -> np.ndarray:
    image = np.full((height, width, channels), 90, np.uint8)
    masks = np.zeros((height, width, classes), np.bool_)
    for number in range(classes):
        masks[number :: classes + 1, :, number] = True
    names = [f"class number {number}" for number in range(classes)]
    probability = masks.astype(np.float32)
    return prediction_picture(image, probability, masks, name="a", title="exp042", classes=names)


def colours_in(picture: np.ndarray) -> set[tuple[int, ...]]:
    return set(map(tuple, picture.reshape(-1, 3).tolist()))


def test_small_images_are_enlarged_and_large_ones_reduced() -> None:
    assert draw(32, 64).shape[1] > 3 * 256
    assert draw(600, 1200).shape[1] < 3 * 1024 + 100
    assert draw(1, 300).shape[2] == 3


def test_every_class_has_its_colour_in_image_and_legend() -> None:
    picture = draw(300, 300, classes=3)
    assert set(CLASS_COLOURS[:3]) <= colours_in(picture)


def test_very_many_classes_have_a_legend_of_those_that_occur() -> None:
    few = draw(256, 256, classes=40).shape[0]
    assert few < 256 + 400


def test_very_large_images_are_drawn_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 1500, 3), np.uint8)
    masks = np.zeros((300, 1500, 1), np.bool_)
    masks[41:213, 200:1203] = True
    probability = masks * np.float32(0.8)

    def picture() -> np.ndarray:
        return prediction_picture(image, probability, masks, name="a", title="exp042", classes=["salt"]).astype(int)

    usual = picture()
    monkeypatch.setattr(drawing, "_VERY_LARGE", 1)
    assert np.abs(picture() - usual).max() <= 2


def test_any_number_of_channels_is_drawn() -> None:
    for channels in (1, 2, 3, 5):
        assert draw(40, 40, channels=channels).dtype == np.uint8


def test_the_truth_is_drawn_beside_the_prediction() -> None:
    image = np.full((300, 300, 3), 90, np.uint8)
    masks, true, ignored = (
        np.zeros((300, 300, 2), np.bool_),
        np.zeros((300, 300, 2), np.bool_),
        np.zeros((300, 300), bool),
    )
    masks[:100, :, 0], true[:150, :, 1], ignored[200:] = True, True, True

    def drawn(truth: Truth | None) -> np.ndarray:
        probability = masks.astype(np.float32)
        names = ["one", "two"]
        return prediction_picture(image, probability, masks, name="a", title="exp", classes=names, truth=truth)

    plain, compared = drawn(None), drawn(Truth(true, ignored))
    assert compared.shape[1] - plain.shape[1] > 300
    top = 200
    assert np.array_equal(plain[top:300, :900], compared[top:300, :900])
    tile = compared[:, 935:]
    assert CLASS_COLOURS[1] in colours_in(tile)
    assert CLASS_COLOURS[0] not in colours_in(tile)
    assert tile[270, 100].tolist() == [90, 90, 90]
    assert tile[380, 100].tolist() == [round(90 + IGNORE_STRENGTH * (value - 90)) for value in IGNORE_COLOUR]
