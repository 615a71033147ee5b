from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import ConfigError
from toolkit.learning.plugins import Own, check_call

CODE = """\
from dataclasses import dataclass

RUNS = []
RUNS.append(1)

def double(value):
    return 2 * value

@dataclass
class Point:
    x: int = 0

def runs():
    return len(RUNS)

def _hidden(): ...
"""


def own(folder: Path, code: str = CODE) -> Own:
    (folder / "plugins.py").write_text(code)
    return Own(folder / "config.yaml")


def test_names_come_from_plugins_or_by_a_dotted_path(tmp_path: Path) -> None:
    found = own(tmp_path)
    assert list(found) == ["Point", "double", "runs"]
    assert found["double"](3) == 6
    assert found["Point"]().x == 0
    assert found["math.sqrt"](9) == 3
    assert "double" in found
    assert "math.sqrt" in found
    assert "_hidden" not in found
    with pytest.raises(KeyError):
        found["_hidden"]


def test_the_file_is_run_once_and_only_when_something_is_asked_for(tmp_path: Path) -> None:
    found = own(tmp_path, "raise ValueError('boom')\ndef f(): ...\n")
    assert list(found) == ["f"]
    with pytest.raises(ConfigError, match=r"plugins\.py raised an error: ValueError: boom"):
        found["f"]
    found = own(tmp_path)
    assert [found["runs"]() for _ in range(2)] == [1, 1]


def test_the_files_of_two_experiments_are_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first = own(tmp_path / "a", "def f(): return 'a'\n")
    second = own(tmp_path / "b", "def f(): return 'b'\n")
    assert (first["f"](), second["f"]()) == ("a", "b")


def test_without_a_file_there_are_dotted_paths(tmp_path: Path) -> None:
    found = Own(tmp_path / "config.yaml")
    assert len(found) == 0
    assert found["math.floor"](1.5) == 1


@pytest.mark.parametrize("name", ["no_such_module.f", "math.no_such_function"])
def test_a_dotted_path_that_leads_nowhere_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=name.replace(".", r"\.")):
        Own(tmp_path / "config.yaml")[name]


def three(first: Any, second: Any, third: int = 3) -> None: ...


@pytest.mark.parametrize("arguments", [{}, {"third": 1}])
def test_a_function_that_takes_what_it_is_given_is_fine(arguments: dict[str, Any]) -> None:
    check_call("three", three, ("a", "b"), arguments)
    check_call("max", max, ("a", "b"), arguments)  # does not tell what it takes


@pytest.mark.parametrize(
    ("parameters", "arguments", "given"),
    [
        (("a", "b"), {"thrid": 1}, r"\(a, b, thrid=1\): got an unexpected keyword argument 'thrid'"),
        (("a",), {}, r"\(a\): missing a required argument: 'second'"),
        (("a", "b", "c", "d"), {}, r"\(a, b, c, d\): too many positional arguments"),
        (("a", "b"), {"first": 1}, r"\(a, b, first=1\): multiple values for argument 'first'"),
    ],
)
def test_a_function_that_does_not_is_told_with_both(
    parameters: tuple[str, ...], arguments: dict[str, Any], given: str
) -> None:
    with pytest.raises(ValueError, match=rf"three\(first.* cannot be called with {given}"):
        check_call("three", three, parameters, arguments)
