import sys
from pathlib import Path

import pytest

from toolkit.files.code.own_modules import MODULE, OwnModules, code_digests, find_source, sources_of
from toolkit.files.disk.digests import file_digest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a configuration; another one is the working folder."""
    for name in ("experiment", "working"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "working")
    return tmp_path / "experiment"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_sources_are_found_without_running_anything(folder: Path) -> None:
    write(folder, {"mine.py": "raise ValueError\n", "package/__init__.py": "raise ValueError\n", "package/in.py": ""})
    write(Path.cwd(), {"mine.py": "", "further.py": "", "no_package/inner.py": "", "results/a.txt": ""})
    write(Path.cwd(), {"no_package/deep/further/mine.py": ""})
    assert find_source("mine", folder) == folder / "mine.py"
    assert find_source("package.in", folder) == folder / "package" / "in.py"
    assert find_source("further", folder) == Path.cwd() / "further.py"
    assert find_source("no_package.inner", folder) == Path.cwd() / "no_package" / "inner.py"
    assert find_source("no_package.deep.further.mine", folder) == Path.cwd() / "no_package/deep/further/mine.py"
    assert find_source("no_package.deep.absent", folder) is None
    assert find_source("results", folder) is None
    assert find_source("json.decoder", folder) is not None
    assert find_source("math", folder) is None  # has no source
    assert find_source("no_such_module.f", folder) is None
    assert "mine" not in sys.modules


def test_the_modules_that_count_are_those_named_and_all_of_ones_own_that_they_import(folder: Path) -> None:
    write(
        folder,
        {
            "plugins.py": "import helpers\nimport numpy\n",
            "helpers.py": "def f():\n    from package.deep import g\n",
            "package/__init__.py": "from . import sibling\n",
            "package/deep.py": "from .sibling import h\nfrom .. import nothing\nimport package.absent\n",
            "package/sibling.py": "import helpers\n",
            "unused.py": "",
            "env/lib/python3/site-packages/env.py": "",
        },
    )
    names = {"helpers", "package", "package.deep", "package.sibling"}
    assert set(sources_of(folder, ())) == names
    assert set(sources_of(folder, ["json.decoder.JSONDecoder", "math.sqrt"])) == names | {"json.decoder"}
    (folder / "plugins.py").unlink()
    assert set(sources_of(folder, ["package.deep.g"])) == names
    assert set(sources_of(folder, ["helpers.f", "nothing.at.all"])) == names


def test_digests_change_with_the_files_and_with_nothing_else(folder: Path) -> None:
    assert code_digests(folder, ["mine.f"]) == {}
    write(folder, {"plugins.py": "", "mine.py": "import other\n", "other.py": "x = (\n"})
    digests = code_digests(folder, ["mine.f"])
    assert digests == {
        "plugins": file_digest(folder / "plugins.py"),
        f"{MODULE}mine": file_digest(folder / "mine.py"),
        f"{MODULE}other": file_digest(folder / "other.py"),
    }
    write(folder, {"other.py": "x = 1\n", "another.py": "x = 1\n"})
    after = code_digests(folder, ["mine.f"])
    assert {key for key in after if after[key] != digests.get(key)} == {f"{MODULE}other"}


def test_the_toolkit_itself_is_not_ones_own_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    write(folder, {"plugins.py": "from toolkit.core.masks import rle\n"})
    assert sources_of(folder, ()) == {}


def test_the_finder_leaves_inner_modules_and_plain_folders_to_others(folder: Path) -> None:
    write(folder, {"results/picture.txt": "", "mine.py": ""})
    finder = OwnModules([folder])
    assert finder.find_spec("results") is None
    assert finder.find_spec("mine.inner", [str(folder)]) is None
    assert finder.find_spec("mine") is not None
    write(folder, {"later.py": ""})
    finder.invalidate_caches()
    assert finder.find_spec("later") is not None
