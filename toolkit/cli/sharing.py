"""Commands that make trained networks usable elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import AsJson
from toolkit.cli.running import run

app = typer.Typer()


@app.command()
def bundle(
    experiments: Annotated[
        list[str],
        typer.Argument(
            metavar="EXPERIMENT...",
            help="Names or paths of experiments, ensembles, or parts of experiments; the first predicts by default.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write; an earlier bundle of the same is replaced.")] = Path(
        "bundle"
    ),
    wheels: Annotated[
        str | None,
        typer.Option(
            metavar="PLATFORM",
            help="Download the wheels of all packages for a platform, for example linux_x86_64-cp311; default: only "
            "the wheel of tk.",
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="A plain threshold for every class, in place of tuned recipes.")
    ] = None,
    minutes: Annotated[float, typer.Option(help="Time limit of the prediction in the notebook.")] = 480.0,
    kaggle_user: Annotated[str | None, typer.Option(help="Name of the Kaggle account, for the metadata.")] = None,
    kaggle_competition: Annotated[
        str | None,
        typer.Option(help="Competition that the notebook is for, for example tgs-salt-identification-challenge."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write weights, recipe, wheels, predict.py and a notebook into a folder that predicts without a network."""
    from toolkit.commands.sharing.bundle import BundleOptions
    from toolkit.commands.sharing.bundle import bundle as command

    options = BundleOptions(out, wheels, threshold, minutes, kaggle_user, kaggle_competition)
    run(lambda session: command(session, experiments, options=options), as_json)
