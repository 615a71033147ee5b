"""Test modules that import TensorFlow have a mark, so that a run without it never waits for the import."""

import ast
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
PROJECT = TESTS.parent
RUNTIME = "toolkit.learning.runtime"


@cache
def imported_at_the_top(path: Path) -> frozenset[str]:
    """Dotted names that a module imports when it is imported itself, `from a import b` as both `a` and `a.b`."""
    names: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def file_of(name: str) -> Path:
    path = PROJECT.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def imports_tensorflow(name: str) -> bool:
    """Whether importing a module of the toolkit imports TensorFlow."""
    waiting, seen = [name], {name}
    while waiting:
        path = file_of(waiting.pop())
        further = (
            {other for other in imported_at_the_top(path) if other.startswith("toolkit.")} if path.is_file() else set()
        )
        waiting += further - seen
        seen |= further
    return RUNTIME in seen


def test_modules_that_import_tensorflow_have_a_mark() -> None:
    unmarked = {}
    for path in sorted(TESTS.rglob("*.py")):
        text = path.read_text("utf-8")
        names = sorted(name for name in imported_at_the_top(path) if name.startswith("toolkit."))
        culprits = [name for name in names if file_of(name).is_file() and imports_tensorflow(name)]
        if culprits and not any(f"\npytestmark = pytest.mark.{mark}\n" in text for mark in ("tf", "train")):
            unmarked[str(path.relative_to(TESTS))] = culprits
    assert not unmarked, "add pytestmark = pytest.mark.tf"
