from pathlib import Path
from typing import Any

import pytest

from toolkit.config.training.augmentation import parse_augmentation
from toolkit.config.training.imgaug import IMGAUG_NAMES, is_imgaug, translate


def parsed(value: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    (transform,) = parse_augmentation(value)
    return transform.name, dict(transform.arguments)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Fliplr": 0.5}, ("HorizontalFlip", {"p": 0.5})),
        ({"Flipud": None}, ("VerticalFlip", {"p": 1.0})),
        ({"Noop": None}, ("NoOp", {"p": 1.0})),
        ({"Invert": 0.1}, ("InvertImg", {"p": 0.1})),
        ({"Multiply": (0.8, 1.2)},
         ("MultiplicativeNoise", {"multiplier": (0.8, 1.2), "per_channel": False, "elementwise": False, "p": 1.0})),
        ({"Multiply": 1.1},
         ("MultiplicativeNoise", {"multiplier": (1.1, 1.1), "per_channel": False, "elementwise": False, "p": 1.0})),
        ({"Add": (-51, 51)},
         ("RandomBrightnessContrast", {"brightness_limit": (-0.2, 0.2), "contrast_limit": (0.0, 0.0), "p": 1.0})),
        ({"ContrastNormalization": (0.5, 1.5)}, ("LinearContrast", {"alpha": (0.5, 1.5), "p": 1.0})),
        ({"GammaContrast": (0.5, 2)}, ("RandomGamma", {"gamma_limit": (50.0, 200), "p": 1.0})),
        ({"GaussianBlur": {"sigma": (0.5, 2)}}, ("GaussianBlur", {"sigma_limit": (0.5, 2), "blur_limit": 0, "p": 1.0})),
        ({"GaussianBlur": (0, 2)}, ("GaussianBlur", {"sigma_limit": (0.001, 2), "blur_limit": 0, "p": 1.0})),
        ({"AverageBlur": (2, 7)}, ("Blur", {"blur_limit": (3, 7), "p": 1.0})),
        ({"AdditiveGaussianNoise": {"scale": 25.5}},
         ("GaussNoise", {"std_range": (0.1, 0.1), "mean_range": (0.0, 0.0), "per_channel": False, "p": 1.0})),
        ({"Dropout": 0.1}, ("PixelDropout", {"dropout_prob": 0.1, "per_channel": False, "p": 1.0})),
        ({"Dropout": (0, 0.1)}, ("SaltAndPepper", {"amount": (0, 0.1), "salt_vs_pepper": (0.0, 0.0), "p": 1.0})),
        ({"Crop": {"percent": (0, 0.1)}}, ("CropAndPad", {"percent": (-0.1, 0), "p": 1.0})),
        ({"ElasticTransformation": {"alpha": (20, 60), "sigma": 5}},
         ("ElasticTransform", {"alpha": 40, "sigma": 5, "p": 1.0})),
        ({"TranslateX": {"percent": (-0.1, 0.1)}},
         ("Affine", {"translate_percent": {"x": (-0.1, 0.1), "y": (0, 0)}, "p": 1.0})),
    ],
)  # fmt: skip
def test_a_word_of_imgaug_becomes_one_of_albumentations(value: dict[str, Any], expected: Any) -> None:
    name, arguments = parsed(value)
    assert name == expected[0]
    assert set(arguments) == set(expected[1])
    for key, wanted in expected[1].items():
        assert arguments[key] == (pytest.approx(wanted) if not isinstance(wanted, dict) else wanted), key


def test_the_affine_of_the_ancestors_page() -> None:
    """A pair scales both axes alike; translations are drawn for each axis; no probability means always."""
    value = {
        "scale": (0.8, 1.5), "translate_percent": {"x": (-0.2, 0.2), "y": (-0.1, 0.1)}, "rotate": (-16, 16), "shear": 5,
    }  # fmt: skip
    assert parsed({"Affine": value}) == (
        "Affine",
        {
            "scale": {"x": (0.8, 1.5), "y": (0.8, 1.5)},
            "keep_ratio": True,
            "translate_percent": {"x": (-0.2, 0.2), "y": (-0.1, 0.1)},
            "rotate": (-16, 16),
            "shear": {"x": (5, 5), "y": (0.0, 0.0)},
            "p": 1.0,
        },
    )
    assert parsed({"Affine": {"rotate": 7, "mode": "reflect", "cval": 9, "order": 0}})[1] == {
        "rotate": (7, 7), "border_mode": 4, "fill": 9, "interpolation": 0, "p": 1.0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "imgaugs"),
    [
        ("Affine", {"scale": (0.9, 1.1)}, True),
        ("Affine", {"scale": (0.9, 1.1), "p": 0.5}, False),
        ("Affine", {"scale": (0.9, 1.1), "p": 0.5, "cval": 0}, True),
        ("Affine", {"scale": (0.9, 1.1), "keep_ratio": True}, False),
        ("Affine", 0.5, False),
        ("Affine", None, False),
        ("GaussianBlur", 0.5, False),
        ("GaussianBlur", (0, 1), True),
        ("GaussianBlur", {"sigma": 1, "p": 0.5}, True),
        ("GaussianBlur", {"sigma_limit": 1}, False),
        ("CoarseDropout", {"p": 0.5}, False),
        ("CoarseDropout", {"p": 0.5, "size_percent": 0.1}, True),
        ("Fliplr", 0.5, True),
        ("HorizontalFlip", 0.5, False),
    ],
)
def test_names_of_both_libraries_are_told_apart_by_their_arguments(name: str, value: Any, imgaugs: bool) -> None:
    assert is_imgaug(name, value) is imgaugs


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("Multiply", {"mul": "much"}, "a number or a pair"),
        ("Multiply", {"mul": (1.2, 0.8)}, "lower value first"),
        ("Multiply", {"mul": 1, "per_channel": 0.5}, "per_channel"),
        ("Affine", {"mode": "mirror"}, "choose from constant, edge, symmetric, wrap, reflect"),
        ("Affine", {"scale": {"z": 1}}, "expected x, y or both"),
        ("Affine", {"order": 2}, "order"),
        ("Affine", {"cval": (0, 255)}, "cval"),
        ("Dropout", {"p": (0, 0.1), "per_channel": True}, "one number"),
        ("EdgeDetect", {"alpha": 1}, "nothing like it"),
        ("CoarseDropout", {"size_percent": 0.1}, "num_holes_range"),
        ("PadToFixedSize", {"width": 1}, "size"),
    ],
)
def test_what_has_no_counterpart_is_refused(name: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        translate(name, arguments)


def test_the_table_of_the_page_has_every_name() -> None:
    page = (Path(__file__).parents[3] / "docs" / "augmentation.md").read_text("utf-8")
    assert not [name for name in IMGAUG_NAMES if f"`{name}`" not in page]
