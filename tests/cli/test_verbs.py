"""Covers toolkit/cli/__init__.py and its modules running.py, groups.py, starting.py, inspecting.py, training.py,
predicting.py, ensembling.py, tuning.py, comparing.py, reporting.py, sharing.py and submitting.py, and
toolkit/__main__.py.
"""

import inspect
import keyword
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import toolkit
from toolkit.cli import app

COMMANDS = Path(toolkit.__file__).parent / "commands"


def verbs(group: typer.Typer = app, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Each verb, the subject of its module in toolkit.cli, and the source of its function."""
    for command in group.registered_commands:
        function = command.callback
        assert function is not None
        room = function.__module__.removeprefix("toolkit.cli.")
        yield prefix or command.name or function.__name__, room, inspect.getsource(function)
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from verbs(inner.typer_instance, inner.name if isinstance(inner.name, str) else "")


def test_there_are_verbs() -> None:
    assert {"fit", "lr-find", "lb", "config"} <= {verb for verb, _, _ in verbs()}


@pytest.mark.parametrize(("verb", "room", "source"), [pytest.param(*one, id=one[0]) for one in verbs()])
def test_a_verb_is_found_by_its_name(verb: str, room: str, source: str) -> None:
    module = f"{verb}_config" if keyword.iskeyword(verb) else verb.replace("-", "_")
    assert (COMMANDS / room / f"{module}.py").is_file()
    assert f"from toolkit.commands.{room}.{module} import" in source


@pytest.mark.parametrize("words", [("fit", "a"), ("predict", "a", "photos"), ("lr-find", "a")])
def test_folds_have_one_spelling(words: tuple[str, ...]) -> None:
    found = CliRunner().invoke(app, [*words, "--fold", "0"])
    assert found.exit_code == 2
    assert "No such option: --fold" in found.stderr
    assert "--folds" in found.stderr


def test_a_misspelt_verb_gets_the_nearest_one() -> None:
    for words, told in (
        (("comapre", "a", "b"), "No such command 'comapre'. Did you mean compare?"),
        (("config", "shwo"), "No such command 'shwo'. Did you mean show?"),
        (("qqqq",), "No such command 'qqqq'."),
    ):
        found = CliRunner().invoke(app, list(words))
        assert (found.exit_code, told in found.stderr) == (2, True), found.stderr
    assert "Did you mean" not in CliRunner().invoke(app, ["qqqq"]).stderr
    assert "No such option" in CliRunner().invoke(app, ["--comapre"]).stderr


def test_an_unknown_engine_is_refused() -> None:
    result = CliRunner().invoke(app, ["ensemble", "a", "--engine", "onnx"])
    assert result.exit_code == 3


def test_the_version_needs_no_verb() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert shown.exit_code == 0
    assert shown.stdout.startswith("tk ")
