"""Commands that write, check, score and remember submissions."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from toolkit.cli.options import AsJson, Competition, OptionalName, run

app = typer.Typer()


@app.command()
def submit(
    experiment: OptionalName = None,
    threshold: Annotated[float | None, typer.Option(help="Threshold; the tuned recipe if left out.")] = None,
    min_area: Annotated[
        int | None, typer.Option(help="Masks of fewer pixels are emptied; replaces the tuned area.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the file; the experiment's if left out.")] = None,
    upload: Annotated[
        str | None,
        typer.Option(metavar="COMPETITION", help="Upload it to Kaggle, such as tgs-salt-identification-challenge."),
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="What to say with the upload; recipe and scores if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write submissions/NAME.csv once it has passed all checks, and NAME.json about where it comes from."""
    from toolkit.commands.submitting.submit import SubmitOptions, upload_options
    from toolkit.commands.submitting.submit import submit as command

    run(
        lambda session: command(
            session,
            experiment,
            options=SubmitOptions(threshold, min_area, name, upload_options(upload, message)),
        ),
        as_json,
    )


@app.command()
def check(
    submission: Annotated[Path, typer.Argument(help="Submission file, whoever made it.")],
    sample: Annotated[Path | None, typer.Option(help="The competition's sample submission.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the test images.")] = None,
    competition: Competition = None,
    as_json: AsJson = False,
) -> None:
    """Tell what is wrong with a submission file before it is uploaded."""
    from toolkit.commands.submitting.check import check as command

    result = run(
        lambda session: command(session, submission, sample=sample, images=images, competition=competition),
        as_json,
    )
    raise typer.Exit(result.exit_code)


@app.command()
def score(
    submission: Annotated[Path, typer.Argument(help="Submission file.")],
    solution: Annotated[Path, typer.Option(help="File with the true masks, such as a table of labels.")],
    images: Annotated[Path | None, typer.Option(help="Folder of the images, for their sizes.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="Such as dice, or {fbeta: {beta: 2}}; the competition's if left out.")
    ] = None,
    competition: Competition = None,
    as_json: AsJson = False,
) -> None:
    """Score a submission against a known solution."""
    from toolkit.commands.submitting.score import score_submission

    run(
        lambda session: score_submission(
            session, submission, solution=solution, images=images, metric=metric, competition=competition
        ),
        as_json,
    )


@app.command("lb")
def leaderboard(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Name of a submission that was made.")] = None,
    score: Annotated[float | None, typer.Argument(metavar="[SCORE]", help="What the leaderboard said of it.")] = None,
    private: Annotated[bool, typer.Option("--private", help="The score is that of the private part.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show submissions with their leaderboard scores, and how these go with cross-validation; record one."""
    from toolkit.commands.submitting.lb import leaderboard as command

    board: Literal["public", "private"] = "private" if private else "public"
    run(lambda session: command(session, name, score=score, board=board), as_json)
