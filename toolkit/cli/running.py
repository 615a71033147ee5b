"""Runs a command for the current folder and shows its result, or one message and an exit code for an error.

A misspelt command is answered with the nearest one.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import typer
from typer.core import TyperGroup

from toolkit import console
from toolkit.cluster.units import Machines
from toolkit.commands.session import Session
from toolkit.errors import ConfigError, ToolkitError, as_told, nearest
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Progress

_INTERRUPTED = 130
_LIBRARIES = ("PIL", "tifffile")

OpenCluster = Callable[[Progress], AbstractContextManager[Machines | None]]

_Value = TypeVar("_Value")
_Result = TypeVar("_Result", bound=console.Result)


class Group(TyperGroup):
    """A group whose message about an unknown command names the nearest one; the exit code is 2."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names."""
        word = args[0]
        if word not in self.commands and not word.startswith("-"):
            near = nearest(word, self.commands)
            ctx.fail(f"No such command {word!r}.{'' if near is None else f' Did you mean {near}?'}")
        return super().resolve_command(ctx, args)


def this_process(progress: Progress) -> AbstractContextManager[None]:
    """No other machines."""
    return nullcontext()


def run(
    command: Callable[[Session], _Result],
    as_json: bool,
    engine: str | None = None,
    cluster: OpenCluster = this_process,
) -> _Result:
    """Call a command and show its result; `engine` is what should predict, `cluster` where the work runs."""
    return guarded(command, lambda result: console.show_result(result, as_json), engine, cluster)


def guarded(
    command: Callable[[Session], _Value],
    show: Callable[[_Value], None],
    engine: str | None = None,
    cluster: OpenCluster = this_process,
) -> _Value:
    """Call a command for the current folder and show what it returns.

    Errors that a user can fix become one message and an exit code.
    """
    from toolkit.config.training.execution import parse_engine

    for library in _LIBRARIES:  # what they find matters to the user only as a message of the toolkit
        logging.getLogger(library).setLevel(logging.CRITICAL)
    try:
        with console.progress_on_screen() as progress, cluster(progress) as machines:
            result = command(Session(Workspace(Path(), engine=parse_engine(engine)), progress, machines))
        show(result)
    except ToolkitError as error:
        console.show_error(error)
        raise typer.Exit(error.exit_code) from None
    except BaseException as error:
        told = as_told(error)
        if told is not None:
            console.show_error(told)
            raise typer.Exit(told.exit_code) from None
        if not isinstance(error, KeyboardInterrupt):
            raise
        console.show_interrupted()
        raise typer.Exit(_INTERRUPTED) from None
    return result


def cluster_at(on: str | None, files: str | None) -> OpenCluster:
    """Opens the machines that the options `--on` and `--files` name; None, which is this process, without `--on`."""

    def opened(progress: Progress) -> AbstractContextManager[Machines | None]:
        if on is None:
            if files is not None:
                raise ConfigError("--files says how nodes of a cluster get files, so it needs --on")
            return nullcontext()
        from toolkit.cluster.places import parse_place
        from toolkit.cluster.ray_cluster import RayCluster

        return RayCluster(parse_place(on), console.asking_about_tasks(progress), files)

    return opened
