"""How test predictions differ from those that were tuned on, and what follows for their thresholds and their score."""

from dataclasses import dataclass

from toolkit.commands.tuning.job import TuningJob
from toolkit.commands.tuning.tune_result import ShiftResult
from toolkit.core.recipe.postprocess import IDENTITY, masks_of
from toolkit.core.recipe.recipe import Recipe
from toolkit.core.tuning.fold_means import gain_of_mean
from toolkit.core.tuning.recipe_search import Tuned
from toolkit.core.tuning.threshold_shift import Looker, distance, look_at_folds, matched, try_matched_share
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.predictions.store import ProbabilityStore


@dataclass(frozen=True)
class TestPredictions:
    """How test predictions differ, the recipe for them, and how much better they may score than single folds."""

    __test__ = False  # pytest would collect a class with this name

    shift: ShiftResult
    recipe: Recipe
    gain: float = 0.0


def compare_test(job: TuningJob, tuned: Tuned) -> TestPredictions:
    """Compare test with out-of-fold predictions.

    A test map is the mean of all folds, but the recipe was tuned on maps of single folds. So thresholds are moved until
    the mean has as much foreground as single folds have on the test images. Where their levels are unknown (ensembles),
    thresholds are moved if that helps across folds. With a single fold nothing is moved.
    """
    task, recipe = job.task, tuned.recipe
    folds = look_at_folds(task, recipe)
    folder = job.experiment.predictions("test")
    if not folder.is_dir():
        return TestPredictions(ShiftResult(folds.look, None, None, None, None, False), recipe)
    by_fold = tuned.by_fold if recipe == tuned.best else (IDENTITY,) * len(tuned.by_fold)
    store = ProbabilityStore(folder)
    spread = store.fold_spread
    by_levels = spread is not None and spread.single is not None
    shares = try_matched_share(task, by_fold, folds.levels) if job.table.folds_count > 1 and not by_levels else None
    looker = Looker(task.classes, task.activation)
    with job.progress.task("comparing test masks", len(store.ids)) as bar:
        for image_id, stored in store:
            masks = masks_of(stored, task.activation, recipe, store.presence(image_id), task.plugins)
            looker.add(stored, masks)
            bar.advance()
    test = looker.look()
    moved, gain = recipe, 0.0
    if spread is not None and spread.single is not None and spread.mean is not None:
        moved = matched(recipe, spread.single, spread.mean, task.activation)
    elif shares is not None and shares.helps:
        moved = matched(recipe, folds.levels.sum(axis=0), looker.levels, task.activation)
    if spread is not None and folds.wrong_share:
        share = float(spread.variance[task.searched].mean()) / folds.wrong_share
        gain = gain_of_mean(tuned.kept_score, share, task.metric.direction)
    shift = ShiftResult(
        folds.look,
        test,
        distance(folds.look.histogram, test.histogram),
        None if shares is None else finite_or_none(shares.gain),
        None if shares is None else finite_or_none(shares.standard_error),
        moved != recipe,
        by_levels,
    )
    return TestPredictions(shift, moved, gain)
