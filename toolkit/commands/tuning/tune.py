"""`tk tune`: finds the recipe on out-of-fold predictions, and scores it honestly."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from toolkit.commands.scoring.constant_score import ConstantScore, read_constant
from toolkit.commands.scoring.overlays import write_overlays
from toolkit.commands.scoring.scores import Scoring, read_optimism, score_stores
from toolkit.commands.session import Session
from toolkit.commands.submitting.masks import chosen_classes
from toolkit.commands.tuning.out_of_fold import OutOfFold
from toolkit.commands.tuning.tune_result import ShiftResult, StepResult, TuneResult
from toolkit.config.data.data import DataConfig
from toolkit.config.metrics import parse_metric_text
from toolkit.core.masks.labels import Classes
from toolkit.core.metrics.metric import Metric
from toolkit.core.metrics.uncertainty.bootstrap import paired
from toolkit.core.recipe.postprocess import IDENTITY, Step, masks_of
from toolkit.core.recipe.recipe import Recipe
from toolkit.core.tuning.recipe_scores import RecipeScores
from toolkit.core.tuning.recipe_search import Tried, Tuned, without_optimism
from toolkit.core.tuning.recipe_search import tune as search_recipe
from toolkit.core.tuning.task import STEPS, RecipeTask
from toolkit.core.tuning.threshold_shift import Looker, distance, look_at_folds, matched, try_matched_share
from toolkit.errors import ChangedError, ConfigError, SubmissionError, not_valid
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.truth import Truth, truth_of
from toolkit.files.disk.locks import locked
from toolkit.files.disk.writing import finite_or_none, read_json
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import FoldTable, folds_digest, read_fold_table
from toolkit.files.experiment.resolved import Resolved, data_of, read_resolved
from toolkit.files.experiment.tuned import HoldoutScores, TestInterval, TunedRecipe, write_tuned
from toolkit.files.predictions.store import ProbabilityStore, store_digest
from toolkit.learning.plugins import Plugins
from toolkit.messages import Progress, Silent
from toolkit.report.tuning_surface import surface_picture


def tune(
    session: Session,
    name: str | None = None,
    *,
    metric: str | None = None,
    steps: str | None = None,
    explain: bool = False,
) -> TuneResult:
    """Search the recipe on the out-of-fold predictions of an experiment or ensemble.

    Args:
        session: the folder of all experiments, and what shows progress.
        name: name of the experiment; None for the one finished last.
        metric: a metric to use instead of the experiment's, as a YAML value.
        steps: comma-separated names of the steps to search; None for those that suit the metric.
        explain: whether to draw the surface and list the steps.

    Raises:
        NotReadyError: there are no out-of-fold predictions yet.
        ChangedError: the folds or images have changed since training.
        ConfigError: the metric or a step is unknown.
    """
    progress = session.progress
    experiment = session.workspace.find_or_last(name, progress)
    with locked(experiment.lock):
        resolved = read_resolved(experiment)
        everything = truth_of(experiment, resolved)
        table = _fold_table(experiment, resolved, everything)
        truth = everything.only(table.out_of_fold.ids)
        store = ProbabilityStore(experiment.predictions("oof"))
        plugins = Plugins.of(experiment, progress)
        spec = truth.metric
        if metric is not None:
            spec = parse_metric_text(metric, "--metric", plugins)
        searched = replace(truth, metric=spec).for_searches
        if searched.metric != spec:
            progress.say(f"{spec.label} is too slow to search with: tuning by {searched.metric.label} instead")
        built = searched.build_metric(plugins)
        task = _task(experiment, resolved, truth, store, table=table, metric=built, progress=progress)
        wanted = task.usual_steps()
        if steps is not None:
            wanted = _named_steps(steps, plugins)
            task = replace(task, plugins=plugins)
        tree = read_json(experiment.score) if experiment.score.is_file() else {}
        optimism = read_optimism(tree, task.metric.label)
        found = search_recipe(task, wanted, with_surfaces=explain)
        tuned = without_optimism(found, optimism, task.metric.direction)
        shift, test_recipe = _shift(experiment, task, tuned, progress, several=table.folds_count > 1)
        holdout = None
        if table.holdout.ids:
            labelled = everything.only(table.holdout.ids).labelled
            outside = replace(task, groups=table.holdout.group_numbers)
            holdout = _score_holdout(
                experiment, labelled, outside, tuned.best, test_recipe=test_recipe, progress=progress
            )
        if explain:
            surface_picture(experiment.surface, experiment.name, tuned, built, truth.classes.names)
        scoring = Scoring([spec], tuned.recipe, truth.rules, plugins)
        (scores,) = score_stores([store], truth.labelled, table.out_of_fold.folds, scoring, progress)
        write_overlays(experiment, store, truth.labelled, scores, tuned.recipe, plugins=plugins)
        write_tuned(experiment, _written(experiment, task, tuned, test_recipe, shift=shift, holdout=holdout))
    return TuneResult(
        experiment=experiment.name,
        metric=task.metric.label,
        recipe=tuned.recipe,
        best=tuned.best,
        test_recipe=test_recipe,
        untuned=finite_or_none(tuned.untuned),
        tuned=finite_or_none(tuned.tuned),
        nested=finite_or_none(tuned.nested),
        interval=(finite_or_none(tuned.interval.low), finite_or_none(tuned.interval.high)),
        test_intervals=list(_test_intervals(task, tuned)),
        gain=finite_or_none(tuned.gain),
        standard_error=finite_or_none(tuned.standard_error),
        gap=finite_or_none(tuned.gap),
        steps=[_step_result(tried, truth.classes) for tried in tuned.tried],
        shift=shift,
        classes=list(truth.classes.names),
        activation=truth.classes.activation,
        overlays=str(experiment.overlays),
        surface=str(experiment.surface) if tuned.surfaces else None,
        explained=explain,
        submittable=shift.test is not None and _fits_a_submission(experiment, resolved, truth),
        constant=_constant(tree, task, tuned, optimism),
        optimism=optimism,
        parts=None if table.folds_count > 1 else int(task.folds.max()) + 1,
        holdout=holdout,
    )


def _constant(tree: Mapping[str, Any], task: RecipeTask, tuned: Tuned, optimism: float) -> ConstantScore | None:
    """What constant masks score by the tuned metric, if that is the experiment's, and the gain of the kept recipe.

    The standard error is that of the gain of the untuned recipe.
    """
    found = read_constant(tree, task.metric.label)
    if found is None or found.best is None:
        return None
    less = optimism if task.metric.direction == "max" else -optimism
    score = tuned.untuned - less if tuned.recipe == IDENTITY else tuned.nested
    gain = score - found.best if task.metric.direction == "max" else found.best - score
    return replace(found, gain=finite_or_none(gain))


def _test_images(experiment: Experiment, data: DataConfig) -> tuple[int, ...]:
    """The number of test images, and of those that the public leaderboard scores, as far as they are known."""
    folder = experiment.predictions("test")
    if not folder.is_dir():
        return ()
    images = len(ProbabilityStore(folder).ids)
    share = None if data.competition is None else data.competition.public_share
    return (images,) if share is None else (images, max(1, round(share * images)))


def _test_intervals(task: RecipeTask, tuned: Tuned) -> tuple[TestInterval, ...]:
    return tuple(
        TestInterval(images, finite_or_none(found.low), finite_or_none(found.high))
        for images, found in zip(task.test_images, tuned.test_intervals, strict=True)
    )


def _fits_a_submission(experiment: Experiment, resolved: Resolved, truth: Truth) -> bool:
    """Whether a submission of the competition can hold the classes."""
    try:
        chosen_classes(experiment.name, truth, data_of(experiment, resolved).table_format, Silent())
    except SubmissionError:
        return False
    return True


def _fold_table(experiment: Experiment, resolved: Resolved, truth: Truth) -> FoldTable:
    """The folds of the experiment.

    Raises:
        ChangedError: folds.csv has changed since training.
    """
    table = read_fold_table(experiment.folds, truth.labelled.images.ids)
    if folds_digest(table.folds) != resolved.digests.get("folds"):
        raise ChangedError(
            f"{experiment.folds} has changed since training, so the nested score would not be honest",
            f"Restore the file, or train again: tk fit {experiment.name} --restart",
        )
    return table


def _task(
    experiment: Experiment,
    resolved: Resolved,
    truth: Truth,
    store: ProbabilityStore,
    *,
    table: FoldTable,
    metric: Metric,
    progress: Progress,
) -> RecipeTask:
    """The out-of-fold images, their groups, their parts for nested scores, and the metric.

    Raises:
        ChangedError: the number of classes has changed since the predictions were made.
    """
    planes, classes = store.read(store.ids[0]).shape[2], truth.classes
    if planes != classes.count:
        raise ChangedError(
            f"{store.folder} predicts {planes} classes, but {experiment.name} has {classes.count}",
            f"Make new predictions: tk fit {experiment.name} --restart",
        )
    return RecipeTask(
        OutOfFold(store, truth.labelled, with_objects=metric.needs_objects, progress=progress).examples,
        table.parts("tk tune"),
        classes.count,
        classes.activation,
        metric,
        in_bytes=store.stored_type == "uint8",
        has_presence=store.presence(store.ids[0]) is not None,
        seed=int(resolved.config.get("seed", 0)),
        groups=table.out_of_fold.group_numbers,
        test_images=_test_images(experiment, data_of(experiment, resolved)),
    )


def _named_steps(text: str, plugins: Mapping[str, Step]) -> tuple[str, ...]:
    """The steps that `--steps` names; plugins among them are loaded, so that broken code is reported before the search.

    Raises:
        ConfigError: there is no such step, or its code fails when it is run.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in STEPS]
    allowed = [*STEPS, *plugins]
    for name in unknown:
        if name not in plugins:
            raise ConfigError(f"--steps: {not_valid(name, allowed)}")
    if not names:
        raise ConfigError(f"--steps: no step is named; choose from {', '.join(allowed)}")
    for name in unknown:
        plugins[name]
    return names


def _shift(
    experiment: Experiment, task: RecipeTask, tuned: Tuned, progress: Progress, *, several: bool
) -> tuple[ShiftResult, Recipe]:
    """How test predictions differ, and the recipe for them.

    A test map is the mean of all folds, but the recipe was tuned on maps of single folds. So thresholds are moved until
    the mean has as much foreground as single folds have on the test images. Where their levels are unknown (ensembles,
    tiles, scaled maps), thresholds are moved if that helps across folds. Without `several` folds nothing is moved.
    """
    recipe = tuned.recipe
    oof, levels = look_at_folds(task, recipe)
    folder = experiment.predictions("test")
    if not folder.is_dir():
        return ShiftResult(oof, None, None, None, None, False), recipe
    by_fold = tuned.by_fold if recipe == tuned.best else (IDENTITY,) * len(tuned.by_fold)
    store = ProbabilityStore(folder)
    by_levels = store.fold_levels is not None
    shares = try_matched_share(task, by_fold, levels) if several and not by_levels else None
    looker = Looker(task.classes, task.activation)
    with progress.task("comparing test masks", len(store.ids)) as bar:
        for image_id, stored in store:
            masks = masks_of(stored, task.activation, recipe, store.presence(image_id), task.plugins)
            looker.add(stored, masks)
            bar.advance()
    test = looker.look()
    helps = shares is not None and shares.helps
    moved = recipe
    if store.fold_levels is not None:
        moved = matched(recipe, store.fold_levels, looker.levels, task.activation)
    elif helps:
        moved = matched(recipe, levels.sum(axis=0), looker.levels, task.activation)
    return ShiftResult(
        oof,
        test,
        distance(oof.histogram, test.histogram),
        None if shares is None else finite_or_none(shares.gain),
        None if shares is None else finite_or_none(shares.standard_error),
        moved != recipe,
        by_levels,
    ), moved


def _score_holdout(
    experiment: Experiment,
    labelled: LabelledImages,
    task: RecipeTask,
    best: Recipe,
    *,
    test_recipe: Recipe,
    progress: Progress,
) -> HoldoutScores:
    """The scores of the recipes on the hold-out, which took no part in the search."""
    store = ProbabilityStore(experiment.predictions("holdout"))
    images = OutOfFold(store, labelled, with_objects=task.metric.needs_objects, progress=progress)
    measured = RecipeScores(images.examples, len(store.ids), task.metric, task.activation, plugins=task.plugins)
    found = measured.measure([IDENTITY, best, test_recipe], "scoring the hold-out")
    difference = paired(task.metric, found[best], found[IDENTITY], seed=task.seed, groups=task.groups)
    sign = 1 if task.metric.direction == "max" else -1
    scores = {recipe: finite_or_none(task.metric.score(statistics)) for recipe, statistics in found.items()}
    return HoldoutScores(
        len(store.ids),
        scores[IDENTITY],
        scores[best],
        scores[test_recipe],
        finite_or_none(sign * difference.mean),
        finite_or_none(difference.standard_error),
    )


def _written(
    experiment: Experiment,
    task: RecipeTask,
    tuned: Tuned,
    test_recipe: Recipe,
    *,
    shift: ShiftResult,
    holdout: HoldoutScores | None,
) -> TunedRecipe:
    """The content of tuned.json."""
    return TunedRecipe(
        metric=task.metric.label,
        recipe=tuned.recipe,
        best=tuned.best,
        test_recipe=test_recipe,
        untuned=tuned.untuned,
        tuned=tuned.tuned,
        nested=tuned.nested,
        interval=(tuned.interval.low, tuned.interval.high),
        standard_error=tuned.standard_error,
        gap=tuned.gap,
        oof_predictions=store_digest(experiment.predictions("oof")),
        test_predictions=store_digest(experiment.predictions("test")) if shift.moved else None,
        shift=asdict(shift),
        holdout=holdout,
        test_intervals=_test_intervals(task, tuned),
    )


def _step_result(tried: Tried, classes: Classes) -> StepResult:
    of_class = tried.index is not None and classes.count > 1
    return StepResult(
        step=tried.step,
        name=classes.names[tried.index] if of_class and tried.index is not None else "",
        recipe=tried.recipe,
        score=finite_or_none(tried.score),
        gain=finite_or_none(tried.gain),
        taken=tried.taken,
    )
