"""tk ensemble."""

from typing import Annotated

import typer

from toolkit.cli.options import AsJson, run

app = typer.Typer()


@app.command()
def ensemble(
    experiments: Annotated[
        list[str],
        typer.Argument(help="Names or paths of experiments and ensembles, and parts: exp042:fold0, exp042:snapshots."),
    ],
    weights: Annotated[str | None, typer.Option(help="equal, search, or one for each, such as 0.6,0.4.")] = None,
    mean: Annotated[str, typer.Option(help="Of what: probability, logit, rank or vote.")] = "probability",
    tta: Annotated[bool, typer.Option("--tta", help="Flip test-time augmentation: the same as --views flips.")] = False,
    views: Annotated[
        str | None,
        typer.Option(help="Test-time augmentation: flips, d4, scales:0.75,1, flips*scales:0.75,1 …; auto chooses."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the ensemble; joined by + if left out.")] = None,
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
    )
