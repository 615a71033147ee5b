"""The `tk` command line: parse, call one command, show its result."""

from typing import Annotated

import typer

from toolkit import console
from toolkit.cli import config as configuration
from toolkit.cli import experiments, predictions, submissions
from toolkit.cli import predict as predicting

app = typer.Typer(
    help="Train folds, ensemble, tune on out-of-fold predictions and submit: image-segmentation competitions from one "
    "YAML file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for commands in (experiments, predicting, predictions, submissions):
    app.add_typer(commands.app)
app.add_typer(configuration.app, name="config")


def main() -> None:
    """Run the command line."""
    app(prog_name="tk")


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        console.show_text(f"tk {version_of('segmentation-toolkit')}\n")
        raise typer.Exit
