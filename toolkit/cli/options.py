"""Options that several commands share, and the values of options that are texts: times and lists."""

from typing import Annotated

import typer

from toolkit.errors import ConfigError

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Overrides = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, for example stages.0.epochs=3; repeatable."),
]
Engine = Annotated[
    str | None,
    typer.Option(help="What predicts: tensorflow, openvino, or auto; default: as the configuration says."),
]
On = Annotated[
    str | None,
    typer.Option(
        help="Where the work runs: ray (all devices of this machine, or the cluster at RAY_ADDRESS), HOST:PORT or "
        "ray://HOST:PORT of a Ray cluster; default: in this process.",
    ),
]
Files = Annotated[
    str | None,
    typer.Option(
        help="With --on, how nodes get files: shared (they see this folder), sent, or s3://BUCKET/PREFIX, "
        "gs://BUCKET/PREFIX or file:///FOLDER, a place that all reach; default: shared if they see it, otherwise sent.",
    ),
]
NO_OVERRIDES: list[str] = []
Name = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Name or path of an experiment.")]
Competition = Annotated[
    str | None,
    typer.Option(
        help="Format and metric of the competition: tgs-salt, airbus, … or the path of a YAML file.",
    ),
]
OptionalName = Annotated[
    str | None,
    typer.Argument(
        metavar="[EXPERIMENT]", help="Name or path of an experiment or ensemble; default: the one finished last."
    ),
]


def parse_time(option: str, text: str | None) -> float | None:
    """The seconds of a time such as `1h30m`; None if the option is not given.

    Raises:
        ConfigError: the text is not a time.
    """
    from toolkit.config.yaml.fields import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from error


def parse_names(option: str, text: str | None) -> list[str]:
    """The names of a list such as `road,car`; none if the option is not given.

    Raises:
        ConfigError: a name is empty or occurs twice.
    """
    names = [] if text is None else [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise ConfigError(f"{option}: expected different names separated by commas; received {text!r}")
    return names


def parse_numbers(option: str, text: str | None) -> list[int] | None:
    """The numbers of a list such as `0,2`; None if the option is not given.

    Raises:
        ConfigError: the text is not a list of whole numbers.
    """
    if text is None:
        return None
    numbers = [part.strip() for part in text.split(",")]
    if not all(number.isdecimal() and len(number) < 10 for number in numbers):
        raise ConfigError(f"{option}: expected numbers separated by commas, for example 0,2; received {text!r}")
    return [int(number) for number in numbers]
