"""tk tune and tk search."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import AsJson, Files, Name, On, OptionalName
from toolkit.cli.running import cluster_at, run

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


@app.command()
def search(
    experiment: Name,
    space: Annotated[Path, typer.Argument(metavar="SPACE", help="YAML file that says which keys are tried, and how.")],
    trials: Annotated[
        int | None, typer.Option(help="How many trials there shall be, those of earlier runs included.")
    ] = None,
    hours: Annotated[float | None, typer.Option(help="Stop after so many hours, between two epochs.")] = None,
    on: On = None,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Search better values for keys: train trials, and judge the best one on folds that did not choose it."""
    from toolkit.commands.tuning.search import search as command

    run(
        lambda session: command(session, experiment, space, trials=trials, hours=hours),
        as_json,
        cluster=cluster_at(on, files),
    )
