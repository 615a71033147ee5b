"""Covers toolkit/cli/options.py."""

import pytest

from toolkit.cli.options import parse_numbers, parse_time
from toolkit.errors import ConfigError


def test_numbers_are_separated_by_commas() -> None:
    assert parse_numbers("--folds", None) is None
    assert parse_numbers("--folds", "1, 0,1") == [1, 0, 1]


@pytest.mark.parametrize("text", ["", "0,", "-1", "0-1", "first"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=rf"--folds: expected numbers separated by commas.*received '{text}'"):
        parse_numbers("--folds", text)


def test_a_time_becomes_seconds() -> None:
    assert parse_time("--max-time", None) is None
    assert parse_time("--max-time", "1h30m") == 5400
    with pytest.raises(ConfigError, match=r"--max-time: .*'soon'"):
        parse_time("--max-time", "soon")
