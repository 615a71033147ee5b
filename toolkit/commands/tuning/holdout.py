"""The scores of the recipes on the hold-out."""

from toolkit.commands.scoring.out_of_fold import OutOfFold
from toolkit.commands.tuning.job import TuningJob
from toolkit.core.metrics.uncertainty.bootstrap import paired
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.core.recipe.recipe import Recipe
from toolkit.core.tuning.recipe_scores import RecipeScores
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.experiment.tuned import HoldoutScores
from toolkit.files.predictions.store import ProbabilityStore


def score_holdout(job: TuningJob, best: Recipe, test_recipe: Recipe) -> HoldoutScores | None:
    """The scores of the recipes on the hold-out, which took no part in the search; None if there is none."""
    table, task = job.table.holdout, job.task
    if not table.ids:
        return None
    metric, labelled = task.metric, job.everything.only(table.ids).labelled
    store = ProbabilityStore(job.experiment.predictions("holdout"))
    images = OutOfFold(store, labelled, with_objects=metric.needs_objects, progress=job.progress)
    measured = RecipeScores(images.examples, len(store.ids), metric, task.activation, plugins=task.plugins)
    found = measured.measure([IDENTITY, best, test_recipe], "scoring the hold-out")
    difference = paired(metric, found[best], found[IDENTITY], seed=task.seed, groups=table.group_numbers)
    sign = 1 if metric.direction == "max" else -1
    scores = {recipe: finite_or_none(metric.score(statistics)) for recipe, statistics in found.items()}
    return HoldoutScores(
        len(store.ids),
        scores[IDENTITY],
        scores[best],
        scores[test_recipe],
        finite_or_none(sign * difference.mean),
        finite_or_none(difference.standard_error),
    )
