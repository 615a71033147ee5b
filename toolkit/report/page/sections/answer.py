"""The answer first: how good it is, what to expect on the leaderboard, what is doubtful, and what to do next."""

from collections.abc import Mapping

from toolkit.core.recipe.postprocess import IDENTITY, describe
from toolkit.core.recipe.recipe import Recipe
from toolkit.files.experiment.tuned import TunedRecipe
from toolkit.messages import interval_text, score_text
from toolkit.report.page.blocks import Block, Code, Figure, Figures, Notices, Prose, Section, TableBlock
from toolkit.report.page.values import PageValues, rule_of


def answer(values: PageValues) -> Section:
    """The section; it is on every page."""
    blocks: list[Block] = []
    if values.score is None:
        blocks.append(Prose(f"There is no score yet: {values.state}."))
    else:
        blocks += [Figures(_figures(values)), *_words(values)]
    blocks += [Code("Next", values.next_step), Notices("Doubts", values.doubts, "No check has found anything.")]
    words = ["untuned"] if values.tuned is None else ["untuned", "tuned", "nested", "recipe", "bootstrap"]
    return Section("answer", "The answer", blocks, words=(*words, "out-of-fold (OOF)", "fold", values.metric))


_EXPECTED = (
    ("Expected on the test images", ", which the mean of all folds predicts: it may be better than single folds"),
    ("Public leaderboard", ""),
)


def _figures(values: PageValues) -> list[Figure]:
    tuned, score = values.tuned, values.score
    if tuned is None:
        untuned = None if score is None else score["all"]
        note = f"{values.metric} of all out-of-fold images, without post-processing"
        return [Figure("Untuned", score_text(untuned), note, is_main=True)]
    expected = [
        Figure(title, interval_text(one.low, one.high), f"95 % interval, {one.images} images{note}")
        for (title, note), one in zip(_EXPECTED, tuned.test_intervals, strict=False)
    ]
    low, high = tuned.interval
    is_kept = tuned.recipe != IDENTITY
    plain = "without post-processing" if is_kept else "without post-processing; kept, so it is the honest score"
    nested = "honest" if is_kept else "what tuning is worth on other images"
    return [
        Figure("Untuned", score_text(tuned.untuned), plain, is_main=not is_kept),
        Figure("Tuned", score_text(tuned.tuned), "optimistic: scored where the recipe was chosen"),
        Figure(
            "Nested", score_text(tuned.nested), f"{nested}; 95 % interval {interval_text(low, high)}", is_main=is_kept
        ),
        *expected,
    ]


def _words(values: PageValues) -> list[Block]:
    tuned = values.tuned
    if tuned is None:
        return [Prose("No recipe has been tuned yet, so this is the only score that is known.", is_quiet=True)]
    uses = {"tuned, for out-of-fold masks": tuned.recipe}
    # Means of folds have other probabilities than single folds.
    uses |= (
        {}
        if tuned.test_recipe == tuned.recipe
        else {"the same for the mean of all folds: test images": tuned.test_recipe}
    )
    uses |= {} if tuned.best == tuned.recipe else {"best of the search": tuned.best}
    found: list[Block] = [Prose(_verdict(tuned)), _recipes(values, uses)]
    rows = []
    if tuned.holdout is not None:
        rows.append((f"hold-out, {tuned.holdout.images} images, tuned", score_text(tuned.holdout.tuned)))
        rows.append(("hold-out, untuned", score_text(tuned.holdout.untuned)))
    return [*found, TableBlock("Hold-out", ("", values.metric), rows)] if rows else found


def _recipes(values: PageValues, uses: Mapping[str, Recipe]) -> TableBlock:
    """What each recipe is used for; if classes have rules of their own, a row for each class."""
    if all(len(recipe.classes) == 1 for recipe in uses.values()):
        rows = [(use, describe(recipe, values.classes, values.activation)) for use, recipe in uses.items()]
        return TableBlock("Recipes", ("use", "recipe"), rows)
    first = int(values.activation == "softmax")
    classes = [
        (name, *(describe(Recipe((rule_of(recipe, index),))) for recipe in uses.values()))
        for index, name in enumerate(values.classes)
        if index >= first
    ]
    between = [recipe.between or "" for recipe in uses.values()]
    shared = [("between classes", *(text.replace("_", " ") for text in between))] if any(between) else []
    return TableBlock("Recipes", ("class", *uses), [*classes, *shared])


def _verdict(tuned: TunedRecipe) -> str:
    gain = None
    if tuned.nested is not None and tuned.untuned is not None:
        gain = tuned.nested - tuned.untuned
    figures = f"{score_text(gain, signed=True)} ± {score_text(tuned.standard_error)}"
    if tuned.best == IDENTITY:
        return "No step of the search improves the score, so the untuned recipe is kept."
    if tuned.recipe == IDENTITY:
        return (
            f"The nested score differs from the untuned one by {figures}: within noise, so the untuned recipe is kept."
        )
    return f"The nested score differs from the untuned one by {figures}: more than noise, so the tuned recipe is kept."
