from pathlib import Path

import pytest

from toolkit.config.data.folds import spread
from toolkit.config.loading import load_config
from toolkit.errors import ConfigError


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("testSplit: 1\n", "testSplit: must be less than 1"),
        ("folds: 5\n", "folds: expected the path of a CSV file, received 5; did you mean 'folds_count'?"),
        ('groups: {pattern: ".+"}\n', "groups.pattern: '.+' has no group: put the part that names it in parentheses"),
        ('groups: {pattern: "(.+"}\n', "groups.pattern: '(.+' is not a valid regular expression: missing )"),
        ("stratified: []\n", "stratified: expected at least 1 entry"),
        ("stratified: no\n", "expected true or false, coverage, classes, or the name of a column, received 'no'"),
    ],
)
def test_invalid_values_are_rejected(tmp_path: Path, lines: str, problem: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("data: {images: images, masks: masks}\nstages: [{epochs: 1}]\n" + lines)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert problem in caught.value.message


@pytest.mark.parametrize(
    ("stratified", "words"),
    [
        (True, ("coverage",)),
        (False, ()),
        ("classes", ("classes",)),
        (("coverage", "depth", "coverage"), ("coverage", "depth")),
    ],
)
def test_what_is_spread_evenly(stratified: bool | str | tuple[str, ...], words: tuple[str, ...]) -> None:
    assert spread(stratified) == words
