"""tk evaluate and tk compare."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit import console
from toolkit.cli.options import AsJson, Files, On, OptionalName
from toolkit.cli.running import cluster_at, guarded, run, this_process

app = typer.Typer()


@app.command()
def evaluate(
    experiment: OptionalName = None,
    recipe: Annotated[
        str | None, typer.Option(help="tuned or untuned; default: tuned, if there is a tuned recipe.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="A plain threshold for every class, in place of any recipe.")
    ] = None,
    worst: Annotated[int, typer.Option(help="Number of worst images to list.", min=0)] = 10,
    csv: Annotated[Path | None, typer.Option(help="Write one row for each class to this file.")] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(
            help="Predict and evaluate the images of this folder instead of the out-of-fold predictions; repeat it if "
            "the channels are in several folders."
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER_OR_FILE", help="Labels of --images: a folder, or a CSV or JSON file like the experiment's."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="With --images: folder to write to; default: evaluations/EXPERIMENT-FOLDER."),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="With --images: what predicts, tensorflow, openvino or auto.")
    ] = None,
    on: On = None,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Show the scores and confusion of the classes, the scores by size, and the worst images."""
    from toolkit.commands.comparing.evaluate import evaluate as command
    from toolkit.commands.comparing.evaluate_images import ImagesOptions, evaluate_images

    if images or masks or out or engine or on or files:
        options = ImagesOptions(masks, recipe, threshold, out, worst, csv)
        run(
            lambda session: evaluate_images(session, experiment, images or [], options=options),
            as_json,
            engine,
            cluster_at(on, files) if images else this_process,
        )
        return
    run(
        lambda session: command(session, experiment, recipe=recipe, threshold=threshold, worst=worst, csv=csv),
        as_json,
    )


@app.command()
def compare(
    experiments: Annotated[list[str], typer.Argument(help="Names or paths of experiments and ensembles.")],
    baseline: Annotated[
        str | None,
        typer.Option(metavar="EXPERIMENT", help="Experiment to compare with; default: the first that is fitted."),
    ] = None,
    sort_by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Sort by a column of the CSV file, for example all or seconds.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write all figures to this file, one row for each experiment.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables in Markdown.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the keys that differ, the scores with their spread, and whether differences exceed chance."""
    from toolkit.commands.comparing.compare import compare as command

    guarded(
        lambda session: command(session, experiments, baseline=baseline, sort_by=sort_by, csv=csv),
        console.show_markdown if markdown else lambda result: console.show_result(result, as_json),
    )
