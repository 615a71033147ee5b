from pathlib import Path

import pytest

from toolkit.config.loading import load_config


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
def test_the_default_classes_are_those_that_data_names(
    tmp_path: Path, data: str, names: tuple[str, ...], activation: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"data: {{images: a, masks: b, {data}}}\nstages: [{{epochs: 1}}]\n")
    config = load_config(path).config
    assert config.task_classes.names == names
    assert config.activation == activation
