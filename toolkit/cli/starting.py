"""tk new, tk init, tk import, tk simulate and tk demo."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import NO_OVERRIDES, AsJson, Overrides
from toolkit.cli.running import run

app = typer.Typer()


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the experiment.")],
    images: Annotated[Path | None, typer.Option(help="Folder of the training images.")] = None,
    masks: Annotated[Path | None, typer.Option(help="Folder of mask files, or CSV of run-length encodings.")] = None,
    test: Annotated[Path | None, typer.Option(help="Folder of the test images.")] = None,
    sample_submission: Annotated[Path | None, typer.Option(help="The competition's sample submission.")] = None,
    competition: Annotated[
        str | None,
        typer.Option(
            metavar="NAME_OR_FILE", help="Preset or file with the format of labels and submissions, and the metric."
        ),
    ] = None,
    extends: Annotated[str | None, typer.Option(metavar="EXPERIMENT", help="Start from another experiment.")] = None,
    overrides: Overrides = NO_OVERRIDES,
    as_json: AsJson = False,
) -> None:
    """Create an experiment: experiments/NAME/config.yaml."""
    from toolkit.commands.starting.new import DataFiles
    from toolkit.commands.starting.new import new as command

    files = DataFiles(images, masks, test, sample_submission, competition)

    run(
        lambda session: command(session, name, files=files, extends=extends, overrides=overrides),
        as_json,
    )


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder with the unpacked files of a competition.")],
    name: Annotated[str, typer.Option(help="Name of the experiment.")] = "baseline",
    as_json: AsJson = False,
) -> None:
    """Recognise the contents of a competition folder, and write a config.yaml with reasons."""
    from toolkit.commands.starting.init import init as command

    run(lambda session: command(session, folder, name=name), as_json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Configuration of another system, YAML or JSON.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the experiment; default: that in the file, or that of the file.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the training images.")] = None,
    masks: Annotated[Path | None, typer.Option(help="Folder of mask files, or CSV of run-length encodings.")] = None,
    test: Annotated[Path | None, typer.Option(help="Folder of the test images.")] = None,
    classes_file: Annotated[
        Path | None,
        typer.Option(help="JSON file with all classes of the masks (classes.json), in the order of their numbers."),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Leave out a key of the file, so that a default is used; can be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Translate the configuration of another system into experiments/NAME/config.yaml."""
    from toolkit.commands.starting.import_config import DataFolders, import_config

    data = DataFolders(images, masks, test, classes_file)

    run(lambda session: import_config(session, file, name=name, data=data, skip=skip or ()), as_json)


@app.command()
def simulate(
    kind: Annotated[str, typer.Argument(help="Kind of images: salt, ccd or shapes.")],
    out: Annotated[Path, typer.Option(help="New folder to write to.")],
    count: Annotated[int, typer.Option(help="Number of training images.")] = 200,
    test_count: Annotated[
        int | None, typer.Option(help="Number of test images; default: a quarter of --count, at least 1.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all images.")] = 0,
    size: Annotated[
        str | None,
        typer.Option(help="Sides in pixels, height first, for example 128 or 96x160; each kind has a default."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a competition folder of simulated images with exact labels: salt, ccd or shapes."""
    from toolkit.commands.starting.simulate import SimulateOptions
    from toolkit.commands.starting.simulate import simulate as command

    options = SimulateOptions(count, test_count, seed, size)

    run(
        lambda session: command(session, kind, out, options=options),
        as_json,
    )


@app.command()
def pages(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE_OR_FOLDER…", help="TIFF files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder to write to; created if missing.")],
    as_json: AsJson = False,
) -> None:
    """Write each page of TIFF files as a file of its own, for stacks whose pages are slices."""
    from toolkit.commands.starting.pages import pages as command

    run(lambda session: command(session, paths, out), as_json)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to work in; created if missing.")] = Path("demo"),
    as_json: AsJson = False,
) -> None:
    """Run the whole job on a generated competition: fit, ensemble, tune, submit, score."""
    from toolkit.commands.starting.demo import demo as command

    run(lambda session: command(session, folder), as_json)
