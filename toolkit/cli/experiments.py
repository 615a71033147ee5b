"""Commands that make, train and list experiments."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import AsJson, Name, Overrides, parse_numbers, parse_time, run

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
    overrides: Overrides = [],  # noqa: B006 # typer reads it, nobody changes it
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
def data(
    experiment: Name,
    overrides: Overrides = [],  # noqa: B006 # as above
    as_json: AsJson = False,
) -> None:
    """Look at all data of an experiment: sizes, classes, duplicates, what is wrong; and a sheet of samples."""
    from toolkit.commands.inspecting.data import examine_data as command

    result = run(lambda session: command(session, experiment, overrides=overrides), as_json)
    raise typer.Exit(result.exit_code)


@app.command()
def fit(
    experiment: Name,
    overrides: Overrides = [],  # noqa: B006 # as above
    folds: Annotated[str | None, typer.Option(help="Only these folds, such as 0,2.")] = None,
    stages: Annotated[str | None, typer.Option(help="Only these stages, such as 1; earlier ones are done.")] = None,
    max_time: Annotated[
        str | None,
        typer.Option(help="Stop between two epochs after this time, such as 8h or 1h30m."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same as --set seed=N.")] = None,
    num_seeds: Annotated[int | None, typer.Option(help="The same as --set num_seeds=N.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Discard earlier results and begin again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train the folds of an experiment, predict training and test images, score. Goes on where it was stopped."""
    from toolkit.commands.training.fit import FitOptions
    from toolkit.commands.training.fit import fit as command

    further = [f"{key}={value}" for key, value in (("seed", seed), ("num_seeds", num_seeds)) if value is not None]
    run(
        lambda session: command(
            session,
            experiment,
            overrides=[*overrides, *further],
            options=FitOptions(
                parse_numbers("--folds", folds),
                parse_numbers("--stages", stages),
                parse_time("--max-time", max_time),
                restart,
            ),
        ),
        as_json,
    )


@app.command("lr-find")
def lr_find(
    experiment: Name,
    overrides: Overrides = [],  # noqa: B006 # as above
    low: Annotated[float, typer.Option(help="Lowest learning rate.")] = 1e-7,
    high: Annotated[float, typer.Option(help="Highest learning rate.")] = 1.0,
    steps: Annotated[int, typer.Option(help="Number of batches.")] = 120,
    fold: Annotated[int, typer.Option(help="Fold whose training images are used.")] = 0,
    stage: Annotated[int, typer.Option(help="Stage whose settings are used.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Try rising learning rates on one fold: a curve, and a suggestion. No weights are kept."""
    from toolkit.commands.training.lr_find import LrFindOptions
    from toolkit.commands.training.lr_find import find_learning_rate as command

    options = LrFindOptions(low, high, steps, fold, stage)

    run(
        lambda session: command(session, experiment, overrides=overrides, options=options),
        as_json,
    )


@app.command()
def preview(
    experiment: Name,
    count: Annotated[int, typer.Option(help="Number of images.", min=1)] = 12,
    seed: Annotated[int | None, typer.Option(help="Seed of all draws; the experiment's if left out.")] = None,
    stage: Annotated[int, typer.Option(help="Stage whose augmentation is shown.")] = 0,
    overrides: Overrides = [],  # noqa: B006 # as above
    as_json: AsJson = False,
) -> None:
    """Draw a sheet of training images as augmentation makes them, with their masks."""
    from toolkit.commands.inspecting.preview import preview as command

    run(
        lambda session: command(session, experiment, count=count, seed=seed, stage=stage, overrides=overrides),
        as_json,
    )


@app.command("ls")
def list_(as_json: AsJson = False) -> None:
    """List experiments with their state and scores."""
    from toolkit.commands.ls import list_experiments

    run(list_experiments, as_json)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to work in; made if it is not there.")] = Path("demo"),
    as_json: AsJson = False,
) -> None:
    """Do the whole job on a competition that it generates: fit, ensemble, tune, submit, score."""
    from toolkit.commands.demo import demo as command

    run(lambda session: command(session, folder), as_json)


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
