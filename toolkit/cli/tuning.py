"""tk tune."""

from typing import Annotated

import typer

from toolkit.cli.options import AsJson, OptionalName, run

app = typer.Typer()


@app.command()
def tune(
    experiment: OptionalName = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric to tune for, a YAML value; the experiment's if left out.")
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option(help="What is searched, such as threshold,minimum_area; what suits the metric if left out."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Draw the score over thresholds and areas, and tell of each step.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Choose thresholds and post-processing on out-of-fold predictions, scored honestly."""
    from toolkit.commands.tuning.tune import tune as command

    run(
        lambda session: command(session, experiment, metric=metric, steps=steps, explain=explain),
        as_json,
    )
