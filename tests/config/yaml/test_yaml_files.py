import json
import math
from pathlib import Path
from typing import Any

import pytest

from toolkit.config.yaml.yaml_files import Position, Replacing, read_document, read_value, write_yaml
from toolkit.errors import ConfigError, MissingFileError


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_bytes(text.encode())
    return path


def read(folder: Path, text: str) -> dict[str, Any]:
    return read_document(write(folder, text)).tree


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-2.5e+1", -25.0),
        ("3", 3),
        ("-0", 0),
        ("+7", 7),
        ("0123", 123),
        ("0x10", 16),
        ("0o17", 15),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("1_000", "1_000"),
        ("<<", "<<"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("n", "n"),
        ("12:30:00", "12:30:00"),
        ("2018-07-18", "2018-07-18"),
        ("1.2.3", "1.2.3"),
        ("'1'", "1"),
        ('"null"', "null"),
        ("[1, 2.5, x, null]", (1, 2.5, "x", None)),
        ("[[1, 2], []]", ((1, 2), ())),
        ("{a: 1, b: [true]}", {"a": 1, "b": (True,)}),
        ("{}", {}),
        ("&anchor true", True),
        ("&anchor 1e-3", 0.001),
        ("&anchor text", "text"),
    ],
)
def test_values_are_yaml_1_2_and_plain(text: str, value: object) -> None:
    found = read_value(text, "--set")
    assert found == value
    assert type(found) is type(value)


def test_aliases_are_resolved(tmp_path: Path) -> None:
    tree = read(tmp_path, "a: &yes true\nb: *yes\nc: &map {x: 1}\nd: *map\n")
    assert tree == {"a": True, "b": True, "c": {"x": 1}, "d": {"x": 1}}
    assert tree["b"] is True


def test_keys_are_text_and_entries_have_lines(tmp_path: Path) -> None:
    path = write(
        tmp_path, "# a comment\ndata:\n  images: x\n\n  7: y\nlist:\n  - a: 1\n    b: 2\n  - c\nflow: [1,\n  2]\n"
    )
    document = read_document(path)
    assert document.tree == {"data": {"images": "x", "7": "y"}, "list": ({"a": 1, "b": 2}, "c"), "flow": (1, 2)}
    lines = {key: position.line for key, position in document.positions.items()}
    assert lines == {
        ("data",): 2,
        ("data", "images"): 3,
        ("data", "7"): 5,
        ("list",): 6,
        ("list", 0): 7,
        ("list", 0, "a"): 7,
        ("list", 0, "b"): 8,
        ("list", 1): 9,
        ("flow",): 10,
        ("flow", 0): 10,
        ("flow", 1): 11,
    }
    assert {position.source for position in document.positions.values()} == {str(path)}


def test_merged_keys_are_placed_where_they_are_merged(tmp_path: Path) -> None:
    document = read_document(write(tmp_path, "first: &first\n  lr: 1\nsecond:\n  <<: *first\n  epochs: 2\n"))
    assert document.tree["second"] == {"epochs": 2, "lr": 1}
    assert document.positions["second", "epochs"].line == 5
    assert document.positions["second", "lr"].line == 4


def test_own_keys_and_earlier_mappings_win_when_merged(tmp_path: Path) -> None:
    tree = read(tmp_path, "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 3\n")
    assert tree["c"] == {"x": 3, "y": 1, "z": 2}


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_is_read_too(tmp_path: Path, indent: int | str | None) -> None:
    data = {"shape": [256, 256, 3], "lr": 1e-05, "data": {"images": "a b/é", "test": None}, "stratified": True}
    assert read(tmp_path, json.dumps(data, indent=indent)) == data | {"shape": (256, 256, 3)}


def test_byte_order_marks_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffa: 1\r\nb:\r\n  - 2\r\n") == {"a": 1, "b": (2,)}


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 'duplicate key "a"'),
        ("a:\n  b: 1\n  c: 2\n  b: 1\n", 4, 'duplicate key "b"'),
        ('{"a": 1,\n "a": 1}', 2, 'duplicate key "a"'),
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "invalid YAML"),
        ("a: 1\n b: 2\n", 2, "invalid YAML"),
        ("a: b: c\n", 1, "invalid YAML"),
        ("a:\n\tb: 1\n", 2, "invalid YAML"),
        ("a: 1\nb: *nowhere\n", 2, "invalid YAML"),
        ("a: 1\n---\nb: 2\n", 2, "invalid YAML"),
        ("", 1, "expected `key: value` lines, received nothing"),
        ("# nothing but this\n", 1, "expected `key: value` lines, received nothing"),
        ("- a\n- b\n", 1, "expected `key: value` lines, received a list"),
        ("only text\n", 1, "expected `key: value` lines, received a single value"),
    ],
)
def test_an_error_names_file_and_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_document(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert problem in str(caught.value)


@pytest.mark.parametrize("text", ["a: !!int x\n", "a: \x00\n", "a: !!bool x\n", "a: !!float x\n", "a: " + "9" * 5000])
def test_an_invalid_value_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match="invalid YAML") as caught:
        read_document(path)
    assert str(caught.value).startswith(str(path))


def test_aliases_that_multiply_are_rejected(tmp_path: Path) -> None:
    lines = ["a0: &a0 [" + ", ".join("x" * 10) + "]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(ConfigError, match="aliases that multiply"):
        read(tmp_path, "\n".join(lines))


@pytest.mark.parametrize(("opening", "closing"), ["[]", ("{a: ", "}")])
def test_deep_nesting_is_rejected(tmp_path: Path, opening: str, closing: str) -> None:
    with pytest.raises(ConfigError, match="nested too deeply"):
        read(tmp_path, "a: " + opening * 500 + closing * 500)


@pytest.mark.parametrize("text", ["a: " + "[" * 100_000, "a: " + "{a: " * 100_000, "a:\n  " + "- " * 100_000])
def test_nesting_without_end_is_a_config_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: &a\n  b: *a\n", 1, "nested too deeply"),
        ("a: &a\n  <<: *a\n", 1, "merged too deeply"),
        ("a: 1\n? [x, y]\n: 2\n", 2, "a key must be a single value"),
        ("a:\n  <<: text\n", 2, "only mappings can be merged by <<"),
    ],
)
def test_what_cannot_be_plain_data_is_an_error(tmp_path: Path, text: str, line: int, problem: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=problem) as caught:
        read_document(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")


def test_thirty_levels_are_not_too_deep(tmp_path: Path) -> None:
    node = read(tmp_path, "a: " + "[" * 30 + "x" + "]" * 30)["a"]
    for _ in range(30):
        (node,) = node
    assert node == "x"


@pytest.mark.parametrize(
    "value",
    ["!!python/object/apply:os.getcwd []", "!!python/name:os.system x", "!!binary eA==", "!!set {x}", "!mine {x: 1}"],
)
def test_tags_run_no_code_and_are_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match=r"config.yaml:2: the tag !\S+ is unknown here; only !replace is allowed"):
        read(tmp_path, f"a: 1\nb: {value}\n")


def test_a_mapping_can_be_marked_as_replacing_and_nothing_else(tmp_path: Path) -> None:
    tree = read(tmp_path, "a: !replace {}\nb: !replace {x: {y: 1}}\nc: {}\n")
    assert tree == {"a": {}, "b": {"x": {"y": 1}}, "c": {}}
    assert [isinstance(value, Replacing) for value in (*tree.values(), tree["b"]["x"])] == [True, True, False, False]
    (tmp_path / "again.yaml").write_text(write_yaml(tree))
    again = read_document(tmp_path / "again.yaml").tree
    assert again == tree
    assert isinstance(again["a"], Replacing)
    for value in ("3", "[1]", ""):
        with pytest.raises(ConfigError, match="!replace marks a mapping; lists and single values always replace"):
            read(tmp_path, f"a: !replace {value}\n")


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: \xe9\n")
    for path in (tmp_path / "absent.yaml", tmp_path, latin):
        with pytest.raises(MissingFileError) as caught:
            read_document(path)
        assert str(path) in str(caught.value)


def test_an_error_in_a_value_names_its_source() -> None:
    for text in ("[1", "{a: 1, a: 2}"):
        with pytest.raises(ConfigError) as caught:
            read_value(text, f"--set lr={text}")
        assert str(caught.value).startswith(f"--set lr={text}")


def test_positions_have_the_format_of_editors() -> None:
    assert str(Position("config.yaml", 7)) == "config.yaml:7"
    assert str(Position("--set lr=1", 0)) == "--set lr=1"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -3,
        1e-3,
        1e22,
        0.1,
        math.inf,
        "",
        "no",
        "null",
        "~",
        "1e-3",
        "0123",
        "true",
        "a: b",
        "- x",
        "x # y",
        " spaced ",
        "[x",
        "{",
        "*star",
        "&and",
        "!bang",
        "%",
        "@",
        "'",
        '"',
        "two\nlines\n",
        "binary_crossentropy+0.5*lovasz_loss",
        "../../data/train images/é",
        "long " * 500,
        (),
        (1, 2, 3),
        ("none", None, "1"),
        ((1, 2), (), (3, (4, None))),
        {},
        {"a": {}, "b": ()},
        {"a": {"b": {"c": (1, {"d": None})}}},
        ({"HorizontalFlip": 0.5}, {"Affine": {"scale": (0.9, 1.1), "p": 0.5}}),
        ({"epochs": 3, "lr": None}, {"epochs": 1, "negatives": "none"}),
    ],
)
def test_reading_undoes_writing(tmp_path: Path, value: object) -> None:
    tree = {"first": value, "no": {"1": value, "second": (value, value)}, "last": 1}
    read_again = read(tmp_path, write_yaml(tree))
    assert read_again == tree
    assert list(read_again) == list(tree)
    assert type(read_again["first"]) is type(value)


def test_lists_and_tuples_are_written_alike() -> None:
    assert write_yaml({"shape": [1, [2, 3]]}) == write_yaml({"shape": (1, (2, 3))})


def test_yaml_is_written_as_people_write_it() -> None:
    tree = {"data": {"test": None}, "shape": (256, 256, 3), "metrics": (), "stages": ({"epochs": 2, "lr": 0.001},)}
    expected = "data:\n  test: null\nshape: [256, 256, 3]\nmetrics: []\nstages:\n  - epochs: 2\n    lr: 0.001\n"
    assert write_yaml(tree) == expected
