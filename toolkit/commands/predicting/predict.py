"""`tk predict`: predict any images with a fitted experiment or ensemble: probabilities, masks, pictures."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from toolkit.commands.predicting.forecaster import chosen_views
from toolkit.commands.predicting.formats import FORMATS, MADE_OF, About, parse_formats
from toolkit.commands.predicting.notices import tell_of_earlier_files, tell_of_images
from toolkit.commands.predicting.one_file_formats import (
    RUNS,
    columns_of_runs,
    refuse_other_sizes,
    write_maps,
    write_runs,
)
from toolkit.commands.predicting.predict_result import Failed, PredictResult
from toolkit.commands.predicting.shards.image_units import predict_images_on
from toolkit.commands.predicting.shards.prediction_job import Elsewhere, PredictionJob, described
from toolkit.commands.predicting.shards.unit_inputs import NetworksGiven
from toolkit.commands.predicting.single_file import (
    folder_beside,
    format_of_file,
    move_only_file,
    names_a_file,
    refuse_several_files,
)
from toolkit.commands.scoring.recipe_choice import ChosenRecipe, recipe_for_images
from toolkit.commands.session import Session
from toolkit.errors import ConfigError, DataError, OutOfTimeError, counted
from toolkit.files.data.sources import Images
from toolkit.files.datasets.images_to_predict import find_inputs, images_of, with_slices_beside
from toolkit.files.experiment.fitted import Fitted, classes_of, find_fitted, first_networks
from toolkit.files.experiment.members import Member, find_member, members_of
from toolkit.files.experiment.resolved import data_of, read_resolved
from toolkit.files.experiment.trained import tell_untrained
from toolkit.files.predictions.output_folder import PredictionFolder
from toolkit.messages import Progress


@dataclass(frozen=True)
class PredictOptions:
    """The formats to write, the networks that predict, and the recipe.

    `formats` are names in `FORMATS` and `MADE_OF`; by default `png`. By default all folds predict, with the weights of
    the last stage. `recipe` is `tuned` or `untuned`; `threshold` is a plain threshold in place of any recipe. With
    `recursive`, images in subfolders are predicted too. `columns` are the names of the columns of the table of runs.
    After `minutes`, no further image is predicted.
    """

    formats: Sequence[str] | None = None
    folds: Sequence[int] | None = None
    stage: int | None = None
    views: str | None = None
    recipe: str | None = None
    threshold: float | None = None
    recursive: bool = False
    columns: Sequence[str] = ()
    minutes: float | None = None


def predict(
    session: Session,
    name: str,
    paths: Sequence[Path],
    *,
    out: Path,
    options: PredictOptions = PredictOptions(),
) -> PredictResult:
    """Predict the images of a folder, or one image, and write files into another folder.

    Images that cannot be predicted are listed in the result and in the table of the folder. Files that were made from
    the same images, weights and options are kept.

    Args:
        session: the folder of all experiments, and what shows progress.
        name: name or path of an experiment, an ensemble, or a part of an experiment.
        paths: a folder of images, or one image; several if the channels of images are in several folders.
        out: the folder to write to; or a file, for one image in one format.
        options: formats, networks and recipe.

    Raises:
        OutOfTimeError: the minutes are over; what is predicted is kept, without files of all images together.
        ToolkitError: no image can be predicted, or files cannot be written.
    """
    if options.minutes is not None:
        _check_minutes(options.minutes, session, out)
    session.workspace.refuse_inside_experiment(out)
    if not names_a_file(out):
        return _into_folder(session, name, paths, out, options)
    kind = format_of_file(out, paths, options.formats)
    with folder_beside(out) as folder:
        result = _into_folder(session, name, paths, folder, replace(options, formats=(kind,)), only=out)
        if result.failed:
            raise DataError(f"{result.failed[0].file}: {result.failed[0].reason}")
        move_only_file(folder, kind, out)
    return replace(result, formats=[kind], out=str(out), table="")


def _into_folder(
    session: Session, name: str, paths: Sequence[Path], out: Path, options: PredictOptions, *, only: Path | None = None
) -> PredictResult:
    """Predict into a folder; `only` is the single file that the first format is meant for, if any."""
    started = time.monotonic()
    progress = session.progress
    wanted = parse_formats(("png",) if options.formats is None else options.formats)
    member = find_member(session.workspace, name)
    views = chosen_views(options.views)
    fitted = find_fitted(member, folds=options.folds, stage=options.stage, views=views)
    if options.folds is None and not member.is_part:
        tell_untrained(member.experiment, read_resolved(member.experiment).config, progress, "prediction")
    rule = _recipe(member, fitted, wanted, options, progress)
    inputs = find_inputs(paths, recursive=options.recursive, leave_out=out)
    images = images_of(inputs, first_networks(fitted))
    inputs = with_slices_beside(inputs, images)
    inputs.warn(progress)
    if "maps" in wanted:
        refuse_other_sizes(images, options.formats or ())
    folder = PredictionFolder(out)
    ends = math.inf if options.minutes is None else started + options.minutes * 60
    recipe = None if rule is None else rule.recipe
    job = PredictionJob(folder, member, fitted, rule=recipe, formats=wanted, progress=progress, ends=ends)
    if only is not None:
        refuse_several_files(only, wanted[0], job.about)
    columns = _columns(member, job.about, wanted, options)
    tell_of_images(images, first_networks(fitted), progress)
    with folder.locked():
        before = folder.made_from
        rows, predicted = job.run(inputs, images, _elsewhere(session, job, images, options))
        done = [row for row in rows if not row.failure]
        if job.left:
            folder.write_table(rows)
            folder.save()
            finished = replace(inputs, paths={row.image_id: inputs.paths[row.image_id] for row in done})
            made, _ = job.files(finished, [kind for kind in wanted if kind in FORMATS])
            tell_of_earlier_files(folder, before, made, job.files(inputs, wanted)[1], progress)
            raise _out_of_time(job, len(done), len(inputs.paths), [name for name in wanted if name in MADE_OF])
        if "maps" in wanted:
            write_maps(folder, job.about, rows)
        if "rle" in wanted:
            write_runs(folder, job.about, [row.image_id for row in done], columns)
        folder.write_table(rows)
        folder.save()
        tell_of_earlier_files(folder, before, *job.files(inputs, wanted), progress)
    failed = [Failed(row.file, row.failure) for row in rows if row.failure]
    return PredictResult(
        experiment=member.name,
        images=len(rows),
        predicted=predicted,
        kept=len(done) - predicted,
        failed=failed,
        left_out=[*inputs.left_out, *inputs.earlier],
        formats=list(wanted),
        networks=fitted.count,
        views=views or _own_views(member),
        recipe=None if rule is None else described(rule.recipe, classes_of(fitted)),
        out=str(out),
        table=str(folder.table),
        seconds=round(time.monotonic() - started, 1),
        engine=job.forecaster.engine,
        recipe_source=None if rule is None else rule.source,
        asked=options.formats is not None,
    )


def _check_minutes(minutes: float, session: Session, out: Path) -> None:
    if not 0 < minutes < math.inf:
        raise ConfigError(f"--minutes: expected a number above 0, for example 60; received {minutes:g}")
    if session.cluster is not None:
        raise ConfigError("--minutes limits predictions of this machine; with --on others predict", "Leave out one.")
    if names_a_file(out):
        raise ConfigError("--minutes keeps what is predicted in a folder, but --out names a file", "Name a folder.")


def _out_of_time(job: PredictionJob, done: int, count: int, of_all: Sequence[str]) -> OutOfTimeError:
    kept = f"; {' and '.join(of_all)} would lack the others, so it is not written" if of_all else ""
    return OutOfTimeError(
        f"--minutes: the time is used up: {done} of {counted(count, 'image')} are predicted{kept}",
        f"What is predicted is in {job.folder.folder}. The same command goes on with the others.",
    )


def _elsewhere(session: Session, job: PredictionJob, images: Images, options: PredictOptions) -> Elsewhere | None:
    """Lets other machines predict, if there are any."""
    if session.cluster is None:
        return None
    return partial(
        predict_images_on,
        session.cluster,
        job,
        images=images,
        networks=NetworksGiven(options.folds, options.stage, chosen_views(options.views), session.workspace.engine),
        progress=session.progress,
    )


def _recipe(
    member: Member, fitted: Fitted, formats: Sequence[str], options: PredictOptions, progress: Progress
) -> ChosenRecipe | None:
    """The recipe, if a format needs masks; its source is reported."""
    given = options.recipe is not None or options.threshold is not None
    if not any(FORMATS[name].takes_masks for name in formats if name in FORMATS):
        if given:
            raise ConfigError("--recipe and --threshold require a format with masks", "Add --format mask.")
        return None
    return recipe_for_images(
        member.experiment,
        classes_of(fitted),
        options.recipe,
        options.threshold,
        of_mean=fitted.is_mean_of_folds,
        others=_differences(member, options),
        progress=progress,
    )


def _columns(member: Member, about: About, formats: Sequence[str], options: PredictOptions) -> tuple[str, ...]:
    """The columns of the table of runs; none if no such table is written, and then no sample submission is read."""
    if "rle" in formats:
        data = data_of(member.experiment, read_resolved(member.experiment))
        return columns_of_runs(options.columns, about, data)
    if options.columns:
        raise ConfigError(
            f"--columns names the columns of {RUNS}, which only the format rle writes", "Add --format rle."
        )
    return ()


def _differences(member: Member, options: PredictOptions) -> list[str]:
    """In which ways the predictions differ from those of the experiment."""
    found = [f"only {member.name} predicts"] if member.is_part else []
    if options.folds is not None:
        several = len(options.folds) > 1
        numbers = ", ".join(map(str, options.folds))
        found.append(f"only fold{'s' if several else ''} {numbers} predict{'' if several else 's'}")
    found += [] if options.stage is None else [f"stage {options.stage} predicts"]
    views = chosen_views(options.views) or _own_views(member)
    return found + ([] if views == _own_views(member) else [f"views {views} are used"])


def _own_views(member: Member) -> str:
    return members_of(member.experiment)[1].views if member.is_ensemble else "none"
