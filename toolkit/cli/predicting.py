"""Commands that predict images."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import AsJson, Engine, Files, On, parse_names, parse_numbers
from toolkit.cli.running import cluster_at, run

app = typer.Typer()


@app.command()
def predict(
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT", help="Name or path of an experiment, an ensemble, or a part of an experiment."
        ),
    ],
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER_OR_FILE",
            help="Folder of images, or one image; several if the channels are in several folders.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(help="Folder to write to; created if missing. For one image in one format also a file: one.png."),
    ],
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="png, npz, npy, mask, overlay, maps (one array of all), rle (one table); several separated by commas; "
            "default: png.",
        ),
    ] = None,
    views: Annotated[
        str | None,
        typer.Option(
            help="Test-time augmentation, for example flips or d4; default: none, or the views of the ensemble."
        ),
    ] = None,
    folds: Annotated[
        str | None, typer.Option(help="Only the networks of these folds, for example 0,2; default: all.")
    ] = None,
    stage: Annotated[int | None, typer.Option(help="Stage whose weights predict; default: the last one.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Recipe of masks, tuned or untuned; default: tuned, if there is a tuned recipe.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="A plain threshold for every class, in place of any recipe.")
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Predict images in subfolders too.")] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Columns of the table of --format rle, for example image,rle_mask; default: those of the sample "
            "submission, or id,rle_mask.",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Stop after so many minutes; what is predicted is kept, and the same command goes on."),
    ] = None,
    engine: Engine = None,
    on: On = None,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Predict images: probabilities, masks, pictures. Finished predictions are kept."""
    from toolkit.commands.predicting.predict import PredictOptions
    from toolkit.commands.predicting.predict import predict as command

    result = run(
        lambda session: command(
            session,
            experiment,
            paths,
            out=out,
            options=PredictOptions(
                formats or None,
                parse_numbers("--folds", folds),
                stage,
                views,
                recipe,
                threshold,
                recursive,
                parse_names("--columns", columns),
                minutes,
            ),
        ),
        as_json,
        engine,
        cluster_at(on, files),
    )
    raise typer.Exit(result.exit_code)


@app.command()
def pseudo(
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT", help="The teacher: an experiment, an ensemble, or a part of an experiment."
        ),
    ],
    images: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER", help="Folder of images without labels; may be repeated. Default: the test images."
        ),
    ] = None,
    views: Annotated[str, typer.Option(help="Test-time augmentation of the labels, for example flips.")] = "hflip",
    minimum_confidence: Annotated[
        float, typer.Option(help="Confidence from which the table and the picture show labels as taken, 0 to 1.")
    ] = 0.9,
    engine: Engine = None,
    as_json: AsJson = False,
) -> None:
    """Label images without labels, fold by fold, for another experiment to learn from (key pseudo)."""
    from toolkit.commands.predicting.pseudo import PseudoOptions
    from toolkit.commands.predicting.pseudo import pseudo as command

    options = PseudoOptions(tuple(images or ()), views, minimum_confidence)
    run(lambda session: command(session, experiment, options=options), as_json, engine)
