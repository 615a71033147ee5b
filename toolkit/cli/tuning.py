"""tk tune."""

from typing import Annotated

import typer

from toolkit.cli.options import AsJson, OptionalName
from toolkit.cli.running import run

app = typer.Typer()


@app.command()
def tune(
    experiment: OptionalName = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric to tune for, a YAML value; default: the metric of the experiment.")
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option(
            help="Steps to search, for example threshold,minimum_area; default: the steps that suit the metric."
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Draw the score over thresholds and areas, and report each step.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also show the probabilities of out-of-fold and test predictions.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Choose thresholds and post-processing on out-of-fold predictions, scored honestly."""
    from toolkit.commands.tuning.tune import tune as command

    run(
        lambda session: command(session, experiment, metric=metric, steps=steps, explain=explain, verbose=verbose),
        as_json,
    )
