import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from toolkit import console
from toolkit.errors import ConfigError, OutOfTimeError
from toolkit.messages import Silent, Table


@dataclass(frozen=True)
class Result:
    """A result with one table."""

    table: Table = field(
        default_factory=lambda: Table("scores of [a]", ("name", "score"), [("a|b", "0.5"), ("c", "–"), ("d", "")])
    )

    def tables(self) -> list[Table]:
        return [self.table]

    def next_steps(self) -> list[str]:
        return ["note: [red]", "next: tk ls"]


def test_a_result_is_tables_and_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_result(Result(), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "scores of [a]"
    assert any("a|b" in line for line in lines)
    assert lines[-2:] == ["note: [red]", "next: tk ls"]


def test_numbers_are_aligned_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_result(Result(Table("t", ("name", "score"), [("a", "12.5 %"), ("b", "7%")])), as_json=False)
    left = capsys.readouterr().out
    console.show_result(
        Result(Table("t", ("name", "score"), [("a", "12.5%"), ("b", "+7%"), ("c", "<1")])), as_json=False
    )
    right = capsys.readouterr().out
    assert "│ 7%     │" in left
    assert "│   +7% │" in right
    assert "│    <1 │" in right


def test_a_result_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_result(Result(), as_json=True)
    assert json.loads(capsys.readouterr().out)["table"]["title"] == "scores of [a]"


def test_markdown_escapes_what_it_would_interpret(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_markdown(Result())
    assert capsys.readouterr().out.splitlines() == [
        r"### scores of \[a\]",
        "",
        "| name | score |",
        r"| \-\-\- | \-\-\- |".replace("\\-", "-"),
        r"| a\|b | 0.5 |",
        "| c | – |",
        "| d |  |",
        "",
        r"- note: \[red\]",
        "- next: tk ls",
    ]


def test_errors_go_to_stderr_with_their_advice(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_error(ConfigError("lr: expected [a number]", "Run: tk config schema"))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "error: lr: expected [a number]\nRun: tk config schema\n"


def test_a_stop_that_was_asked_for_is_not_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_error(OutOfTimeError("the time is up", "To go on: tk fit e"))
    assert capsys.readouterr().err == "stopped: the time is up\nTo go on: tk fit e\n"


def test_without_a_terminal_progress_is_lines_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 10.0, 30.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with console.progress_on_screen() as progress:
        progress.say("begun")
        progress.warn("slow")
        with progress.task("training", 4) as task:
            task.advance(1)
            task.advance(1, "loss 0.5")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == ["begun", "warning: slow", "training: 2/4 · 40 s left · loss 0.5"]


class Display:
    """The display of a notebook: one list of the texts that it showed for each output."""

    def __init__(self) -> None:
        self.outputs: list[list[str]] = []

    def display(self, content: dict[str, str], *, raw: bool, display_id: bool) -> "Display":
        assert raw
        assert display_id
        self.outputs.append([content["text/plain"]])
        return self

    def update(self, content: dict[str, str], *, raw: bool) -> None:
        self.outputs[-1].append(content["text/plain"])


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Display:
    """Makes this process the kernel of a notebook."""
    shown = Display()
    package, module = ModuleType("IPython"), ModuleType("IPython.display")
    package.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    module.display = shown.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return shown


def test_a_notebook_shows_the_open_tasks_in_one_place(
    display: Display, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    progress = console.progress_if_watched()
    with progress.task("short", 1) as task:
        task.advance()
    assert display.outputs == []
    with progress.task("folds", 2) as folds:
        progress.say("fold 0")
        with progress.task("epochs", 3) as epochs:
            now[0] = 1.0
            epochs.advance(1, "loss 0.5")
            epochs.advance(1)
        folds.advance()
        now[0] = 2.0
        folds.advance()
    assert display.outputs == [
        [
            "folds: 0/2\nepochs: 1/3 · loss 0.5",
            "folds: 0/2\nepochs: 2/3 · 0 s left · loss 0.5",
            "folds: 2/2",
            "folds: 2/2",
        ]
    ]
    assert capsys.readouterr().err == "fold 0\n"


def test_progress_is_shown_only_to_who_watches(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(console.progress_if_watched(), Silent)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # what Console takes for a terminal
    progress = console.progress_if_watched()
    progress.say("before")
    with progress.task("training", 2) as task, progress.task("epochs", 3) as inner:
        task.advance()
        inner.advance(1, "loss 0.5")
        progress.warn("slow")
    progress.say("after")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("before\n")
    assert shown.err.endswith("after\n")
    assert "training" in shown.err
    assert "slow" in shown.err


def test_where_nobody_can_be_asked_tasks_are_stopped() -> None:
    with console.progress_on_screen() as progress:
        assert console.asking_about_tasks(progress)("2 tasks of exp: fold 0, fold 1", True) == "stop"


def test_a_reader_that_goes_away_ends_the_command_without_a_message(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "toolkit", "simulate", "salt", "--out", str(tmp_path / "data"), "--count", "2"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # as `tk … | head` does
        assert b"error" not in process.stderr.read()
    assert (tmp_path / "data" / "train.csv").is_file()
