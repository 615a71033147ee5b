from typing import Any

import pytest

from toolkit.config.training.augmentation import PRESETS, Transform, background_folders, parse_augmentation
from toolkit.config.yaml.named_calls import ProblemsAtError
from toolkit.config.yaml.yaml_files import KeyPath


def problems(value: Any, plugins: tuple[str, ...] = ()) -> dict[KeyPath, str]:
    with pytest.raises(ProblemsAtError) as caught:
        parse_augmentation(value, plugins)
    return {path: str(error) for path, error, _ in caught.value.problems}


def names(transforms: tuple[Transform, ...]) -> list[Any]:
    return [(item.name, names(item.children)) if item.children else item.name for item in transforms]


def test_a_mapping_keeps_its_order_and_the_path_of_each_transform() -> None:
    parsed = parse_augmentation({"HorizontalFlip": 0.5, "Affine": {"scale": (0.9, 1.1), "p": 0.5}, "CLAHE": None})
    assert parsed == (
        Transform("HorizontalFlip", {"p": 0.5}, (), ("HorizontalFlip",)),
        Transform("Affine", {"scale": (0.9, 1.1), "p": 0.5}, (), ("Affine",)),
        Transform("CLAHE", {}, (), ("CLAHE",)),
    )


def test_a_list_may_repeat_a_transform_and_mix_presets_and_names() -> None:
    parsed = parse_augmentation(({"CLAHE": 0.5}, "light", "VerticalFlip", {"CLAHE": 0.1}))
    light = [next(iter(pair)) for pair in PRESETS["light"]]
    assert names(parsed) == ["CLAHE", *light, "VerticalFlip", "CLAHE"]
    assert [item.path for item in parsed] == [(0, "CLAHE"), *[(1,)] * len(light), (2,), (3, "CLAHE")]
    assert {item.preset for item in parsed} == {"", "light"}


@pytest.mark.parametrize("nothing", [None, {}, ()])
def test_nothing_is_no_transform(nothing: Any) -> None:
    assert parse_augmentation(nothing) == ()


def test_the_presets_grow() -> None:
    sizes = [len(parse_augmentation(name)) for name in ("light", "medium", "heavy")]
    assert sizes == sorted(set(sizes))


def test_groups_nest_and_are_always_applied_unless_they_have_a_probability() -> None:
    value = {
        "OneOf": {
            "p": 0.3,
            "transforms": (
                {"Sequential": {"transforms": ({"A": 1}, {"B": 1})}},
                {"SomeOf": {"n": 1, "transforms": ("C",)}},
            ),
        },
        "Sequential": {"transforms": {"D": 0.5, "E": {}}},
    }
    one_of, sequential = parsed = parse_augmentation(value)
    assert names(parsed) == [("OneOf", [("Sequential", ["A", "B"]), ("SomeOf", ["C"])]), ("Sequential", ["D", "E"])]
    assert (one_of.arguments["p"], sequential.arguments["p"]) == (0.3, 1.0)
    assert one_of.children[0].children[1].path == ("OneOf", "transforms", 0, "Sequential", "transforms", 1, "B")
    assert sequential.children[1].path == ("Sequential", "transforms", "E")
    assert one_of.children[1].arguments == {"p": 1.0, "n": (1, 1), "replace": False}


def test_imgaugs_names_of_flips_are_albumentations_flips() -> None:
    parsed = parse_augmentation({"Fliplr": 0.5, "Flipud": {"p": 0.2}})
    assert [(item.name, item.arguments) for item in parsed] == [
        ("HorizontalFlip", {"p": 0.5}), ("VerticalFlip", {"p": 0.2})
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"scale": (0.8, 1.5), "translate_percent": {"x": (-0.2, 0.2)}, "rotate": (-16, 16), "shear": (-16, 16)},
            {"scale": (0.8, 1.5), "translate_percent": {"x": (-0.2, 0.2)}, "rotate": (-16, 16), "shear": (-16, 16),
             "keep_ratio": True, "p": 1.0},
        ),
        ({"scale": (0.8, 1.5), "keep_ratio": False}, {"scale": (0.8, 1.5), "keep_ratio": False, "p": 1.0}),
        ({"scale": {"x": (0.8, 1.5)}}, {"scale": {"x": (0.8, 1.5)}, "p": 1.0}),
        ({"scale": (0.8, 1.5), "p": 0.5}, {"scale": (0.8, 1.5), "p": 0.5}),
        (0.5, {"p": 0.5}),
        (None, {}),
    ],
)  # fmt: skip
def test_an_affine_without_a_probability_is_imgaugs(given: Any, expected: dict[str, Any]) -> None:
    (transform,) = parse_augmentation({"Affine": given})
    assert (transform.name, transform.arguments) == ("Affine", expected)


def test_plugins_take_precedence_and_keep_their_arguments() -> None:
    parsed = parse_augmentation(
        {"Multiply": {"by": 2}, "light": {"x": 1}, "stripes": 0.2}, ("Multiply", "light", "stripes")
    )
    assert [(item.name, item.arguments) for item in parsed] == [
        ("Multiply", {"by": 2}), ("light", {"x": 1}), ("stripes", {"p": 0.2})
    ]  # fmt: skip
    assert names(parse_augmentation("stripes", ("stripes",))) == ["stripes"]


def test_backgrounds_are_checked_and_found_wherever_they_stand() -> None:
    value = ({"OneOf": {"transforms": ({"BackgroundReplacer": {"path": "a", "augmenters": {"Fliplr": 0.5}}}, "NoOp")}},)
    (group,) = parse_augmentation(value)
    replacer = group.children[0]
    assert replacer.arguments == {"path": "a", "rate": 0.5, "erosion": 0}
    assert names(replacer.children) == ["HorizontalFlip"]
    assert background_folders(value) == ((0, "OneOf", "transforms", 0, "BackgroundReplacer", "path"),)
    assert background_folders({"BackgroundReplacer": 3, "OneOf": "x"}) == ()


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        (3, (), "received 3"),
        ("medum", (), "medum"),
        (({"A": 1, "B": 1},), (0,), "one `Name: parameters` pair"),
        ({"HorizontalFlip": 2}, ("HorizontalFlip",), "from 0 to 1, received 2"),
        ({"HorizontalFlip": "often"}, ("HorizontalFlip",), "probability or `parameter: value` pairs, received 'often'"),
        ({"HorizontalFlip": True}, ("HorizontalFlip",), "received True"),
        ({"HorizontalFlip": (0, 1)}, ("HorizontalFlip",), "received (0, 1)"),
        ({"Affine": {"p": 1.5}}, ("Affine",), "from 0 to 1"),
        ({"light": 0.5}, ("light",), "takes no parameters"),
        ({"OneOf": {}}, ("OneOf",), "holds no transforms"),
        ({"OneOf": ("A",)}, ("OneOf",), "`parameter: value` pairs, received"),
        ({"OneOf": {"p": 0.3, "A": 1}}, ("OneOf", "A"), "A"),
        ({"OneOf": {"n": 1, "transforms": "light"}}, ("OneOf", "n"), "n"),
        ({"OneOf": {"transforms": {"A": 0, "B": 0}}}, ("OneOf",), "none can be chosen"),
        ({"SomeOf": {"n": 3, "transforms": {"A": 1, "B": 1}}}, ("SomeOf",), "from 0 to 2"),
        ({"SomeOf": {"n": (2, 1), "transforms": {"A": 1, "B": 1}}}, ("SomeOf",), "received (2, 1)"),
        ({"Sequential": {"p": 7, "transforms": {"A": 1}}}, ("Sequential",), "from 0 to 1"),
        ({"BackgroundReplacer": "folder"}, ("BackgroundReplacer",), "`parameter: value` pairs, received 'folder'"),
        ({"BackgroundReplacer": {"rate": 0.5}}, ("BackgroundReplacer",), "path"),
        ({"BackgroundReplacer": {"path": "a", "rat": 1}}, ("BackgroundReplacer",), "rat"),
    ],
)  # fmt: skip
def test_a_problem_is_reported_with_its_path(value: Any, path: KeyPath, words: str) -> None:
    found = problems(value)
    assert list(found) == [path]
    assert words in found[path]


def test_all_problems_are_reported_at_once() -> None:
    assert list(problems({"A": 2, "OneOf": {"transforms": {"B": "x", "C": 1, "D": 3}}})) == [
        ("A",), ("OneOf", "transforms", "B"), ("OneOf", "transforms", "D")
    ]  # fmt: skip


@pytest.mark.parametrize("value", [15, 0.2, {"a": 1}])
def test_an_argument_of_another_program_is_no_transform_whatever_its_value(value: Any) -> None:
    with pytest.raises(ProblemsAtError, match=r"there is no transform 'rotation_range'; write Affine: .*Rotate"):
        parse_augmentation({"rotation_range": value})
    with pytest.raises(ProblemsAtError, match="there is no transform 'horizontalflip'; did you mean 'HorizontalFlip'"):
        parse_augmentation({"horizontalflip": value})
