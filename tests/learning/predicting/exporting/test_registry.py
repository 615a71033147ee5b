import importlib.util
from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import ConfigError
from toolkit.learning.predicting.exporting import registry
from toolkit.learning.predicting.exporting.registry import EXPORT_FORMATS, parse_format


def test_a_wrong_format_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="--format: 'onxx' is not valid; did you mean 'onnx'"):
        parse_format("onxx")


@pytest.mark.parametrize(("kind", "extra"), [("onnx", "onnx"), ("openvino", "openvino"), ("tflite", "tflite")])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    kind: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = EXPORT_FORMATS[kind].packages[-1]
    find: Any = importlib.util.find_spec
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == gone else find(name))
    with pytest.raises(ConfigError) as found:
        parse_format(kind)
    assert found.value.message == f"--format {kind} needs packages that are not installed: {gone}"
    assert found.value.advice == f"Run: pip install 'segmentation-toolkit[{extra}]'"


def test_every_format_has_its_module_and_its_extra() -> None:
    folder = Path(registry.__file__).parent
    project = (folder.parents[3] / "pyproject.toml").read_text()
    for kind in EXPORT_FORMATS.values():
        assert (folder / f"{kind.module}.py").is_file()
        assert bool(kind.packages) == bool(kind.extra)
        assert not kind.extra or f"\n{kind.extra} = [" in project
