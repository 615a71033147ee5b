"""tk report."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import AsJson
from toolkit.cli.running import run

app = typer.Typer()


@app.command()
def report(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(help="Names or paths of experiments and ensembles; default: the one finished last."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; default: report.html in the folder of the experiment."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a page that shows what was found: scores, a live threshold, images, training, and where it comes from."""
    from toolkit.commands.reporting.report import report as command

    run(lambda session: command(session, experiments or [], out=out), as_json)
