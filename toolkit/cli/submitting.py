"""Commands that write, check, score and remember submissions."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from toolkit.cli.options import AsJson, Competition, Engine, OptionalName, parse_names, parse_numbers
from toolkit.cli.running import run
from toolkit.errors import ConfigError

app = typer.Typer()


@app.command()
def submit(
    experiment: OptionalName = None,
    threshold: Annotated[
        float | None, typer.Option(help="A plain threshold for every class, in place of any recipe.")
    ] = None,
    min_area: Annotated[
        int | None, typer.Option(help="Empty masks with fewer pixels; replaces the tuned minimum area.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the file; default: the name of the experiment.")] = None,
    upload: Annotated[
        str | None,
        typer.Option(
            metavar="COMPETITION",
            help="Upload to this Kaggle competition, for example tgs-salt-identification-challenge.",
        ),
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="Message of the upload; default: recipe and scores.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Predict missing test images first, for at most so many minutes in all: what an ensemble gains least "
            "by comes last, and is left out when the time is over. With --images, everything is predicted in time, or "
            "nothing is written."
        ),
    ] = None,
    engine: Engine = None,
    oof: Annotated[
        bool, typer.Option("--oof", help="Write the out-of-fold masks instead, so that tk score can check their score.")
    ] = False,
    images: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="Predict the images of this folder instead of the test images of the configuration; repeatable if "
            "the channels are in several folders.",
        ),
    ] = None,
    sample: Annotated[
        Path | None, typer.Option(help="With --images, the sample submission; default: that of the configuration.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="With --images, the file to write.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write submissions/NAME.csv after checking it, and its provenance to NAME.json."""
    from toolkit.commands.ensembling.in_time import submit_in_time
    from toolkit.commands.submitting.kaggle import upload_options
    from toolkit.commands.submitting.oof import submit_oof
    from toolkit.commands.submitting.submit import SubmitOptions
    from toolkit.commands.submitting.submit import submit as command
    from toolkit.commands.submitting.submit_images import TestFolder, submit_images

    def options() -> SubmitOptions:
        if oof and minutes is not None:
            raise ConfigError(
                "--minutes limits predictions of test images, but --oof writes out-of-fold masks",
                "Leave out either --oof or --minutes.",
            )
        if engine is not None and minutes is None and images is None:
            raise ConfigError("--engine says what predicts, and without --minutes or --images nothing is predicted")
        return SubmitOptions(threshold, min_area, name, upload_options(upload, message))

    def test_images() -> TestFolder:
        if oof or out is None or images is None:
            raise ConfigError(
                "--sample and --out belong to --images FOLDER, which needs --out FILE", "It goes without --oof."
            )
        return TestFolder(images, out, sample, minutes)

    limit = minutes
    if images or out or sample:
        run(lambda session: submit_images(session, experiment, test_images(), options=options()), as_json, engine)
    elif oof:
        run(lambda session: submit_oof(session, experiment, options=options()), as_json)
    elif limit is not None:
        run(lambda session: submit_in_time(session, experiment, minutes=limit, options=options()), as_json, engine)
    else:
        run(lambda session: command(session, experiment, options=options()), as_json)


@app.command()
def check(
    submission: Annotated[Path, typer.Argument(help="Submission file.")],
    sample: Annotated[Path | None, typer.Option(help="The competition's sample submission.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the test images.")] = None,
    competition: Competition = None,
    as_json: AsJson = False,
) -> None:
    """Check a submission file before it is uploaded."""
    from toolkit.commands.submitting.check import check as command

    result = run(
        lambda session: command(session, submission, sample=sample, images=images, competition=competition),
        as_json,
    )
    raise typer.Exit(result.exit_code)


@app.command()
def score(
    submission: Annotated[
        Path, typer.Argument(metavar="FILE_OR_FOLDER", help="Submission file, or folder of mask files.")
    ],
    solution: Annotated[
        Path,
        typer.Option(
            metavar="FILE_OR_FOLDER", help="True masks: a table, for example of labels, or a folder of mask files."
        ),
    ],
    images: Annotated[Path | None, typer.Option(help="Folder of the images, for their sizes.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="Metric, for example dice or {fbeta: {beta: 2}}; default: the metric of the competition."),
    ] = None,
    competition: Competition = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Classes of mask files in the order of their numbers from 1, separated by commas; default: those of "
            "the competition, or the values in the solution.",
        ),
    ] = None,
    ignore: Annotated[
        str | None,
        typer.Option(metavar="VALUES", help="Values of ignored pixels in mask files of the solution, for example 255."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a submission, or a folder of mask files, against a known solution."""
    from toolkit.commands.submitting.score import ScoreOptions, score_submission

    run(
        lambda session: score_submission(
            session,
            submission,
            solution=solution,
            options=ScoreOptions(
                images, metric, competition, parse_names("--classes", classes), parse_numbers("--ignore", ignore) or ()
            ),
        ),
        as_json,
    )


@app.command("lb")
def leaderboard(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Name of a submission.")] = None,
    score: Annotated[float | None, typer.Argument(metavar="[SCORE]", help="Its leaderboard score.")] = None,
    private: Annotated[bool, typer.Option("--private", help="The score is from the private leaderboard.")] = False,
    as_json: AsJson = False,
) -> None:
    """Record a leaderboard score, or compare all leaderboard scores with cross-validation."""
    from toolkit.commands.submitting.lb import leaderboard as command

    board: Literal["public", "private"] = "private" if private else "public"
    run(lambda session: command(session, name, score=score, board=board), as_json)
