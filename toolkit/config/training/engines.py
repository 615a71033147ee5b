"""What computes the networks in prediction: the names of the engines."""

from typing import Literal, cast, get_args

from toolkit.errors import ConfigError, not_valid

EngineName = Literal["tensorflow", "openvino"]
EngineChoice = Literal["auto", EngineName]
"""An engine, or `auto`: whichever suits the machine, the experiment and its networks."""


def parse_engine(text: str | None) -> EngineChoice | None:
    """The engine of the option `--engine`; None if it is not given.

    Raises:
        ConfigError: there is no such engine.
    """
    if text is None or text in (allowed := ("auto", *get_args(EngineName))):
        return cast(EngineChoice | None, text)
    raise ConfigError(f"--engine: {not_valid(text, allowed)}")
