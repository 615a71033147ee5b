"""Covers toolkit/learning/augmentation/augmentation.py, transforms.py and transform_checks.py."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.config.loading import load_config
from toolkit.config.stage_values import read_stage
from toolkit.config.training.augmentation import PRESETS, parse_augmentation
from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.core.arrays import Image, Labels
from toolkit.core.masks.labels import IGNORE
from toolkit.errors import ConfigError
from toolkit.learning.augmentation.augmentation import Augmentation, FixedTransforms
from toolkit.learning.training.plan import build_augmentation

pytestmark = pytest.mark.tf

SHAPE = (24, 40, 3)
MINIMAL = "data: {images: a, masks: b}\nstages: [{epochs: 1}]\n"


def where(path: KeyPath) -> str:
    return f"config.yaml:1: {'.'.join(map(str, ('augmentation', *path)))}"


def augmentation(value: Any, shape: tuple[int, int, int] = SHAPE, **options: Any) -> Augmentation:
    return Augmentation(parse_augmentation(value, options.get("plugins", ())), where, shape, **options)


def fixed(value: Any, channels: int = 3, **options: Any) -> FixedTransforms:
    return FixedTransforms(parse_augmentation(value, options.get("plugins", ())), where, channels, **options)


def sample(channels: int = 3) -> tuple[Image, Labels]:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (*SHAPE[:2], channels), dtype=np.uint8)
    return image, (image[..., 0] > 128).astype(np.uint8)


def blank(size: tuple[int, int] = (24, 40), value: int = 1) -> tuple[Image, Labels]:
    return np.full((*size, 3), 200, np.uint8), np.full(size, value, np.uint8)


def test_a_seed_gives_the_same_sample_whatever_the_thread_and_the_order() -> None:
    augment = augmentation({
        "HorizontalFlip": 0.5, "Affine": {"rotate": (-30, 30), "p": 0.7},
        "OneOf": {"transforms": {"ToGray": 1, "CLAHE": 1}}, "GaussNoise": 0.5,
    })  # fmt: skip
    one_by_one = [augment(*sample(), seed)[0] for seed in range(60)]
    with ThreadPoolExecutor(4) as pool:
        in_threads = list(pool.map(lambda seed: augment(*sample(), seed)[0], reversed(range(60))))[::-1]
    assert all(map(np.array_equal, one_by_one, in_threads))
    assert len({result.tobytes() for result in one_by_one}) > 50


def test_transforms_of_equal_probability_are_drawn_independently() -> None:
    """albumentations gives all transforms the same seed, with which both flips would always coincide."""
    augment = augmentation({"Fliplr": 0.5, "Flipud": 0.5})
    image, labels = sample()
    ways = [image, image[:, ::-1], image[::-1], image[::-1, ::-1]]
    results = [augment(image, labels, seed)[0] for seed in range(400)]
    counts = [sum(np.array_equal(result, way) for result in results) for way in ways]
    assert sum(counts) == 400
    assert min(counts) > 60


def test_image_and_labels_move_together_any_number_of_times() -> None:
    image, labels = sample()
    turned = augmentation(({"HorizontalFlip": 1}, {"VerticalFlip": 1.0}))(image, labels, 1)
    assert np.array_equal(turned[0], image[::-1, ::-1])
    assert np.array_equal(turned[1], labels[::-1, ::-1])
    twice = augmentation(({"Fliplr": 1}, {"HorizontalFlip": 1}))(image, labels, 1)
    assert np.array_equal(twice[0], image)


def test_a_transform_that_only_has_advice_is_taken() -> None:
    augmentation({"ShiftScaleRotate": 0.5})


def test_no_augmentation_changes_nothing() -> None:
    image, labels = augmentation({})(*sample(), 5)
    assert np.array_equal(image, sample()[0])
    assert np.array_equal(labels, sample()[1])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("channels", [1, 3, 4, 5])
def test_presets_do_any_number_of_channels_and_make_no_new_labels(preset: str, channels: int) -> None:
    augment = augmentation(preset, (*SHAPE[:2], channels), labels=range(5))
    random = np.random.default_rng(1)
    labels = random.choice(np.array([0, 1, 2, 3, 4, IGNORE], np.uint8), SHAPE[:2])
    for seed in range(20):
        image, changed = augment(sample(channels)[0], labels, seed)
        assert (image.shape, image.dtype) == ((*SHAPE[:2], channels), np.uint8)
        assert set(np.unique(changed)) <= {0, 1, 2, 3, 4, IGNORE}


@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_of_a_preset_is_left_out_of_colour_images(preset: str) -> None:
    """A preset that is written out is a list like any other: transforms that cannot be used are an error."""
    written, named = augmentation(tuple(PRESETS[preset])), augmentation(preset)
    for seed in range(30):
        assert np.array_equal(written(*sample(), seed)[0], named(*sample(), seed)[0])


def add(image: Image, labels: Labels, generator: np.random.Generator, value: int) -> tuple[Image, Labels]:
    return image + np.uint8(value), labels


def test_some_of_applies_as_many_as_its_range_says() -> None:
    three = tuple({"add": {"value": value}} for value in (1, 10, 100))
    augment = augmentation({"SomeOf": {"n": (0, 2), "transforms": three}}, plugins={"add": add})
    image = np.zeros(SHAPE, np.uint8)
    sums = {int(augment(image, image[..., 0], seed)[0].max()) for seed in range(100)}
    assert sums == {0, 1, 10, 100, 11, 101, 110}


def test_one_of_applies_exactly_one() -> None:
    two = ({"add": {"value": 1}}, {"add": {"value": 10}})
    augment = augmentation({"OneOf": {"transforms": two}}, plugins={"add": add})
    image = np.zeros(SHAPE, np.uint8)
    assert {int(augment(image, image[..., 0], seed)[0].max()) for seed in range(30)} == {1, 10}


@pytest.mark.parametrize(("options", "expected"), [({}, 0), ({"fill_label": IGNORE}, IGNORE), ({"fill_label": 2}, 2)])
def test_pixels_from_outside_have_the_fill_label(options: dict[str, int], expected: int) -> None:
    shift = {"Affine": {"translate_px": {"x": (10, 10)}, "p": 1.0}}
    _, labels = augmentation(shift, labels=range(4), **options)(*blank(), 0)
    assert np.unique(labels[:, :10]).tolist() == [expected]
    assert np.unique(labels[:, 10:]).tolist() == [1]


def test_holes_keep_their_labels_and_an_explicit_fill_mask_is_used() -> None:
    hole = {"num_holes_range": (1, 1), "hole_height_range": (0.5, 0.5), "hole_width_range": (0.5, 0.5), "p": 1}
    image, labels = augmentation({"CoarseDropout": hole}, fill_label=IGNORE)(*blank(), 0)
    assert (image == 0).any()
    assert (labels == 1).all()
    _, labels = augmentation({"CoarseDropout": {**hole, "fill_mask": 0}}, fill_label=IGNORE)(*blank(), 0)
    assert (labels == 0).any()


def stripes(image: Image, labels: Labels, generator: np.random.Generator, width: int = 4) -> tuple[Image, Labels]:
    start = int(generator.integers(image.shape[1] - width))
    image[:, start : start + width] = 0
    labels[:, start : start + width] = 0
    return image, labels


def test_a_function_of_plugins_draws_from_the_seed_alone_and_can_be_in_groups() -> None:
    value = {"OneOf": {"transforms": ({"stripes": {"width": 8}}, {"package.stripes": {"p": 1}})}}
    augment = augmentation(value, plugins={"stripes": stripes, "package.stripes": stripes})
    image, labels = blank()
    results = [augment(image, labels, seed) for seed in range(30)]
    assert (image == 200).all()
    assert (labels == 1).all()
    assert {int((changed == 0).sum()) for _, changed in results} == {8 * 24, 4 * 24}
    assert len({changed.tobytes() for _, changed in results}) > 10
    assert all(np.array_equal(results[seed][0], augment(image, labels, seed)[0]) for seed in range(30))


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (lambda image, labels, generator: image, "cannot|turns|labels"),
        (lambda image, labels, generator: (image[:, :5], labels), "turns a trial image"),
        (lambda image, labels, generator: (image / 2, labels), "float64"),
        (lambda image, labels, generator: (image, labels + np.uint8(7)), "labels that the data do not have: 6, 7, 8"),
        (lambda image, labels: (image, labels), "cannot be called"),
        (lambda image, labels, generator: 1 / 0, "division by zero"),
    ],
)
def test_a_function_of_plugins_that_cannot_be_used_is_an_error(own: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"augmentation\.mine: .*({words})"):
        augmentation({"mine": None}, plugins={"mine": own})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"HorizontalFlop": 0.5}, ["augmentation.HorizontalFlop", "did you mean 'HorizontalFlip'"]),
        ({"Fliplrr": 0.5}, ["did you mean 'Fliplr'"]),
        ({"ElasticTransformation": 0.5}, ["did you mean 'ElasticTransform'"]),
        ({"Affine": {"rotat": 3}}, ["augmentation.Affine", "rotat"]),
        (
            {"OneOf": {"transforms": ({"A": 1}, {"Affine": {"scal": 1}})}},
            ["augmentation.OneOf.transforms.0.A", "no transform 'A'"],
        ),
        ({"OneOf": {"transforms": ({"Affine": {"scal": 1}},)}}, ["augmentation.OneOf.transforms.0.Affine", "scal"]),
        ({"Compose": {"transforms": ()}}, ["Compose"]),
        ({"RandomCrop": {"height": 8, "width": 8}}, ["RandomCrop", "(8, 8"]),
        ({"Normalize": 0.5}, ["Normalize", "float32"]),
        ({"Affine": {"rotate": (10, 20), "mask_interpolation": 1, "p": 1}}, ["Affine", "labels that the data"]),
        ({"Affine": {"rotate": (10, 20), "fill_mask": 9, "p": 1}}, ["labels that the data do not have: 9"]),
    ],
)
def test_the_error_of_an_invalid_transform_names_its_place(value: Any, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        augmentation(value, labels=range(5))
    for word in words:
        assert word in str(caught.value)


def test_a_transform_that_cannot_do_the_channels_is_named() -> None:
    with pytest.raises(ConfigError, match=r"augmentation\.ToGray: ToGray cannot be applied to an image of 5 channels"):
        augmentation({"ToGray": 0.5}, (24, 40, 5))


def augmentation_of(path: Path) -> Augmentation:
    """The augmentation of the first stage of a configuration."""
    loaded = load_config(path)
    return build_augmentation(loaded.config, read_stage(loaded.config, 0), lambda key: loaded.where(*key), {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("augmentation:\n  HorizontalFlop: 0.5\n", ["config.yaml:4", "HorizontalFlop", "HorizontalFlip"]),
        ("augmentation:\n  - HorizontalFlip: 2\n", ["config.yaml:4", "HorizontalFlip", "from 0 to 1"]),
        ("augmentation:\n  - HorizontalFlip: often\n", ["config.yaml:4", "probability", "often"]),
    ],
)
def test_the_error_of_an_invalid_transform_names_file_and_line(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(MINIMAL + text)
    with pytest.raises(ConfigError) as caught:
        augmentation_of(path)
    for word in words:
        assert word in str(caught.value)


def test_the_ancestors_augmentation_works_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(MINIMAL + "augmentation: {Fliplr: 0.5, Flipud: 0.5}\n")
    augment = augmentation_of(path)
    image = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    assert len({augment(image, image[..., 0] % 2, seed)[0].tobytes() for seed in range(40)}) == 4


@pytest.mark.parametrize("channels", [1, 3])
def test_fixed_transforms_are_certain_and_leave_the_image_they_get(channels: int) -> None:
    change = fixed(
        {
            "CLAHE": {"clip_limit": (2, 2)},
            "Sequential": {"transforms": {"Sharpen": {"alpha": (0.5, 0.5), "lightness": (1, 1), "p": 1}}},
        },
        channels,
    )
    image = sample(channels)[0]
    before = image.copy()
    results = {change(image).tobytes() for _ in range(10)}
    assert len(results) == 1
    assert results != {before.tobytes()}
    assert np.array_equal(image, before)
    with ThreadPoolExecutor(2) as pool:
        assert {result.tobytes() for result in pool.map(change, [image] * 4)} == results


def test_fixed_transforms_take_images_of_any_size_and_functions_of_plugins() -> None:
    plugins = {"negative": lambda image, labels, generator: (255 - image, labels)}
    negative = fixed("negative", plugins=plugins)(np.full((5, 9, 3), 55, np.uint8))
    assert negative.tolist() == np.full((5, 9, 3), 200).tolist()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"CLAHE": {"clip_limit": 4.0}}, "draws at random"),
        ({"RandomBrightnessContrast": None}, "draws at random"),
        ({"GaussNoise": None}, "draws at random"),
        ({"RandomRotate90": None}, "turns|changes where"),
        ({"HorizontalFlip": None}, "moves pixels"),
        ({"Affine": {"rotate": 5}}, "moves pixels"),
        ({"CLAHE": 0.5}, "by chance"),
        ({"OneOf": {"transforms": {"ToGray": 1, "Equalize": 1}}}, "by chance"),
        ({"Sequential": {"p": 0.5, "transforms": {"ToGray": None}}}, "by chance"),
        ({"BackgroundReplacer": {"path": "a"}}, "by chance"),
        ({"Normalize": None}, "float32"),
    ],
)
def test_fixed_transforms_refuse_chance_and_movement(value: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        fixed(value)


def test_all_wrong_arguments_are_told_at_once_with_near_ones() -> None:
    with pytest.raises(ConfigError) as raised:
        augmentation({"Affine": {"rotation": [-5, 5], "p": 1}, "GaussNoise": {"std": 1, "colour": 2}})
    told = raised.value.message
    assert "'rotation' is not valid, did you mean 'rotate'?" in told
    assert "choose from scale, translate_percent" in told
    assert "GaussNoise: 'std' is not valid" in told
    assert "'colour' is not valid" in told
