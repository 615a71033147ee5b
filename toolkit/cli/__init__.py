"""The `tk` command line: parse, call one command, show its result."""

from typing import Annotated

import typer

from toolkit import console
from toolkit.cli import (
    comparing,
    ensembling,
    inspecting,
    predicting,
    reporting,
    sharing,
    starting,
    submitting,
    training,
    tuning,
)
from toolkit.cli.running import Group

app = typer.Typer(
    cls=Group,
    help="Image-segmentation competitions from one YAML file: train folds, ensemble, tune, submit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for room in (starting, inspecting, training, predicting, ensembling, tuning, comparing, reporting, submitting, sharing):
    app.add_typer(room.app)


def main() -> None:
    """Run the command line."""
    app(prog_name="tk")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as version_of

        console.show_text(f"tk {version_of('segmentation-toolkit')}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Only the option: a callback of an option runs before the command is asked for."""
