"""Files that the toolkit has written, and somebody or something has changed."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bad_inputs.conftest import DOCUMENTED
from tests.small_competition import everything, run

pytestmark = pytest.mark.train

A, BOTH = "experiments/a", "experiments/a+b"
STATE = f"{A}/fold0/stage0/state.json"

# The file, and the commands that cannot do without it.
FILES = {
    f"{A}/score.json": ("compare a b", "submit a --threshold 0.4"),
    f"{A}/tuned.json": ("submit a", "compare a b"),
    f"{A}/resolved.yaml": ("submit a", "tune a"),
    f"{A}/folds.csv": ("tune a",),
    f"{A}/predictions/oof/manifest.json": ("tune a",),
    f"{A}/predictions/oof/index.csv": ("tune a",),
    f"{A}/predictions/test/manifest.json": ("submit a --threshold 0.4",),
    f"{A}/predictions/test/index.csv": ("submit a --threshold 0.4",),
    f"{BOTH}/resolved.yaml": ("submit a+b", "tune a+b"),
    f"{BOTH}/predictions/oof/manifest.json": ("tune a+b",),
    STATE: ("ls",),
    "submissions/log.csv": ("lb", "submit a --threshold 0.4"),
}

CONTENTS = {
    "a list": b"[1, 2]\n",
    "null": b"null\n",
    "a number": b"7\n",
    "a text": b'"text"\n',
    "a deeply nested list": b"[" * 100_000,
    "a deeply nested mapping": b'{"a":' * 100_000,
    "empty": b"",
    "binary": bytes(range(256)) * 4,
    "NUL": b"\0" * 1000,
    "UTF-16": "{}".encode("utf-16"),
    "half a mapping": b'{"metric": "dice", "fol',
    "a mapping of nothing": b"{}\n",
    "a number of many digits": b'{"format": ' + b"9" * 5000 + b"}",
}

OTHERS: tuple[Any, ...] = (None, True, -1, 1.5, 10**30, "text", "\0", [], [[]], {}, {"a": [None]})
"""What is put in the place of each value."""


@pytest.fixture(autouse=True)
def state() -> None:
    path = Path(STATE)
    path.parent.mkdir(parents=True)
    best = {"epoch": 1, "score": 0.5}
    path.write_text(json.dumps({"complete": True, "best": best}))
    path.with_name("best.weights.h5").write_bytes(b"")


def answer(command: str, name: str) -> tuple[int, str]:
    """Exit code and stderr of a command that may refuse a file: with a sentence that names it, and changing nothing."""
    before = everything()
    code, out, err = run(*command.split())
    if command == "ls":  # shows what is broken in its list
        return ("broken: " in out), out
    if code:
        assert code in DOCUMENTED, err
        assert "Traceback" not in err
        assert len(err) < 5_000
        assert everything() == before, name
    return code, err


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("file", FILES)
def test_a_file_with_another_content_is_named(file: str, content: str) -> None:
    Path(file).write_bytes(CONTENTS[content])
    if content == "empty" and file.endswith("log.csv"):
        return  # a log without a submission
    for command in FILES[file]:
        code, err = answer(command, file)
        assert code, command
        assert names_of(file, err), (command, err)


def places_in(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, inner in pairs:
        yield (*at, key)
        yield from places_in(inner, (*at, key))


def changed(tree: Any, place: tuple[Any, ...], *value: Any) -> Any:
    """A copy in which one value is another, or, without one, is missing."""
    tree = copy.deepcopy(tree)
    inner = tree
    for part in place[:-1]:
        inner = inner[part]
    if value:
        inner[place[-1]] = value[0]
    else:
        del inner[place[-1]]
    return tree


def rewritten(file: Path, tree: Any) -> None:
    file.write_text(json.dumps(tree) if file.suffix == ".json" else yaml.safe_dump(tree))


TREES = [file for file in FILES if not file.endswith(".csv")]


@pytest.mark.parametrize("file", TREES)
def test_no_missing_key_is_a_traceback(file: str) -> None:
    path = Path(file)
    original = path.read_text()
    tree = yaml.safe_load(original)
    for place in places_in(tree):
        rewritten(path, changed(tree, place))
        for command in FILES[file][:1]:
            code, err = answer(command, f"{file}: {place}")
            assert not code or names_of(file, err) or str(place[-1]) in err, (place, err)
            if not code:
                break


@pytest.mark.parametrize("file", TREES)
def test_no_value_of_another_type_is_a_traceback(file: str) -> None:
    path = Path(file)
    tree = yaml.safe_load(path.read_text())
    for number, place in enumerate(places_in(tree)):
        for value in (OTHERS[number % len(OTHERS)], OTHERS[(number * 7 + 3) % len(OTHERS)]):
            rewritten(path, changed(tree, place, value))
            code, err = answer(FILES[file][0], f"{file}: {place} = {value}")
            assert not code or names_of(file, err) or str(place[-1]) in err, (place, value, err)


def names_of(file: str, err: str) -> bool:
    """Whether a message names a file, or the store that it is part of."""
    store = Path(file).parent
    return Path(file).name in err or (store.parent.name == "predictions" and str(store) in err)
