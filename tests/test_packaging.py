"""What an installed package contains. Covers pyproject.toml."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_data_file_of_the_package_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["toolkit"]
    package = ROOT / "toolkit"
    installed = {path for pattern in patterns for path in package.glob(pattern)}
    ignored = {".py", ".pyc"}
    assert {path for path in package.rglob("*") if path.is_file() and path.suffix not in ignored} == installed
