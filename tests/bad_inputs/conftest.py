"""A small competition with finished, tuned and blended experiments, made once and copied for each mistake."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.small_competition import finish, make_competition, run
from toolkit.errors import ToolkitError

DOCUMENTED = {error.exit_code for error in (ToolkitError, *ToolkitError.__subclasses__())} | {2}
"""The exit codes of docs/exit-codes.md for commands that fail."""


@pytest.fixture(scope="package")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`new` has only a config.yaml; `a` and `b` are finished, `a` is tuned and submitted, `a+b` is their ensemble."""
    folder = tmp_path_factory.mktemp("bad") / "work"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_competition()
        for name in ("a", "b"):
            finish(name)
        for command in ("tune a", "ensemble a b --weights 3,1", "tune a+b", "submit a", "lb a.csv 0.5"):
            code, _, err = run(*command.split())
            assert code == 0, err
    return folder


@pytest.fixture(autouse=True)
def workspace(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The working folder is a copy of the template."""
    folder = tmp_path / "w"
    shutil.copytree(template, folder)
    monkeypatch.chdir(folder)
    yield
    shutil.rmtree(folder, ignore_errors=True)
