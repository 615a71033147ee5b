"""What all commands of the command line share: options, the workspace, and errors made into exit codes."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from toolkit import console
from toolkit.errors import ToolkitError
from toolkit.files.experiment.folder import Workspace
from toolkit.messages import Progress

_INTERRUPTED = 130

_Value = TypeVar("_Value")
_Result = TypeVar("_Result", bound=console.Result)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Overrides = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Override a key, such as stages.0.epochs=3; repeatable.")
]
Name = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Name or path of an experiment.")]
Competition = Annotated[
    str | None,
    typer.Option(
        "--competition",
        "--preset",
        help="What the file looks like: tgs-salt, airbus, … or the path of a YAML file.",
    ),
]
OptionalName = Annotated[
    str | None,
    typer.Argument(metavar="[EXPERIMENT]", help="Name or path of an experiment or ensemble; the one finished last."),
]


def run(command: Callable[[Progress], _Result], as_json: bool) -> _Result:
    """Call a command and show its result."""
    return guarded(command, lambda result: console.show_result(result, as_json))


def guarded(command: Callable[[Progress], _Value], show: Callable[[_Value], None]) -> _Value:
    """Call a command and show what it returns; errors that a user can mend become one message and an exit code."""
    try:
        with console.progress_on_screen() as progress:
            result = command(progress)
        show(result)
    except ToolkitError as error:
        console.show_error(error)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        console.show_interrupted()
        raise typer.Exit(_INTERRUPTED) from None
    return result


def workspace() -> Workspace:
    """The folder that the command was called in."""
    return Workspace(Path())
