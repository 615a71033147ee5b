from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from toolkit.config.migrating.systems import NO_NUMBERS, system_of, translated
from toolkit.config.migrating.translation import Translation
from toolkit.config.yaml.yaml_files import read_value

Translate = Callable[..., Translation]


@pytest.fixture
def translate(tmp_path: Path) -> Translate:
    """The translation of a foreign configuration, from YAML or JSON, in which further keys replace or add others.

    `numbers` are those of classes in masks.
    """

    def translate(text: str, numbers: Mapping[str, int] = NO_NUMBERS, **further: Any) -> Translation:
        tree: Mapping[str, Any] = read_value(text, "test") | further
        system = system_of(tree)
        assert system is not None
        return translated(system, tree, tmp_path, numbers)

    return translate
