import sys
from pathlib import Path

import pytest

from toolkit.errors import WeightsError
from toolkit.files.disk.installed_weights import PACKAGES, installed_weights


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an importable package that must not be imported."""
    name = "weights_of_a_test"
    monkeypatch.setitem(PACKAGES, "mine", name)  # type: ignore[arg-type]
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / name
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    return folder


def test_the_file_is_found_and_the_package_is_not_imported(package: Path) -> None:
    path = package / "models" / "a-12345678.pth"
    path.touch()
    assert installed_weights("mine") == path
    assert package.name not in sys.modules


@pytest.mark.parametrize("names", [[], ["a.pth", "b.pth"]])
def test_a_package_has_one_file(package: Path, names: list[str]) -> None:
    for name in names:
        (package / "models" / name).touch()
    with pytest.raises(WeightsError, match=f"weights_of_a_test has {len(names)} files"):
        installed_weights("mine")


def test_without_a_package_there_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGES, "mine", "not_installed_anywhere")  # type: ignore[arg-type]
    assert installed_weights("mine") is None
    assert installed_weights("resnet34") is None
