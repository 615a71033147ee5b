import pytest

from toolkit.config.training.engines import parse_engine
from toolkit.errors import ConfigError


def test_an_engine_is_one_of_three_words_or_not_given() -> None:
    assert [parse_engine(text) for text in (None, "auto", "tensorflow", "openvino")] == [
        None, "auto", "tensorflow", "openvino",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match=r"--engine: 'onnx' is not valid; .*auto, tensorflow, openvino"):
        parse_engine("onnx")
