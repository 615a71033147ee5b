from pathlib import Path

import pytest

from toolkit.config.data.reading import READING_KEYS
from toolkit.config.loading import load_config
from toolkit.errors import ConfigError


def loaded(tmp_path: Path, *overrides: str) -> object:
    path = tmp_path / "config.yaml"
    path.write_text("data: {images: images, masks: masks}\nfolds_count: 2\nstages: [{epochs: 1}]\n")
    config = load_config(path, overrides).config
    return [getattr(config, key) for key in READING_KEYS]


def test_by_default_the_machine_decides(tmp_path: Path) -> None:
    assert loaded(tmp_path) == ["auto", "auto"]


def test_both_may_be_set(tmp_path: Path) -> None:
    assert loaded(tmp_path, "cache=disk", "workers=3") == ["disk", 3]
    assert loaded(tmp_path, "cache=off", "workers=0") == ["off", 0]


@pytest.mark.parametrize("override", ["cache=ram", "workers=-1", "workers=many", "workers=1.5"])
def test_other_values_are_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(ConfigError, match=override.partition("=")[0]):
        loaded(tmp_path, override)
