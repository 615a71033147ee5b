"""The result of `tk tune`: the scores, how test predictions differ, and what each step found."""

from dataclasses import dataclass

from toolkit.commands.scoring.constant_score import ConstantScore
from toolkit.core.masks.labels import Activation
from toolkit.core.recipe.postprocess import IDENTITY, describe
from toolkit.core.recipe.recipe import Recipe
from toolkit.core.tuning.threshold_shift import Look
from toolkit.files.experiment.tuned import HoldoutScores, TestInterval
from toolkit.messages import Table, score_text
from toolkit.report.result import Result, page_line


@dataclass(frozen=True)
class StepResult:
    """The best that one step of the search could make, on the images that it was chosen on.

    `name` is that of the class where each class has steps. `gain` is over the recipe without the step, more being
    better; `taken` says whether the step is part of the tuned recipe.
    """

    step: str
    name: str
    recipe: Recipe
    score: float | None
    gain: float | None
    taken: bool


@dataclass(frozen=True)
class ShiftResult:
    """How test predictions and masks differ from out-of-fold ones, and whether thresholds are moved for test images.

    `gain` is the gain of folds from thresholds that keep the share of foreground over unchanged thresholds. With
    `by_levels` it does not decide: thresholds are those that suit the mean of folds as the recipe suits single folds.
    """

    oof: Look
    test: Look | None
    distance: float | None
    gain: float | None
    standard_error: float | None
    moved: bool
    by_levels: bool = False


@dataclass(frozen=True)
class TuneResult(Result):
    """What `tk tune` found: `best` is the recipe that the search chose, `recipe` the one that is kept.

    `test_recipe` is the recipe for test predictions. Missing scores are None. `parts` is the number of random parts
    that stand in for folds if a single one of the `folds` is trained. `gain_of_mean` is how much better than single
    folds their mean may be on the test images, which `test_intervals` allow for. `submittable` is false without test
    predictions, and for classes that a submission of the competition cannot hold. With `verbose` the tables show the
    probabilities too. `page` is that of the experiment; empty without one.
    """

    experiment: str
    metric: str
    recipe: Recipe
    best: Recipe
    test_recipe: Recipe
    untuned: float | None
    tuned: float | None
    nested: float | None
    interval: tuple[float | None, float | None]
    test_intervals: list[TestInterval]
    gain: float | None
    standard_error: float | None
    gap: float | None
    steps: list[StepResult]
    shift: ShiftResult
    classes: list[str]
    activation: Activation
    overlays: str
    surface: str | None
    explained: bool
    submittable: bool
    parts: int | None = None
    folds: int = 1
    holdout: HoldoutScores | None = None
    constant: ConstantScore | None = None
    optimism: float = 0.0
    gain_of_mean: float = 0.0
    verbose: bool = False
    page: str = ""

    def tables(self) -> list[Table]:
        """The three scores, each with its recipe; how test predictions differ; and the steps if they were asked for."""
        low, high = map(score_text, self.interval)
        optimism = score_text(self.optimism)
        less = "" if optimism == score_text(0) else f"; less {optimism} for the choice of epochs"
        only = "the only fold" if self.folds == 1 else "the only trained fold"
        each = "each fold" if self.parts is None else f"each of {self.parts} random parts of {only}"
        rows = [
            ("untuned", score_text(self.untuned), "", self._described(IDENTITY)),
            ("tuned, optimistic", score_text(self.tuned), "", self._described(self.best)),
            (
                "nested, honest",
                score_text(self.nested),
                f"{low} to {high}",
                f"{each} with the recipe found on the others{less}",
            ),
            *self._test_rows(),
            *self._holdout_rows(),
            *((title, score, "", "") for title, score in (self.constant.rows() if self.constant else ())),
        ]
        columns = ("", self.metric, "95 % interval", "recipe")
        tables = [Table(f"{self.experiment}: tuned on out-of-fold predictions", columns, rows)]
        if self.shift.test is not None:
            tables.append(_shift_table(self.shift.oof, self.shift.test, with_probabilities=self.verbose))
        if self.explained:
            tables.append(self._steps_table())
        return tables

    def next_steps(self) -> list[str]:
        """Which recipe is kept and why, and the next command."""
        gain = f"nested gain {score_text(self.gain, signed=True)} ± {score_text(self.standard_error)}"
        if self.recipe != IDENTITY:
            kept = f"{gain} exceeds its standard error; keeping the tuned recipe ({self._described(self.recipe)})"
        elif self.best == IDENTITY:
            kept = f"no step improves the score; keeping the untuned recipe ({self._described(IDENTITY)})"
        else:
            why = "is within noise" if self.gain is not None and self.gain > 0 else "is no improvement"
            kept = f"{gain} {why}; keeping the untuned recipe ({self._described(IDENTITY)})"
        pictures = [self.overlays] if self.surface is None else [self.overlays, self.surface]
        return [
            kept,
            *(self.constant.advice(tuned=True) if self.constant else ()),
            *self._holdout_lines(),
            *self._shift_lines(),
            *self._gain_lines(),
            *(f"pictures: {path}" for path in pictures),
            *page_line(self.page),
            f"next: tk {'submit' if self.submittable else 'evaluate'} {self.experiment}",
        ]

    def _test_rows(self) -> list[tuple[str, str, str, str]]:
        """Where the scores of the test images will lie: this interval is wider, because of chance."""
        titles = ("test score, {} images", "public score, {} images")
        return [
            (title.format(one.images), "", f"{score_text(one.low)} to {score_text(one.high)}", "the kept recipe")
            for title, one in zip(titles, self.test_intervals, strict=False)
        ]

    def _holdout_rows(self) -> list[tuple[str, str, str, str]]:
        found = self.holdout
        if found is None:
            return []
        rows = [("untuned", found.untuned, IDENTITY), ("tuned", found.tuned, self.best)]
        if self.test_recipe not in (IDENTITY, self.best):
            rows.append(("as submitted", found.submitted, self.test_recipe))
        return [(f"hold-out, {what}", score_text(score), "", self._described(recipe)) for what, score, recipe in rows]

    def _holdout_lines(self) -> list[str]:
        found = self.holdout
        if found is None or self.best == IDENTITY:
            return []
        gain = f"{score_text(found.gain, signed=True)} ± {score_text(found.standard_error)}"
        return [f"hold-out ({found.images} images that took no part in the search): tuned gains {gain} over untuned"]

    def _shift_lines(self) -> list[str]:
        shift = self.shift
        if shift.test is None:
            return ["no test predictions: out-of-fold and test masks are not compared"]
        if shift.by_levels:
            why = "the mean of the folds has as much foreground as single folds"
            if shift.moved:
                return [f"thresholds for test predictions are moved so that {why}: {self._described(self.test_recipe)}"]
            return [f"thresholds for test predictions are not moved: {why}"]
        if self.parts is not None:
            return ["thresholds for test predictions are not moved: a single fold cannot show whether that helps"]
        return self._shift_by_folds()

    def _gain_lines(self) -> list[str]:
        """What the test intervals allow for, where it is not too small to be seen."""
        if not self.test_intervals or score_text(self.gain_of_mean) == score_text(0):
            return []
        gain = f"the mean of the folds may be better than single folds by up to {score_text(self.gain_of_mean)}"
        return [f"{gain}; the interval of the test score allows for it"]

    def _shift_by_folds(self) -> list[str]:
        shift = self.shift
        gain = f"gains {score_text(shift.gain, signed=True)} ± {score_text(shift.standard_error)} across folds"
        if shift.moved:
            moved = "thresholds for test predictions are moved to keep the share of foreground"
            return [f"{moved}, which {gain}: {self._described(self.test_recipe)}"]
        if not shift.gain and not shift.standard_error:
            return ["thresholds for test predictions are not moved: that would change no score"]
        return [f"thresholds for test predictions are not moved: keeping the share of foreground {gain}"]

    def _steps_table(self) -> Table:
        rows = [
            (
                f"{each.step} {each.name}".strip(),
                score_text(each.score),
                score_text(each.gain, signed=True),
                "yes" if each.taken else "no",
                self._described_step(each),
            )
            for each in self.steps
        ]
        columns = ("step", self.metric, "gain", "taken", "best recipe of the step")
        return Table(
            "steps of the search on all out-of-fold images (optimistic: each is scored where it was chosen)",
            columns,
            rows,
        )

    def _described_step(self, step: StepResult) -> str:
        if step.name:  # of the recipe of one class alone
            return describe(step.recipe)
        recipe = _shared(step.recipe) if len(self.classes) > 1 else step.recipe
        return describe(recipe, activation=self.activation)

    def _described(self, recipe: Recipe) -> str:
        return describe(recipe, self.classes, self.activation)


def _shift_table(oof: Look, test: Look, *, with_probabilities: bool) -> Table:
    rows = [
        ("images", str(oof.images), str(test.images)),
        ("share of empty masks", f"{oof.empty_share:.1%}", f"{test.empty_share:.1%}"),
        ("mean coverage of masks", f"{oof.mean_coverage:.2%}", f"{test.mean_coverage:.2%}"),
    ]
    if with_probabilities:
        rows += [
            (f"probabilities from {tenth / 10:.1f}", f"{ours:.2%}", f"{theirs:.2%}")
            for tenth, (ours, theirs) in enumerate(zip(oof.histogram, test.histogram, strict=True))
        ]
    return Table("masks of the recipe", ("", "out-of-fold", "test"), rows)


def _shared(recipe: Recipe) -> Recipe:
    """The part of a recipe that all classes share; the rules of single classes have their own rows."""
    return Recipe(between=recipe.between, priority=recipe.priority, split=recipe.split)
