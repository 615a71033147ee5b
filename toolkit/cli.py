"""The `tk` command line: parse, call one command, show its result."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer

from toolkit import console
from toolkit.errors import ToolkitError
from toolkit.files.experiment import Workspace
from toolkit.messages import Progress

_INTERRUPTED = 130

_Value = TypeVar("_Value")
_Result = TypeVar("_Result", bound=console.Result)

app = typer.Typer(
    help="Train folds, ensemble, tune on out-of-fold predictions and submit: image-segmentation competitions from one "
    "YAML file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Show configurations and their schema.", no_args_is_help=True)
app.add_typer(config_app, name="config")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Overrides = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Override a key, such as stages.0.epochs=3; repeatable.")
]
Name = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Name or path of an experiment.")]
Competition = Annotated[
    str | None, typer.Option(help="What the file looks like: tgs-salt, airbus, … or the path of a YAML file.")
]
OptionalName = Annotated[
    str | None,
    typer.Argument(metavar="[EXPERIMENT]", help="Name or path of an experiment or ensemble; the one finished last."),
]


def main() -> None:
    """Run the command line."""
    app(prog_name="tk")


def _run(command: Callable[[Progress], _Result], as_json: bool) -> _Result:
    """Call a command and show its result."""
    return _guarded(command, lambda result: console.show_result(result, as_json))


def _guarded(command: Callable[[Progress], _Value], show: Callable[[_Value], None]) -> _Value:
    """Call a command and show what it returns; errors that a user can mend become one message and an exit code."""
    try:
        with console.progress_on_screen() as progress:
            result = command(progress)
        show(result)
    except ToolkitError as error:
        console.show_error(error)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        console.show_interrupted()
        raise typer.Exit(_INTERRUPTED) from None
    return result


def _workspace() -> Workspace:
    return Workspace(Path())


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        console.show_text(f"tk {version_of('segmentation-toolkit')}\n")
        raise typer.Exit


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
    from toolkit.commands.new import new as command

    _run(
        lambda _: command(
            _workspace(),
            name,
            images=images,
            masks=masks,
            test=test,
            sample_submission=sample_submission,
            competition=competition,
            extends=extends,
            overrides=overrides,
        ),
        as_json,
    )


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
    from toolkit.commands.fit import fit as command
    from toolkit.commands.fit import parse_wanted

    further = [f"{key}={value}" for key, value in (("seed", seed), ("num_seeds", num_seeds)) if value is not None]
    _run(
        lambda progress: command(
            _workspace(),
            experiment,
            overrides=[*overrides, *further],
            wanted=parse_wanted(folds, stages, max_time),
            restart=restart,
            progress=progress,
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
    from toolkit.commands.lr_find import find_learning_rate as command

    _run(
        lambda progress: command(
            _workspace(),
            experiment,
            overrides=overrides,
            low=low,
            high=high,
            steps=steps,
            fold=fold,
            stage=stage,
            progress=progress,
        ),
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
    from toolkit.commands.preview import preview as command

    _run(
        lambda progress: command(
            _workspace(), experiment, count=count, seed=seed, stage=stage, overrides=overrides, progress=progress
        ),
        as_json,
    )


@app.command()
def ensemble(
    experiments: Annotated[
        list[str],
        typer.Argument(help="Names or paths of experiments and ensembles, and parts: exp042:fold0, exp042:snapshots."),
    ],
    weights: Annotated[str | None, typer.Option(help="equal, search, or one for each, such as 0.6,0.4.")] = None,
    mean: Annotated[str, typer.Option(help="Of what: probability, logit, rank or vote.")] = "probability",
    tta: Annotated[bool, typer.Option("--tta", help="Flip test-time augmentation: the same as --views flips.")] = False,
    views: Annotated[
        str | None,
        typer.Option(help="Test-time augmentation: flips, d4, scales:0.75,1, flips*scales:0.75,1 …; auto chooses."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the ensemble; joined by + if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Blend the predictions of experiments and ensembles into a new one."""
    from toolkit.commands.ensemble import ensemble as command
    from toolkit.commands.ensemble import parse_mean, parse_views, parse_weights

    _run(
        lambda progress: command(
            _workspace(),
            experiments,
            weights=parse_weights(weights),
            mean=parse_mean(mean),
            views=parse_views(views, tta),
            name=name,
            progress=progress,
        ),
        as_json,
    )


@app.command()
def tune(
    experiment: OptionalName = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric to tune for, a YAML value; the experiment's if left out.")
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option(help="What is searched, such as threshold,minimum_area; what suits the metric if left out."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Draw the score over thresholds and areas, and tell of each step.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Choose thresholds and post-processing on out-of-fold predictions, scored honestly."""
    from toolkit.commands.tune import tune as command

    _run(
        lambda progress: command(_workspace(), experiment, progress, metric=metric, steps=steps, explain=explain),
        as_json,
    )


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
    from toolkit.commands.submit import submit as command
    from toolkit.commands.submit import upload_options

    _run(
        lambda progress: command(
            _workspace(),
            experiment,
            threshold=threshold,
            minimum_area=min_area,
            submission_name=name,
            upload=upload_options(upload, message),
            progress=progress,
        ),
        as_json,
    )


@app.command("ls")
def list_(as_json: AsJson = False) -> None:
    """List experiments with their state and scores."""
    from toolkit.commands.listing import list_experiments

    _run(lambda _: list_experiments(_workspace()), as_json)


@app.command("lb")
def leaderboard(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Name of a submission that was made.")] = None,
    score: Annotated[float | None, typer.Argument(metavar="[SCORE]", help="What the leaderboard said of it.")] = None,
    private: Annotated[bool, typer.Option("--private", help="The score is that of the private part.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show submissions with their leaderboard scores, and how these go with cross-validation; record one."""
    from toolkit.commands.leaderboard import leaderboard as command

    board: Literal["public", "private"] = "private" if private else "public"
    _run(lambda progress: command(_workspace(), name, score, board, progress), as_json)


@app.command()
def check(
    submission: Annotated[Path, typer.Argument(help="Submission file, whoever made it.")],
    sample: Annotated[Path | None, typer.Option(help="The competition's sample submission.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the test images.")] = None,
    competition: Competition = None,
    as_json: AsJson = False,
) -> None:
    """Tell what is wrong with a submission file before it is uploaded."""
    from toolkit.commands.check import check as command

    result = _run(
        lambda progress: command(
            _workspace(), submission, sample=sample, images=images, competition=competition, progress=progress
        ),
        as_json,
    )
    raise typer.Exit(result.exit_code)


@app.command()
def compare(
    experiments: Annotated[list[str], typer.Argument(help="Names or paths of experiments and ensembles.")],
    baseline: Annotated[
        str | None, typer.Option(metavar="EXPERIMENT", help="What the others are compared with; the first if left out.")
    ] = None,
    sort_by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="A column of the CSV file, such as all or seconds.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write all figures to this file, one row an experiment.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables in Markdown.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show which keys differ, the scores with their spread, and whether the differences are more than chance."""
    from toolkit.commands.compare import compare as command

    _guarded(
        lambda progress: command(
            _workspace(), experiments, baseline=baseline, sort_by=sort_by, csv=csv, progress=progress
        ),
        console.show_markdown if markdown else lambda result: console.show_result(result, as_json),
    )


@app.command()
def evaluate(
    experiment: OptionalName = None,
    recipe: Annotated[
        str | None, typer.Option(help="tuned or untuned; the tuned one, where there is one, if left out.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Replaces the thresholds of the recipe.")] = None,
    worst: Annotated[int, typer.Option(help="How many of the worst images are listed.", min=0)] = 10,
    csv: Annotated[Path | None, typer.Option(help="Write one row a class to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show precision, recall, IoU and so on of each class, their confusion, the worst images, scores by size."""
    from toolkit.commands.evaluate import evaluate as command

    _run(
        lambda progress: command(
            _workspace(), experiment, recipe=recipe, threshold=threshold, worst=worst, csv=csv, progress=progress
        ),
        as_json,
    )


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
    from toolkit.commands.score import score_submission

    _run(
        lambda progress: score_submission(
            submission, solution, images=images, metric=metric, competition=competition, progress=progress
        ),
        as_json,
    )


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to work in; made if it is not there.")] = Path("demo"),
    as_json: AsJson = False,
) -> None:
    """Do the whole job on a competition that it generates: fit, ensemble, tune, submit, score."""
    from toolkit.commands.demo import demo as command

    _run(lambda progress: command(folder, progress), as_json)


@config_app.command("show")
def config_show(experiment: Name, overrides: Overrides = [], as_json: AsJson = False) -> None:  # noqa: B006 # as above
    """Print the configuration with inheritance, overrides and defaults applied."""
    from toolkit.commands.config import show_config
    from toolkit.config.yaml_files import write_yaml

    _guarded(
        lambda _: show_config(_workspace(), experiment, overrides),
        console.show_json if as_json else lambda tree: console.show_text(write_yaml(tree)),
    )


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of config.yaml, for editors."""
    from toolkit.commands.config import config_schema as command

    console.show_json(command())
