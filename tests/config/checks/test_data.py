from pathlib import Path

import pytest

from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.errors import ConfigError


def load(folder: Path, data: str, more: str = "") -> Config:
    (folder / "plugins.py").write_text("class Mine:\n    pass\n")
    path = folder / "config.yaml"
    path.write_text(f"data: {{{data}}}\nstages: [{{epochs: 1}}]\n{more}")
    return load_config(path).config


FILES = "images: a, masks: b"
TWO = "classes: [none, rock]\n"


@pytest.mark.parametrize(
    ("data", "more", "told"),
    [
        ("masks: b", "", "required key data.images is missing"),
        ("images: a", "", "required key data.masks is missing"),
        ("images: []", "", "data.images: expected a folder, or a list of at least one"),
        ("source: Mine, images: a", "", "data.images: the source Mine provides images and masks; remove images"),
        ("source: Mine, colors: {a: '#000000'}", "", "masks; remove colors"),
        ("source: Yours", "", "data.source: 'Yours' is not valid; "),
        (f"{FILES}, nearest_color: true", "", "data.nearest_color: requires colors"),
        (f"{FILES}, test_name: '{{id}}.png'", "", "data.test_name: names the files in data.test, which is not set"),
        ("images: a, mask_name: '{id}.png', value_ranges: {a: [1, 2]}", "", "data.mask_name: requires masks"),
        (
            f"{FILES}, mask_name: 'label.png'",
            "",
            "data.mask_name: expected a file name below the folder that contains {id}",
        ),
        (f"{FILES}, mask_name: '{{id}}_{{clas}}.png'", "", "data.mask_name: expected a file name"),
        (f"{FILES}, image_name: '../{{id}}.png'", "", "data.image_name: expected a file name"),
        (f"{FILES}, image_name: '{{id}}{{class}}.png'", "", "data.image_name: expected a file name"),
        (
            "images: a, masks: b.csv, mask_encoding: bits",
            "",
            "data.mask_encoding: applies to mask files only, but masks is b.csv",
        ),
        (
            "images: a, masks: b.json, mask_values: {a: 1}",
            "",
            "data.mask_values: applies to mask files only, but masks is b.json",
        ),
        (f"{FILES}, mask_values: {{a: 1}}, colors: {{a: [1, 2, 3]}}", "", "data.mask_values: colors already defines"),
        (f"{FILES}, mask_encoding: bits, colors: {{a: [1, 2, 3]}}", "", "is not allowed with mask_encoding: bits"),
        (f"{FILES}, mask_encoding: instances, mask_values: [1]", "", "every value above 0 is an object"),
        (f"{FILES}, mask_encoding: instances", TWO, "data.mask_encoding: instances have no classes"),
        (f"{FILES}, mask_encoding: bit", "", "data.mask_encoding: 'bit' is not valid; did you mean 'bits'?"),
        (
            f"{FILES}, mask_encoding: bits, mask_values: [[0, 1]]",
            "",
            "mask_encoding: bits requires one number per class",
        ),
        (
            f"{FILES}, mask_encoding: bits, mask_values: [0, 0]",
            "classes: 2\n",
            "the pixel value 0 already belongs to class0",
        ),
        (
            f"{FILES}, colors: {{a: [1, 2, 3]}}, ignore: 255",
            "",
            "data.ignore: with colors, name the ignored pixels there",
        ),
        (f"{FILES}, colors: {{a: '#12345'}}", "", 'expected [red, green, blue] or "#rrggbb", received'),
        (f"{FILES}, colors: {{a: [1, 2, 300]}}", "", "data.colors.a.2: must be less than or equal to 255"),
        (f"{FILES}, colors: {{a: [1, 2, 3], b: '#010203'}}", "", "data.colors.b: [1, 2, 3] is already the colour of a"),
        (f"{FILES}, colors: {{rocks: [1, 2, 3]}}", TWO, "data.colors: 'rock' is not valid; did you mean 'rocks'?"),
        (
            f"{FILES}, colors: {{rock: [1, 2, 3], b: [0, 0, 0]}}",
            "classes: 2\n",
            "it names the classes rock, b; list them in",
        ),
        (f"{FILES}, value_ranges: {{a: [2, 1]}}", "", "data.value_ranges.a: expected [lowest, highest], received"),
        (f"{FILES}, value_ranges: {{a: [2, 3], ignore: [3, 4]}}", "", "of a; these ranges must not overlap"),
        (f"{FILES}, value_range: [3, 3]", "", "expected two different values"),
        (f"{FILES}, value_range: [3, .inf]", "", "data.value_range"),
        (
            f"{FILES}, mask_name: '{{class}}/{{id}}.png', mask_values: [1]",
            "",
            "in mask_name: every value above",
        ),
        (
            f"{FILES}, mask_name: '{{class}}/{{id}}.png', mask_encoding: bits",
            "",
            "bits is not allowed with {class} in mask_name",
        ),
        (
            f"{FILES}, mask_values: {{a: 0, b: 1, c: 2}}",
            "classes: [b, c]\n",
            "pixels of a would count as b, because the first",
        ),
        (f"{FILES}, colors: {{a: '#000000', b: '#010203', c: '#000001'}}", "classes: [b, c]\n", "would count as b"),
        (
            f"{FILES}, value_ranges: {{b: [1, 3], c: [5, 9]}}",
            "classes: [b, c]\n",
            "outside all ranges would count as b",
        ),
        (f"{FILES}, metadata_id: x", "", "data.metadata_id: names a column of data.metadata"),
        (f"{FILES}, weights: x", "", "data.weights: names a column of data.metadata"),
        ("merge: [{images: a, masks: b}]", "", "data.merge: a single source is not merged"),
        ("masks: c, merge: [{images: a, masks: b}]", "", "required key data.images is missing: masks are set"),
        (f"{FILES}, merge: [{{images: a}}]", "", "required key data.merge.0.masks is missing"),
        (
            f"{FILES}, merge: [{{images: a, masks: b, prefix: 'x/'}}]",
            "",
            "data.merge.0.prefix: ids must not contain a slash",
        ),
        (
            f"{FILES}, merge: [{{images: a, masks: b, colours: 3}}]",
            "",
            "data.merge.0: key 'colours' is not valid; ",
        ),
        (
            f"{FILES}, merge: [{{images: a, masks: b, colors: {{x: [0, 0, 0]}}}}]",
            TWO,
            "data.merge.0.colors: 'rock' is not valid",
        ),
        (f"{FILES}, mask_valus: [1]", "", "data: key 'mask_valus' is not valid; did you mean 'mask_values'?"),
    ],
)
def test_contradictory_keys_are_rejected(tmp_path: Path, data: str, more: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, data, more)
    assert told in caught.value.message


def test_the_first_class_may_be_background_where_it_has_0(tmp_path: Path) -> None:
    for key in ("mask_values: {a: 0, b: 1, c: 2}", "colors: {a: '#000000', b: '#010203', c: '#000001'}"):
        assert load(tmp_path, f"{FILES}, {key}", "classes: [a, b]\n").task_classes.names == ("a", "b")
    for ranges in ("{a: [0, 3], b: [5, 9]}", "{a: [128, 255], b: [0, 127]}"):
        config = load(tmp_path, f"{FILES}, value_ranges: {ranges}", "classes: [a, b]\n")
        assert config.task_classes.names == ("a", "b")
    for ranges in ("{a: [129, 255], b: [0, 127]}", "{a: [128, 254], b: [0, 127]}", "{a: [128, 255], b: [1, 127]}"):
        with pytest.raises(ConfigError, match="values outside all ranges would count as a"):
            load(tmp_path, f"{FILES}, value_ranges: {ranges}", "classes: [a, b]\n")


def test_some_classes_of_a_competition_may_be_chosen(tmp_path: Path) -> None:
    config = load(tmp_path, f"{FILES}, competition: clouds", "classes: [Sugar, Fish]\n")
    assert config.activation == "sigmoid"
    with pytest.raises(ConfigError, match=r"expected the classes of clouds .*, received Fish, Salt"):
        load(tmp_path, f"{FILES}, competition: clouds", "classes: [Fish, Salt]\nactivation: sigmoid\n")
