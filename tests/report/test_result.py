import ast
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

import toolkit
from toolkit.messages import Table
from toolkit.report.result import Result

COMMANDS = Path(toolkit.__file__).parent / "commands"


@dataclass(frozen=True)
class Scored(Result):
    picture: str
    pictures: list[str] = field(default_factory=list)
    nothing: str | None = None

    def tables(self) -> list[Table]:
        return [Table("scores", ("fold", "dice"), [("0", "0.5"), ("all <1>", "0.75")])]

    def next_steps(self) -> list[str]:
        return ["next: tk tune a"]


def test_a_result_prints_its_tables() -> None:
    found = Scored("none.png")
    assert str(found) == "scores\nfold     dice\n0        0.5\nall <1>  0.75\nnext: tk tune a"
    assert repr(found) == "Scored(picture='none.png', pictures=[], nothing=None)"


def test_a_notebook_shows_tables_and_the_pictures_that_exist(tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    for name in names[:2]:
        cv2.imwrite(name, np.zeros((2, 2, 3), np.uint8))
    found = Scored(names[0], names[1:])._repr_html_()
    assert "<td>all &lt;1&gt;</td><td>0.75</td>" in found
    assert "<div>next: tk tune a</div>" in found
    assert found.count("<img ") == 2
    assert "c.png" not in found


def test_every_result_of_a_command_shows_itself() -> None:
    shown, others = set(), set()
    for module in COMMANDS.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ClassDef) and any(
                isinstance(one, ast.FunctionDef) and one.name == "next_steps" for one in node.body
            ):
                (shown if [ast.unparse(base) for base in node.bases] == ["Result"] else others).add(node.name)
    assert len(shown) > 15
    assert others == {"Drops", "ViewSearch", "WeightSearch"}  # parts of other results
