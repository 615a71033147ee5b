"""Commands that make trained networks usable elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import AsJson
from toolkit.cli.running import run

app = typer.Typer()


@app.command()
def bundle(
    experiments: Annotated[
        list[str],
        typer.Argument(
            metavar="EXPERIMENT...",
            help="Names or paths of experiments, ensembles, or parts of experiments; the first predicts by default.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write; an earlier bundle of the same is replaced.")] = Path(
        "bundle"
    ),
    wheels: Annotated[
        str | None,
        typer.Option(
            metavar="PLATFORM",
            help="Download the wheels of all packages for a platform, for example linux_x86_64-cp311; default: only "
            "the wheel of tk.",
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="A plain threshold for every class, in place of tuned recipes.")
    ] = None,
    minutes: Annotated[float, typer.Option(help="Time limit of the prediction in the notebook.")] = 480.0,
    kaggle_user: Annotated[str | None, typer.Option(help="Name of the Kaggle account, for the metadata.")] = None,
    kaggle_competition: Annotated[
        str | None,
        typer.Option(help="Competition that the notebook is for, for example tgs-salt-identification-challenge."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write weights, recipe, wheels, predict.py and a notebook into a folder that predicts without a network."""
    from toolkit.commands.sharing.bundle import BundleOptions
    from toolkit.commands.sharing.bundle import bundle as command

    options = BundleOptions(out, wheels, threshold, minutes, kaggle_user, kaggle_competition)
    run(lambda session: command(session, experiments, options=options), as_json)


@app.command()
def export(
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT", help="Name or path of an experiment, an ensemble, or a part of an experiment."
        ),
    ],
    to: Annotated[str, typer.Option("--format", help="savedmodel, onnx, openvino, or tflite.")],
    half: Annotated[
        bool, typer.Option("--half", help="Store weights in float16: half of the size. Not for savedmodel.")
    ] = False,
    fold: Annotated[int | None, typer.Option(help="The network of one fold.")] = None,
    ensemble: Annotated[
        bool,
        typer.Option(
            "--ensemble", help="All folds in one file, whose output is their mean, as tk predict computes it."
        ),
    ] = False,
    average: Annotated[
        bool, typer.Option("--average", help="Refused, with the reason: folds are not averaged as weights.")
    ] = False,
    stage: Annotated[int | None, typer.Option(help="Stage whose weights are taken; default: the last one.")] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Input as HEIGHTxWIDTH, or dynamic for any size; default: the size that the network predicts at.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: one in exports/.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write trained networks as a file for other programs, and compare what it predicts with the toolkit."""
    from toolkit.commands.sharing.export import ExportOptions
    from toolkit.commands.sharing.export import export as command

    options = ExportOptions(half, fold, average, ensemble, stage, size, out, force)
    run(lambda session: command(session, experiment, to, options=options), as_json)
