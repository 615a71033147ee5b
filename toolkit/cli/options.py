"""What all commands of the command line share: options, the session, and exit codes for errors."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from toolkit import console
from toolkit.commands.session import Session
from toolkit.errors import ConfigError, ToolkitError
from toolkit.files.experiment.folder import Workspace

_INTERRUPTED = 130

_Value = TypeVar("_Value")
_Result = TypeVar("_Result", bound=console.Result)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Overrides = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, for example stages.0.epochs=3; repeatable."),
]
NO_OVERRIDES: list[str] = []
Name = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Name or path of an experiment.")]
Competition = Annotated[
    str | None,
    typer.Option(
        "--competition",
        "--preset",
        help="Format and metric of the competition: tgs-salt, airbus, … or the path of a YAML file.",
    ),
]
OptionalName = Annotated[
    str | None,
    typer.Argument(
        metavar="[EXPERIMENT]", help="Name or path of an experiment or ensemble; default: the one finished last."
    ),
]


def run(command: Callable[[Session], _Result], as_json: bool) -> _Result:
    """Call a command and show its result."""
    return guarded(command, lambda result: console.show_result(result, as_json))


def guarded(command: Callable[[Session], _Value], show: Callable[[_Value], None]) -> _Value:
    """Call a command for the current folder and show what it returns.

    Errors that a user can fix become one message and an exit code.
    """
    try:
        with console.progress_on_screen() as progress:
            result = command(Session(Workspace(Path()), progress))
        show(result)
    except ToolkitError as error:
        console.show_error(error)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        console.show_interrupted()
        raise typer.Exit(_INTERRUPTED) from None
    return result


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


def parse_numbers(option: str, text: str | None) -> list[int] | None:
    """The numbers of a list such as `0,2`; None if the option is not given.

    Raises:
        ConfigError: the text is not a list of whole numbers.
    """
    if text is None:
        return None
    numbers = [part.strip() for part in text.split(",")]
    if not all(number.isdecimal() for number in numbers):
        raise ConfigError(f"{option}: expected numbers separated by commas, for example 0,2; received {text!r}")
    return [int(number) for number in numbers]
