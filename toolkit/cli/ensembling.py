"""tk ensemble."""

from typing import Annotated

import typer

from toolkit.cli.options import AsJson, Engine, Files, On
from toolkit.cli.running import cluster_at, run

app = typer.Typer()


@app.command()
def ensemble(
    experiments: Annotated[
        list[str],
        typer.Argument(
            help="Names or paths of experiments, ensembles and parts of experiments: exp042:fold0, exp042:snapshots."
        ),
    ],
    weights: Annotated[
        str | None,
        typer.Option(help="equal, search, or one number for each member, for example 0.6,0.4; default: equal."),
    ] = None,
    mean: Annotated[str, typer.Option(help="What is averaged: probability, logit or vote.")] = "probability",
    tta: Annotated[
        bool, typer.Option("--tta", help="Test-time augmentation by flips: the same as --views flips.")
    ] = False,
    views: Annotated[
        str | None,
        typer.Option(
            help="Test-time augmentation: flips, d4, scales:0.75,1, flips*scales:0.75,1 …; auto searches for the best."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the ensemble; default: its members, joined by +; of a single one EXPERIMENT-VIEWS."),
    ] = None,
    engine: Engine = None,
    on: On = None,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Blend the predictions of experiments and ensembles into a new one."""
    from toolkit.commands.ensembling.ensemble import ensemble as command
    from toolkit.commands.ensembling.ensemble import parse_mean, parse_views, parse_weights

    run(
        lambda session: command(
            session,
            experiments,
            weights=parse_weights(weights),
            mean=parse_mean(mean),
            views=parse_views(views, tta),
            name=name,
        ),
        as_json,
        engine,
        cluster_at(on, files),
    )
