from dataclasses import replace

from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.report.page.blocks import Code, Figures, Notices, Prose, TableBlock
from toolkit.report.page.sections.answer import answer
from toolkit.report.page.values import PageValues


def test_three_honest_numbers_then_what_to_expect(example_values: PageValues) -> None:
    blocks = answer(example_values).blocks
    (figures,) = [block for block in blocks if isinstance(block, Figures)]
    assert [(one.label, one.value) for one in figures.figures][:1] == [("Untuned", "0.7000")]
    assert [one.label for one in figures.figures] == ["Untuned", "Tuned", "Nested", "Expected on the test images"]
    assert [one.label for one in figures.figures if one.is_main] == ["Nested"]
    assert figures.figures[3].value == "0.5000 – 0.9000"
    (code,) = [block for block in blocks if isinstance(block, Code)]
    assert code.text == "tk submit exp042"
    (doubts,) = [block for block in blocks if isinstance(block, Notices)]
    assert [one.text for one in doubts.notices] == ["two images are equal"]


def test_without_tuning_the_untuned_score_is_the_answer(example_values: PageValues) -> None:
    (figures,) = [b for b in answer(replace(example_values, tuned=None)).blocks if isinstance(b, Figures)]
    assert [(one.value, one.is_main) for one in figures.figures] == [("0.6500", True)]


def test_where_the_untuned_recipe_is_kept_its_score_is_the_answer(example_values: PageValues) -> None:
    tuned = example_values.tuned
    assert tuned is not None
    values = replace(example_values, tuned=replace(tuned, recipe=Recipe()))
    (figures,) = [block for block in answer(values).blocks if isinstance(block, Figures)]
    assert [one.label for one in figures.figures if one.is_main] == ["Untuned"]
    assert "honest" not in figures.figures[2].note


def test_it_says_whether_and_why_the_tuned_recipe_is_kept(example_values: PageValues) -> None:
    tuned = example_values.tuned
    assert tuned is not None
    best = Recipe((ClassRecipe(0.4),))

    def words(**changes: object) -> str:
        values = replace(example_values, tuned=replace(tuned, **changes))  # type: ignore[arg-type]
        return " ".join(block.text for block in answer(values).blocks if isinstance(block, Prose))

    assert "+0.0100 ± 0.0100: more than noise" in words()
    assert "within noise, so the untuned recipe is kept" in words(best=best, recipe=Recipe())
    assert "No step of the search improves" in words(best=Recipe(), recipe=Recipe())


def test_classes_with_rules_of_their_own_have_rows(example_values: PageValues) -> None:
    tuned = example_values.tuned
    assert tuned is not None
    recipe = Recipe((ClassRecipe(), ClassRecipe(0.4), ClassRecipe(0.6, fill_holes=3)), "most_probable")
    moved = Recipe((ClassRecipe(), ClassRecipe(0.3), ClassRecipe(0.6)), "most_probable")
    values = replace(
        example_values,
        classes=("background", "road", "tree"),
        activation="softmax",
        tuned=replace(tuned, recipe=recipe, best=recipe, test_recipe=moved),
    )
    (table,) = [block for block in answer(values).blocks if isinstance(block, TableBlock)]
    assert table.columns == ("class", "tuned, for out-of-fold masks", "the same for the mean of all folds: test images")
    assert table.rows == [
        ("road", "threshold 0.400", "threshold 0.300"),
        ("tree", "threshold 0.600, fill holes 3", "threshold 0.600"),
        ("between classes", "most probable", "most probable"),
    ]


def test_another_recipe_for_test_images_is_shown(example_values: PageValues) -> None:
    tuned = example_values.tuned
    assert tuned is not None
    moved = replace(tuned, test_recipe=Recipe((ClassRecipe(0.3),)))
    (table,) = [b for b in answer(replace(example_values, tuned=moved)).blocks if isinstance(b, TableBlock)]
    assert ("the same for the mean of all folds: test images", "threshold 0.300") in table.rows
