"""`tk tune`: finds the recipe on out-of-fold predictions, and scores it honestly."""

from dataclasses import asdict, replace

from toolkit.commands.reporting.report import page_at_the_end
from toolkit.commands.scoring.constant_score import ConstantScore, read_constant
from toolkit.commands.scoring.overlays import write_overlays
from toolkit.commands.scoring.scores import Scoring, score_stores
from toolkit.commands.session import Session
from toolkit.commands.submitting.masks import chosen_classes
from toolkit.commands.tuning.holdout import score_holdout
from toolkit.commands.tuning.job import TuningJob, prepare
from toolkit.commands.tuning.shift import TestPredictions, compare_test
from toolkit.commands.tuning.tune_result import StepResult, TuneResult
from toolkit.core.masks.labels import Classes
from toolkit.core.recipe.recipe import Recipe
from toolkit.core.tuning.recipe_search import Tried, Tuned, without_optimism
from toolkit.core.tuning.recipe_search import tune as search_recipe
from toolkit.core.tuning.task import RecipeTask
from toolkit.errors import SubmissionError
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.experiment.resolved import data_of
from toolkit.files.experiment.tuned import FoldScores, HoldoutScores, TestInterval, TunedRecipe, write_tuned
from toolkit.files.predictions.store import store_digest
from toolkit.messages import Silent
from toolkit.report.plots.tuning_surface import surface_picture


def tune(
    session: Session,
    name: str | None = None,
    *,
    metric: str | None = None,
    steps: str | None = None,
    explain: bool = False,
    verbose: bool = False,
) -> TuneResult:
    """Search the recipe on the out-of-fold predictions of an experiment or ensemble.

    Args:
        session: the folder of all experiments, and what shows progress.
        name: name of the experiment; None for the one finished last.
        metric: a metric to use instead of the experiment's, as a YAML value.
        steps: comma-separated names of the steps to search; None for those that suit the metric.
        explain: whether to draw the surface and list the steps.
        verbose: whether to show the probabilities of out-of-fold and test predictions too.

    Raises:
        NotReadyError: there are no out-of-fold predictions yet.
        ChangedError: the folds or images have changed since training.
        ConfigError: the metric or a step is unknown.
    """
    experiment = session.workspace.find_or_last(name, session.progress)
    with experiment.locked():
        job = prepare(experiment, session.progress, metric=metric, steps=steps)
        found = search_recipe(job.task, job.steps, with_surfaces=explain)
        tuned = without_optimism(found, job.optimism, job.task.metric)
        test = compare_test(job, tuned)
        holdout = score_holdout(job, tuned.best, test.recipe)
        if explain:
            surface_picture(experiment.surface, experiment.name, tuned, job.task.metric, job.truth.classes.names)
        _write_overlays(job, tuned.recipe)
        write_tuned(experiment, _written(job, tuned, test, holdout))
    wanted = bool(job.resolved.config.get("report", True))
    page = page_at_the_end(session, experiment, wanted=wanted)
    return replace(_result(job, tuned, test, holdout, explain=explain), verbose=verbose, page=page)


def _write_overlays(job: TuningJob, recipe: Recipe) -> None:
    labelled = job.truth.labelled
    scoring = Scoring([job.spec], recipe, job.truth.rules, job.plugins)
    (scores,) = score_stores([job.store], labelled, job.table.out_of_fold.folds, scoring, job.progress)
    write_overlays(job.experiment, job.store, labelled, scores, recipe, plugins=job.plugins)


def _result(
    job: TuningJob, tuned: Tuned, test: TestPredictions, holdout: HoldoutScores | None, *, explain: bool
) -> TuneResult:
    experiment, classes = job.experiment, job.truth.classes
    return TuneResult(
        experiment=experiment.name,
        metric=job.task.metric.label,
        recipe=tuned.recipe,
        best=tuned.best,
        test_recipe=test.recipe,
        untuned=finite_or_none(tuned.untuned),
        tuned=finite_or_none(tuned.tuned),
        nested=finite_or_none(tuned.nested),
        interval=(finite_or_none(tuned.interval.low), finite_or_none(tuned.interval.high)),
        test_intervals=list(_test_intervals(job.task, tuned, test.gain)),
        gain=finite_or_none(tuned.gain),
        standard_error=finite_or_none(tuned.standard_error),
        gap=finite_or_none(tuned.gap),
        steps=[_step_result(tried, classes) for tried in tuned.tried],
        shift=test.shift,
        classes=list(classes.names),
        activation=classes.activation,
        overlays=str(experiment.overlays),
        surface=str(experiment.surface) if tuned.surfaces else None,
        explained=explain,
        submittable=test.shift.test is not None and _fits_a_submission(job),
        constant=_constant(job, tuned),
        optimism=job.optimism,
        gain_of_mean=test.gain,
        parts=None if job.table.folds_count > 1 else int(job.task.folds.max()) + 1,
        folds=int(job.resolved.config.get("folds_count", 1)),
        holdout=holdout,
    )


def _constant(job: TuningJob, tuned: Tuned) -> ConstantScore | None:
    """What constant masks score by the tuned metric, if that is the experiment's, and the gain of the kept recipe.

    The standard error is that of the gain of the untuned recipe.
    """
    found = None if job.scores is None else read_constant(job.scores, job.task.metric.label)
    if found is None or found.best is None:
        return None
    sign = 1 if job.task.metric.direction == "max" else -1
    return replace(found, gain=finite_or_none(sign * (tuned.kept_score - found.best)))


def _test_intervals(task: RecipeTask, tuned: Tuned, gain: float) -> tuple[TestInterval, ...]:
    """The intervals of the scores of test images; their better ends allow for what the mean of the folds may gain."""
    low, high = (0.0, gain) if task.metric.direction == "max" else (-gain, 0.0)
    intervals = [found.moved(low, high).within(task.metric.bounds) for found in tuned.test_intervals]
    return tuple(
        TestInterval(images, finite_or_none(found.low), finite_or_none(found.high))
        for images, found in zip(task.test_images, intervals, strict=True)
    )


def _fits_a_submission(job: TuningJob) -> bool:
    """Whether a submission of the competition can hold the classes."""
    form = data_of(job.experiment, job.resolved).table_format
    try:
        chosen_classes(job.experiment.name, job.truth.classes, job.truth.rules, form, Silent())
    except SubmissionError:
        return False
    return True


def _written(job: TuningJob, tuned: Tuned, test: TestPredictions, holdout: HoldoutScores | None) -> TunedRecipe:
    """The content of tuned.json."""
    predictions = job.experiment.predictions
    return TunedRecipe(
        metric=job.task.metric.label,
        recipe=tuned.recipe,
        best=tuned.best,
        test_recipe=test.recipe,
        by_fold=tuned.by_fold,
        fold_scores=tuple(
            FoldScores(chosen, honest) for chosen, honest in zip(tuned.tuned_by_fold, tuned.nested_by_fold, strict=True)
        ),
        untuned=tuned.untuned,
        tuned=tuned.tuned,
        nested=tuned.nested,
        interval=(tuned.interval.low, tuned.interval.high),
        standard_error=tuned.standard_error,
        gap=tuned.gap,
        oof_predictions=store_digest(predictions("oof")),
        test_predictions=store_digest(predictions("test")) if test.shift.moved else None,
        shift=asdict(test.shift),
        holdout=holdout,
        test_intervals=_test_intervals(job.task, tuned, test.gain),
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
