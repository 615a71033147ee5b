"""tk new, tk init, tk simulate and tk demo."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import NO_OVERRIDES, AsJson, Overrides, run

app = typer.Typer()


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the experiment.")],
    images: Annotated[Path | None, typer.Option(help="Folder of the training images.")] = None,
    masks: Annotated[Path | None, typer.Option(help="Folder of mask files, or CSV of run-length encodings.")] = None,
    test: Annotated[Path | None, typer.Option(help="Folder of the test images.")] = None,
    sample_submission: Annotated[Path | None, typer.Option(help="The competition's sample submission.")] = None,
    competition: Annotated[
        str | None, typer.Option(metavar="NAME_OR_FILE", help="What labels and submissions look like, and the metric.")
    ] = None,
    extends: Annotated[str | None, typer.Option(metavar="EXPERIMENT", help="Start from another experiment.")] = None,
    overrides: Overrides = NO_OVERRIDES,
    as_json: AsJson = False,
) -> None:
    """Make an experiment: experiments/NAME/config.yaml."""
    from toolkit.commands.starting.new import DataFiles
    from toolkit.commands.starting.new import new as command

    files = DataFiles(images, masks, test, sample_submission, competition)

    run(
        lambda session: command(session, name, files=files, extends=extends, overrides=overrides),
        as_json,
    )


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder that a competition's files were unpacked to.")],
    name: Annotated[str, typer.Option(help="Name of the experiment.")] = "baseline",
    as_json: AsJson = False,
) -> None:
    """Recognise what a competition folder holds, and write a config.yaml that says why."""
    from toolkit.commands.starting.init import init as command

    run(lambda session: command(session, folder, name=name), as_json)


@app.command()
def simulate(
    kind: Annotated[str, typer.Argument(help="What: salt, ccd or shapes.")],
    out: Annotated[Path, typer.Option(help="Folder to write, a new one.")],
    count: Annotated[int, typer.Option(help="Number of training images.")] = 200,
    test_count: Annotated[
        int | None, typer.Option(help="Number of test images; a quarter of --count if left out.")
    ] = None,
    seed: Annotated[int, typer.Option(help="What all images derive from.")] = 0,
    size: Annotated[str | None, typer.Option(help="Sides in pixels, such as 128 or 96x160, height first.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a competition folder of simulated images whose labels are known exactly: salt, ccd or shapes."""
    from toolkit.commands.starting.simulate import SimulateOptions
    from toolkit.commands.starting.simulate import simulate as command

    options = SimulateOptions(count, test_count, seed, size)

    run(
        lambda session: command(session, kind, out, options=options),
        as_json,
    )


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to work in; made if it is not there.")] = Path("demo"),
    as_json: AsJson = False,
) -> None:
    """Do the whole job on a competition that it generates: fit, ensemble, tune, submit, score."""
    from toolkit.commands.starting.demo import demo as command

    run(lambda session: command(session, folder), as_json)
