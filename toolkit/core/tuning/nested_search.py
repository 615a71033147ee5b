"""The search as it would have gone without some of the images: every fold is judged by what the others chose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Floats, Mask
from toolkit.core.metrics.bootstrap import paired
from toolkit.core.recipe.recipe import Recipe
from toolkit.core.tuning.applied_steps import SearchStep
from toolkit.core.tuning.grids import Blocks, Tally, best_recipe
from toolkit.core.tuning.recipe_scores import Evidence

_DRAWS = 200

Path = tuple[int | None, int | None]
"""What one search was done without: a fold that is held out from everything (None for the search on all images), and
a block of the others, on which it is decided whether a step joins (None for the recipe itself)."""


@dataclass(frozen=True)
class Tried:
    """What a step gave in the search on all images.

    `tuned` is the score on the images that it was chosen on, `cross_validated` that of each block with what the others
    chose, `gain` how much this is better than without the step, and `standard_error` that of the gain.
    """

    step: str
    recipe: Recipe
    tuned: float
    cross_validated: float
    gain: float
    standard_error: float
    kept: bool

    @property
    def reason(self) -> str:
        """Why it was kept or not."""
        if self.kept:
            return "more than its error"
        return "changes nothing" if self.gain == 0 else "no gain" if not self.gain > 0 else "within its error"


@dataclass(frozen=True)
class Found:
    """The recipes of all paths, and what each step gave on the way to that of all images."""

    recipes: Mapping[Path, Recipe]
    tried: tuple[Tried, ...]


def all_paths(blocks: Blocks) -> list[Path]:
    """Every search: on all images and without each fold, each time on all that is left and without each block of it."""
    paths: list[Path] = []
    for fold in (None, *range(blocks.folds_count)):
        paths += [(fold, None), *((fold, block) for block in range(blocks.count) if blocks.fold_of[block] != fold)]
    return paths


def search(
    steps: Sequence[SearchStep], evidence: Evidence, blocks: Blocks, start: Mapping[Path, Recipe], seed: int
) -> Found:
    """Search step by step, on all paths at once.

    A step proposes the best recipe that it can make of what was found before. It joins if, over blocks that had no
    part in the choice, the score with it beats the score without it by more than the standard error of that gain. The
    searches without a fold decide this without it as well: nothing in them knows the fold.

    Args:
        steps: in their order.
        evidence: what measures recipes.
        blocks: of the images.
        start: the recipe of each path to begin with.
        seed: of the resampling that gives standard errors.
    """
    tally = Tally(evidence.metric)
    recipes, tried = dict(start), []
    for step in steps:
        sweeps = step.sweeps(list(dict.fromkeys(recipes.values())))
        proposals = {
            path: best_recipe(sweeps[current], _training(path, blocks), tally) for path, current in recipes.items()
        }
        measured = evidence.measure([*recipes.values(), *proposals.values()], f"judging {step.name}")
        for fold in (None, *range(blocks.folds_count)):
            judged = _judged(fold, recipes, proposals, measured, evidence=evidence, blocks=blocks, seed=seed)
            if fold is None:
                tried.append(_tried(step.name, proposals[None, None], judged, measured, evidence))
            if judged.helps:
                recipes |= {path: proposal for path, proposal in proposals.items() if path[0] == fold}
        evidence.forget_others(recipes.values())
    return Found(recipes, tuple(tried))


@dataclass(frozen=True)
class _Judged:
    score: float
    gain: float
    standard_error: float

    @property
    def helps(self) -> bool:
        return exceeds(self.gain, self.standard_error)


def exceeds(gain: float, standard_error: float) -> bool:
    """Whether a gain is more than its standard error; where there is no score, it is not."""
    return gain > max(standard_error, 1e-12)


def _training(path: Path, blocks: Blocks) -> Mask:
    """The blocks that a search looks at, `bool (blocks,)`."""
    fold, block = path
    chosen = np.ones(blocks.count, np.bool_)
    if fold is not None:
        chosen &= blocks.fold_of != fold
    if block is not None:
        chosen[block] = False
    return chosen


def _judged(
    fold: int | None,
    recipes: Mapping[Path, Recipe],
    proposals: Mapping[Path, Recipe],
    measured: Mapping[Recipe, Floats],
    *,
    evidence: Evidence,
    blocks: Blocks,
    seed: int,
) -> _Judged:
    """The proposals against the recipes so far, each on the block that it does not know."""
    rows = _training((fold, None), blocks)[blocks.of_image]
    width = next(iter(measured.values())).shape[1]
    with_step, without = (np.empty((evidence.images, width)) for _ in range(2))
    for path, proposal in proposals.items():
        if path[0] == fold and path[1] is not None:
            held_out = blocks.of_image == path[1]
            with_step[held_out] = measured[proposal][held_out]
            without[held_out] = measured[recipes[path]][held_out]
    metric = evidence.metric
    difference = paired(metric, with_step[rows], without[rows], _DRAWS, seed)
    gain = difference.mean if metric.direction == "max" else -difference.mean
    return _Judged(metric.score(with_step[rows]), gain, difference.standard_error)


def _tried(name: str, recipe: Recipe, judged: _Judged, measured: Mapping[Recipe, Floats], evidence: Evidence) -> Tried:
    tuned = evidence.metric.score(measured[recipe])
    return Tried(name, recipe, tuned, judged.score, judged.gain, judged.standard_error, judged.helps)
