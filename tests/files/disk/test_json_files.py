from pathlib import Path

import pytest
from pydantic import TypeAdapter, with_config
from typing_extensions import TypedDict

from toolkit.errors import StorageError
from toolkit.files.disk.json_files import STRICT, Number, finite_or_none, read_json, write_json


@with_config(STRICT)
class Scored(TypedDict):
    name: str
    scores: list[Number]


SHAPE = TypeAdapter(Scored)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    tree = {"name": "é", "scores": [0.5, None]}
    write_json(tmp_path / "a.json", tree)
    assert read_json(tmp_path / "a.json", SHAPE, "") == tree
    assert "é" in (tmp_path / "a.json").read_text("utf-8")


def test_numbers_that_json_cannot_express(tmp_path: Path) -> None:
    assert [finite_or_none(number) for number in (0.5, float("nan"), float("inf"))] == [0.5, None, None]
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"score": float("nan")})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "Expecting value"),
        ("{", "is damaged"),
        ("[]", "dictionary"),
        ("null", "found None"),
        ("[" * 100_000, "recursion"),
        ('{"scores": []}', "name: Field required"),
        ('{"name": 3, "scores": []}', "name: Input should be a valid string, found 3"),
        ('{"name": "a", "scores": ["0.5"]}', "scores.0"),
        ('{"name": "a", "scores": [true]}', "scores.0"),
        ('{"name": "a", "scores": [NaN]}', "scores.0: Input should be a finite number"),
        ('{"name": "' + "a" * 9 + '", "scores": "' + "b" * 999 + '"}', "bbb …"),
        ("\xff", "is damaged"),
    ],
)
def test_files_of_another_shape_are_refused(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(StorageError) as caught:
        read_json(path, SHAPE, "Run: tk fit a")
    assert str(path) in caught.value.message
    assert told in caught.value.message
    assert len(caught.value.message) < 400
    assert caught.value.advice == "Run: tk fit a"


def test_keys_of_later_versions_are_left_out(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "a", "scores": [], "later": 1})
    assert read_json(tmp_path / "a.json", SHAPE, "") == {"name": "a", "scores": []}
