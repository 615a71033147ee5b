from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Writes lines as a CSV file."""

    def table(*lines: str, name: str = "t.csv") -> Path:
        (tmp_path / name).write_text("\n".join(lines) + "\n", "utf-8")
        return tmp_path / name

    return table


@pytest.fixture
def touch(tmp_path: Path) -> Callable[..., Path]:
    """Makes empty files, and returns the folder that they are in."""

    def touch(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return touch
