"""tk data, tk preview, tk ls, tk clean and tk config."""

import sys
from typing import Annotated

import typer

from toolkit import console
from toolkit.cli.options import NO_OVERRIDES, AsJson, Name, Overrides
from toolkit.cli.running import Group, guarded, run

app = typer.Typer()
config = typer.Typer(cls=Group, help="Show configurations and their schema.", no_args_is_help=True)
app.add_typer(config, name="config")


@app.command()
def data(
    experiment: Name,
    overrides: Overrides = NO_OVERRIDES,
    as_json: AsJson = False,
) -> None:
    """Examine the data of an experiment: sizes, classes, duplicates, problems; and draw a sheet of samples."""
    from toolkit.commands.inspecting.data import examine_data as command

    result = run(lambda session: command(session, experiment, overrides=overrides), as_json)
    raise typer.Exit(result.exit_code)


@app.command()
def preview(
    experiment: Name,
    count: Annotated[int, typer.Option(help="Number of images.", min=1)] = 12,
    seed: Annotated[int | None, typer.Option(help="Seed of all draws; default: the seed of the experiment.")] = None,
    stage: Annotated[int, typer.Option(help="Stage whose augmentation is shown.")] = 0,
    overrides: Overrides = NO_OVERRIDES,
    as_json: AsJson = False,
) -> None:
    """Draw a sheet of augmented training images with their masks."""
    from toolkit.commands.inspecting.preview import preview as command

    run(
        lambda session: command(session, experiment, count=count, seed=seed, stage=stage, overrides=overrides),
        as_json,
    )


@app.command("ls")
def list_(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also show what empty and the best constant masks score.")
    ] = False,
    html: Annotated[
        bool, typer.Option("--html", help="Also write reports/index.html: all scores, over time, with links.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List experiments with their state and scores."""
    from toolkit.commands.inspecting.ls import list_experiments

    run(lambda session: list_experiments(session, verbose=verbose, html=html), as_json)


@app.command()
def clean(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what is kept to work faster, such as decoded images, and remove it after a question."""
    from toolkit.commands.inspecting.clean import clean as command

    result = run(lambda session: command(session, remove=yes), as_json)
    if result.files and not (yes or as_json) and sys.stdin.isatty() and typer.confirm("Remove it?"):
        run(lambda session: command(session, remove=True), as_json)


@config.command("show")
def config_show(experiment: Name, overrides: Overrides = NO_OVERRIDES, as_json: AsJson = False) -> None:
    """Print the configuration with inheritance, overrides and defaults applied."""
    from toolkit.commands.inspecting.config import show_config
    from toolkit.config.yaml.yaml_files import write_yaml

    guarded(
        lambda session: show_config(session, experiment, overrides=overrides),
        console.show_json if as_json else lambda tree: console.show_text(write_yaml(tree)),
    )


@config.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of config.yaml, for editors."""
    from toolkit.commands.inspecting.config import config_schema as command

    console.show_json(command())


@app.command()
def status(experiment: Name, as_json: AsJson = False) -> None:
    """Show how far the training of an experiment is, also while a cluster works on it."""
    from toolkit.commands.inspecting.status import status as command

    run(lambda session: command(session, experiment), as_json)
