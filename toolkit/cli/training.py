"""tk fit, tk lr-find, tk plan and tk search."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import NO_OVERRIDES, AsJson, Files, Name, On, Overrides, parse_numbers, parse_time
from toolkit.cli.running import cluster_at, run

app = typer.Typer()


@app.command()
def fit(
    experiment: Name,
    overrides: Overrides = NO_OVERRIDES,
    folds: Annotated[str | None, typer.Option(help="Only these folds, for example 0,2; default: all.")] = None,
    stages: Annotated[
        str | None,
        typer.Option(help="Only these stages, for example 1, if the earlier ones are finished; default: all."),
    ] = None,
    max_time: Annotated[
        str | None,
        typer.Option(help="Stop between two epochs after this time, for example 8h or 1h30m."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same as --set seed=N.")] = None,
    num_seeds: Annotated[int | None, typer.Option(help="The same as --set num_seeds=N.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="What predicts: tensorflow, openvino, or auto; the same as --set engine=NAME.")
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Discard earlier results and start over.")] = False,
    save: Annotated[
        bool, typer.Option("--save", help="Write what --set gives, now or before, into config.yaml; comments stay.")
    ] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Show where the seconds of the run went.")] = False,
    on: On = None,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Train the folds of an experiment, predict training and test images, and score. Resumes where it was stopped."""
    from toolkit.commands.training.fit import FitOptions
    from toolkit.commands.training.fit import fit as command

    given = {"seed": seed, "num_seeds": num_seeds, "engine": engine}
    further = [f"{key}={value}" for key, value in given.items() if value is not None]
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
                save,
                profile,
            ),
        ),
        as_json,
        cluster=cluster_at(on, files),
    )


@app.command("lr-find")
def lr_find(
    experiment: Name,
    overrides: Overrides = NO_OVERRIDES,
    low: Annotated[float, typer.Option(help="Lowest learning rate.")] = 1e-7,
    high: Annotated[float, typer.Option(help="Highest learning rate.")] = 1.0,
    steps: Annotated[int, typer.Option(help="Number of batches.")] = 120,
    folds: Annotated[int, typer.Option(help="Fold whose training images are used: one number.")] = 0,
    stage: Annotated[int, typer.Option(help="Stage whose options are used.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Try rising learning rates on one fold: a curve and a suggestion. No weights are kept."""
    from toolkit.commands.training.lr_find import LrFindOptions
    from toolkit.commands.training.lr_find import find_learning_rate as command

    options = LrFindOptions(low, high, steps, folds, stage)

    run(
        lambda session: command(session, experiment, overrides=overrides, options=options),
        as_json,
    )


@app.command()
def plan(
    experiments: Annotated[
        list[str], typer.Argument(metavar="EXPERIMENT…", help="Names or paths of experiments and ensembles.")
    ],
    hours: Annotated[float, typer.Option(help="Hours for all of them together.")] = 9.0,
    overrides: Overrides = NO_OVERRIDES,
    again: Annotated[bool, typer.Option("--again", help="Measure again what was measured before.")] = False,
    device: Annotated[
        str | None,
        typer.Option(help="Plan for another device by its name, or a part of it: tk plan has measured there before."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure some steps, and show what trains and predicts in the time, and what ensembles can do without."""
    from toolkit.commands.training.plan import plan as command

    run(
        lambda session: command(session, experiments, hours=hours, overrides=overrides, again=again, device=device),
        as_json,
    )


@app.command()
def search(
    experiment: Name,
    space: Annotated[Path, typer.Argument(metavar="SPACE", help="YAML file that says which keys are tried, and how.")],
    trials: Annotated[
        int | None, typer.Option(help="How many trials there shall be, those of earlier runs included.")
    ] = None,
    hours: Annotated[float | None, typer.Option(help="Stop after so many hours, between two epochs.")] = None,
    on: On = None,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Search better values for keys: train trials, and judge the best one on folds that did not choose it."""
    from toolkit.commands.training.search import search as command

    run(
        lambda session: command(session, experiment, space, trials=trials, hours=hours),
        as_json,
        cluster=cluster_at(on, files),
    )
