import json
import time
from dataclasses import dataclass, field

import pytest

from toolkit import console
from toolkit.errors import ConfigError
from toolkit.messages import Table


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
    console.show_result(Result(Table("t", ("name", "score"), [("a", "12.5%"), ("b", "+7%")])), as_json=False)
    right = capsys.readouterr().out
    assert "│ 7%     │" in left
    assert "│   +7% │" in right


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
    assert shown.err.splitlines() == ["begun", "warning: slow", "training: 2/4 · 30 s left · loss 0.5"]
