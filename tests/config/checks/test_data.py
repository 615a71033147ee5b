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
        ("masks: b", "", "the key data.images is missing"),
        ("images: a", "", "the key data.masks is missing"),
        ("images: []", "", "data.images: expected a folder, or a list of at least one"),
        ("source: Mine, images: a", "", "data.images: images and masks come from your source Mine: leave out images"),
        ("source: Mine, colors: {a: '#000000'}", "", "leave out colors"),
        ("source: Yours", "", "data.source: 'Yours' is not valid; "),
        ("images: a, mask_name: '{id}.png', value_ranges: {a: [1, 2]}", "", "data.mask_name: there are no masks"),
        (f"{FILES}, mask_name: 'label.png'", "", "data.mask_name: expected a file name below the folder with {id}"),
        (f"{FILES}, mask_name: '{{id}}_{{clas}}.png'", "", "data.mask_name: expected a file name"),
        (f"{FILES}, image_name: '../{{id}}.png'", "", "data.image_name: expected a file name"),
        (f"{FILES}, image_name: '{{id}}{{class}}.png'", "", "data.image_name: expected a file name"),
        ("images: a, masks: b.csv, mask_encoding: bits", "", "data.mask_encoding: b.csv has no mask files that"),
        ("images: a, masks: b.json, mask_values: {a: 1}", "", "data.mask_values: b.json has no mask files that"),
        (f"{FILES}, mask_values: {{a: 1}}, colors: {{a: [1, 2, 3]}}", "", "data.mask_values: colors says already"),
        (f"{FILES}, mask_encoding: bits, colors: {{a: [1, 2, 3]}}", "", "does not go with mask_encoding: bits"),
        (f"{FILES}, mask_encoding: instances, mask_values: [1]", "", "every number above 0 is an object"),
        (f"{FILES}, mask_encoding: instances", TWO, "data.mask_encoding: instances have no classes"),
        (f"{FILES}, mask_encoding: bit", "", "data.mask_encoding: 'bit' is not valid; did you mean 'bits'?"),
        (f"{FILES}, mask_encoding: bits, mask_values: [[0, 1]]", "", "with mask_encoding: bits a class has one number"),
        (f"{FILES}, mask_encoding: bits, mask_values: [0, 0]", "classes: 2\n", "the pixel value 0 stands for class0"),
        (
            f"{FILES}, colors: {{a: [1, 2, 3]}}, ignore: 255",
            "",
            "data.ignore: with colors, name the ignored pixels there",
        ),
        (f"{FILES}, colors: {{a: '#12345'}}", "", 'expected [red, green, blue] or "#rrggbb", received'),
        (f"{FILES}, colors: {{a: [1, 2, 300]}}", "", "data.colors.a.2: must be less than or equal to 255"),
        (f"{FILES}, colors: {{a: [1, 2, 3], b: '#010203'}}", "", "data.colors.b: [1, 2, 3] is the colour of a already"),
        (f"{FILES}, colors: {{rocks: [1, 2, 3]}}", TWO, "data.colors: 'rock' is not valid; did you mean 'rocks'?"),
        (
            f"{FILES}, colors: {{rock: [1, 2, 3], b: [0, 0, 0]}}",
            "classes: 2\n",
            "it names rock, b: name these in",
        ),
        (f"{FILES}, value_ranges: {{a: [2, 1]}}", "", "data.value_ranges.a: expected [lowest, highest], received"),
        (f"{FILES}, value_ranges: {{a: [2, 3], ignore: [3, 4]}}", "", "shares values with a"),
        (f"{FILES}, value_range: [3, 3]", "", "expected two different values"),
        (f"{FILES}, value_range: [3, .inf]", "", "data.value_range"),
        (
            f"{FILES}, mask_name: '{{class}}/{{id}}.png', mask_values: [1]",
            "",
            "each class has a file: every value above",
        ),
        (f"{FILES}, mask_name: '{{class}}/{{id}}.png', mask_encoding: bits", "", "each class has a file, not bits"),
        (f"{FILES}, mask_values: {{a: 0, b: 1, c: 2}}", "classes: [b, c]\n", "pixels of a would count as b, the first"),
        (f"{FILES}, colors: {{a: '#000000', b: '#010203', c: '#000001'}}", "classes: [b, c]\n", "would count as b"),
        (
            f"{FILES}, value_ranges: {{b: [1, 3], c: [5, 9]}}",
            "classes: [b, c]\n",
            "no range would count as b",
        ),
        (f"{FILES}, metadata_id: x", "", "data.metadata_id: there is no metadata"),
        (f"{FILES}, weights: x", "", "data.weights: there is no metadata"),
        ("merge: [{images: a, masks: b}]", "", "data.merge: one source alone has nothing to be united with"),
        ("masks: c, merge: [{images: a, masks: b}]", "", "the key data.images is missing: there are masks"),
        (f"{FILES}, merge: [{{images: a}}]", "", "the key data.merge.0.masks is missing"),
        (f"{FILES}, merge: [{{images: a, masks: b, prefix: 'x/'}}]", "", "data.merge.0.prefix: ids have no slash"),
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
def test_keys_that_do_not_fit_together_are_told(tmp_path: Path, data: str, more: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, data, more)
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("data", "names", "activation"),
    [
        ("mask_values: {a: 1, b: 2}", ("background", "a", "b"), "softmax"),
        ("mask_values: {a: 0, b: 2, ignore: 255}", ("a", "b"), "softmax"),
        ("mask_values: {a: 7}", ("a",), "sigmoid"),
        ("colors: {a: '#000001', b: '#000000'}", ("a", "b"), "softmax"),
        ("value_ranges: {a: [1, 2], b: [3, 4]}", ("background", "a", "b"), "softmax"),
        ("value_ranges: {Background: [0, 2], b: [3, 4]}", ("Background", "b"), "softmax"),
        ("mask_encoding: channels, mask_values: {a: 1, b: 0}", ("a", "b"), "sigmoid"),
        ("competition: severstal", ("1", "2", "3", "4"), "sigmoid"),
        ("mask_encoding: instances", ("foreground",), "sigmoid"),
        ("mask_name: '{class}/{id}.png'", ("foreground",), "sigmoid"),
    ],
)
def test_classes_that_are_left_out_are_those_that_data_names(
    tmp_path: Path, data: str, names: tuple[str, ...], activation: str
) -> None:
    config = load(tmp_path, f"{FILES}, {data}")
    assert config.task_classes.names == names
    assert config.activation == activation


def test_the_first_class_may_be_background_where_it_has_0(tmp_path: Path) -> None:
    for key in ("mask_values: {a: 0, b: 1, c: 2}", "colors: {a: '#000000', b: '#010203', c: '#000001'}"):
        assert load(tmp_path, f"{FILES}, {key}", "classes: [a, b]\n").task_classes.names == ("a", "b")
    config = load(tmp_path, f"{FILES}, value_ranges: {{a: [0, 3], b: [5, 9]}}", "classes: [a, b]\n")
    assert config.task_classes.names == ("a", "b")


def test_some_classes_of_a_competition_may_be_chosen(tmp_path: Path) -> None:
    config = load(tmp_path, f"{FILES}, competition: clouds", "classes: [Sugar, Fish]\n")
    assert config.activation == "sigmoid"
    with pytest.raises(ConfigError, match=r"expected the classes of clouds, .*; received Fish, Salt"):
        load(tmp_path, f"{FILES}, competition: clouds", "classes: [Fish, Salt]\nactivation: sigmoid\n")


def test_an_entry_takes_what_it_leaves_out_from_data(tmp_path: Path) -> None:
    keys = "image_name: '{id}.tif', value_range: [0, 9], mask_values: {none: 0, rock: 7}, ignore: 255"
    entries = "[{images: c, masks: d}, {images: e, masks: f, mask_name: '{id}.png', colors: {rock: [1, 2, 3]}}]"
    data = load(tmp_path, f"{FILES}, {keys}, merge: {entries}", TWO).data
    first, second = map(data.completed, data.merge)
    assert first.mask_values == {"none": 0, "rock": 7}
    assert first.ignore == 255
    assert second.mask_values is None
    assert second.ignore is None
    assert second.image_name == first.image_name == "{id}.tif"
    assert second.mask_name == "{id}.png"
    assert first.ranges == second.ranges == ((0, 9),)


def test_paths_of_every_key_are_seen_from_the_file(tmp_path: Path) -> None:
    data = load(
        tmp_path,
        "images: [a, b], masks: c, test: [d], metadata: e.csv, merge: [{images: [f, /g], masks: h, prefix: x}], "
        "test_source: Mine",
    ).data
    assert data.images == (tmp_path / "a", tmp_path / "b")
    assert data.test == (tmp_path / "d",)
    assert data.metadata == tmp_path / "e.csv"
    assert data.merge[0].images == (tmp_path / "f", Path("/g"))
    assert data.merge[0].masks == tmp_path / "h"
    assert data.test_source is not None
    assert data.test_source.file == tmp_path / "plugins.py"
