"""Covers toolkit/__init__.py."""

import ast
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import toolkit

ROOT = Path(__file__).parents[1]


def documented() -> Iterator[tuple[str, str]]:
    """The Python code that users are shown: of the pages, and of the examples."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in re.findall(r"^( *)```python\n(.*?)^\1```", page.read_text(), re.DOTALL | re.MULTILINE):
            yield page.name, textwrap.dedent(block[1])
    for module in sorted((ROOT / "experiments").rglob("*.py")):
        yield str(module.relative_to(ROOT)), module.read_text()


def imported(code: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every module of ours that is imported, and the names that are taken from it."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names if alias.name.split(".")[0] == "toolkit")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "toolkit":
            yield node.module, tuple(alias.name for alias in node.names)


def test_documentation_and_examples_import_from_the_package_alone() -> None:
    found = [(page, module, names) for page, code in documented() for module, names in imported(code)]
    assert len(found) > 5
    assert not [one for one in found if one[1] != "toolkit"]
    assert not [(page, name) for page, _, names in found for name in names if name not in toolkit.__all__]


def test_prose_names_no_module_below_the_package() -> None:
    pages = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    assert not [(page.name, found) for page in pages for found in re.findall(r"`toolkit\.[a-z]\w*", page.read_text())]


def test_type_checkers_see_what_is_imported_lazily() -> None:
    tree = ast.parse(Path(toolkit.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    shown = {node.module: tuple(alias.name for alias in node.names) for node in block.body}
    assert shown == toolkit._MODULES
    assert sorted(name for names in shown.values() for name in names) == sorted(toolkit.__all__) == dir(toolkit)


@pytest.mark.train  # starts the program
def test_importing_the_package_imports_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import toolkit\n"
        "ours = {name for name in set(sys.modules) - before if name.startswith('toolkit')}\n"
        "assert ours == {'toolkit'}, ours\n"
        "assert not {'numpy', 'pydantic', 'pandas', 'cv2', 'tensorflow'} & set(sys.modules)\n"
        "for name in sorted(set(toolkit.__all__) - {'build_loss', 'Outputs'}): getattr(toolkit, name)\n"
        "assert not {'tensorflow', 'tf_keras', 'albumentations', 'matplotlib'} & set(sys.modules)\n"
        "assert issubclass(toolkit.ToolkitError, Exception) and toolkit.Experiment.__name__ == 'Experiment'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.train
def test_every_public_name_is_there() -> None:
    assert all(getattr(toolkit, name) is not None for name in toolkit.__all__)


def test_there_is_nothing_else() -> None:
    with pytest.raises(AttributeError, match="no attribute 'experiments'"):
        _ = toolkit.experiments
