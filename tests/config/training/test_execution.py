from pathlib import Path

import pytest

from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.config.training.execution import PLAIN, READING_KEYS, Compilation, Resources, parse_engine
from toolkit.errors import ConfigError


def test_the_keys_of_a_configuration_say_how_the_step_is_compiled() -> None:
    tree = {"data": {"images": "a", "masks": "b"}, "stages": ({"epochs": 1},)}
    assert Config.model_validate(tree).compilation == Compilation("auto", 1)
    assert Config.model_validate({**tree, "xla": "off", "steps_per_call": 8}).compilation == Compilation("off", 8)
    assert Compilation("off", 1) == PLAIN


def test_an_engine_is_one_of_three_words_or_not_given() -> None:
    assert [parse_engine(text) for text in (None, "auto", "tensorflow", "openvino")] == [
        None, "auto", "tensorflow", "openvino",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match=r"--engine: 'onnx' is not valid; .*auto, tensorflow, openvino"):
        parse_engine("onnx")


def loaded(tmp_path: Path, *overrides: str) -> object:
    path = tmp_path / "config.yaml"
    path.write_text("data: {images: images, masks: masks}\nfolds_count: 2\nstages: [{epochs: 1}]\n")
    config = load_config(path, overrides).config
    return [getattr(config, key) for key in READING_KEYS]


def test_by_default_the_machine_decides(tmp_path: Path) -> None:
    assert loaded(tmp_path) == ["auto", "auto", None]


def test_all_may_be_set(tmp_path: Path) -> None:
    assert loaded(tmp_path, "cache=disk", "workers=3") == ["disk", 3, None]
    assert loaded(tmp_path, "cache=off", "workers=0", "resources={cpus: 4, gpus: 0.5}") == [
        "off", 0, Resources(cpus=4, gpus=0.5),
    ]  # fmt: skip


@pytest.mark.parametrize("override", ["cache=ram", "workers=-1", "workers=many", "workers=1.5"])
def test_other_values_are_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(ConfigError, match=override.partition("=")[0]):
        loaded(tmp_path, override)
