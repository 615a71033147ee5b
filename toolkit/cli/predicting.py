"""Commands that predict images."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import AsJson, parse_numbers, run

app = typer.Typer()


@app.command()
def predict(
    experiment: Annotated[
        str, typer.Argument(metavar="EXPERIMENT", help="Name or path of an experiment, an ensemble, or a part.")
    ],
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER_OR_FILE", help="Folder of images, or one image; several where these hold its channels."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to; made if it is not there.")],
    formats: Annotated[
        list[str],
        typer.Option(
            "--format",
            help="png, npz, npy, mask, overlay, maps (all in one array), rle (one table); several with commas.",
        ),
    ] = ["png"],  # noqa: B006 # typer reads it, nobody changes it
    views: Annotated[
        str | None, typer.Option(help="Test-time augmentation, such as flips or d4; an ensemble's own if left out.")
    ] = None,
    fold: Annotated[str | None, typer.Option(help="Only the networks of these folds, such as 0,2.")] = None,
    stage: Annotated[int | None, typer.Option(help="The weights of this stage; the last one if left out.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Of masks: tuned or untuned; the tuned one, where there is one, if left out.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Replaces the thresholds of the recipe.")] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Images in folders inside the folder too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Predict images: probabilities, masks, pictures. What is there already is kept."""
    from toolkit.commands.predicting.predict import PredictOptions
    from toolkit.commands.predicting.predict import predict as command

    result = run(
        lambda session: command(
            session,
            experiment,
            paths,
            out=out,
            options=PredictOptions(formats, parse_numbers("--fold", fold), stage, views, recipe, threshold, recursive),
        ),
        as_json,
    )
    raise typer.Exit(result.exit_code)
