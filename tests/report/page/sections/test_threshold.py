from dataclasses import replace
from typing import Any

from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.report.page.blocks import Live, Prose
from toolkit.report.page.sections.threshold import threshold
from toolkit.report.page.values import PageValues


def live_of(values: PageValues) -> Live:
    section = threshold(values)
    assert section is not None
    (block,) = section.blocks
    assert isinstance(block, Live)
    return block


def test_recipes_are_marked_at_their_places(example_values: PageValues) -> None:
    (one,) = live_of(example_values).data["classes"]
    curve = example_values.curves.classes[0]  # type: ignore[union-attr]
    names = [mark["name"] for mark in one["marks"]]
    assert names == ["untuned", "tuned", "nested", "nested", "nested"]
    untuned, tuned, *_, last = one["marks"]
    assert curve.thresholds[untuned["threshold"]] == 0.5
    assert abs(curve.minimums[tuned["minimum"]] - 20) == abs(curve.minimums - 20).min()
    assert (last["threshold"], last["minimum"]) == (untuned["threshold"], untuned["minimum"])


def test_a_triplet_is_marked_on_the_grid_of_triplets(with_triplet: Any) -> None:
    (one,) = live_of(with_triplet.values()).data["classes"]
    assert one["marks"][1]["triplet"][0] == 30
    assert one["marks"][1]["triplet"][2] == 20
    assert one["marks"][0]["triplet"] is None


def test_steps_that_sliders_lack_are_told(example_values: PageValues) -> None:
    tuned = example_values.tuned
    assert tuned is not None
    assert live_of(example_values).values["notes"] == []
    holes = Recipe((ClassRecipe(0.5, fill_holes=9, minimum_object_size=4),))
    (note,) = live_of(replace(example_values, tuned=replace(tuned, recipe=holes))).values["notes"]
    assert "further steps (fill holes, minimum object size)" in note


def test_exclusive_classes_have_no_score_of_all_and_the_reason_is_told(made_up: Any) -> None:
    exclusive = live_of(made_up(("background", "road", "tree"), "miou", "softmax").values()).values["alone"]
    assert "compete for pixels" in exclusive
    assert live_of(made_up(("first", "second"), "dice").values()).values["alone"] == ""
    accuracy = made_up(("first", "second"), "pixel_accuracy").values()
    assert "does not follow" in live_of(accuracy).values["alone"]


def test_without_curves_the_reason_is_told(example_values: PageValues) -> None:
    section = threshold(replace(example_values, curves=None, missing={"curves": "too slow"}))
    assert section is not None
    assert section.blocks == [Prose("too slow")]
    assert threshold(replace(example_values, curves=None)) is None
